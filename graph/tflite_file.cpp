#include "graph/tflite_file.h"

#include "graph/tensor.h"

namespace lockstep::graph {
namespace {

constexpr uint32_t kSchemaVersion = 3;
// Tables nest 6 deep in the format. Their number is bounded because a small file may point to one
// table from many places.
constexpr flatbuffers::uoffset_t kMaximumDepth = 16;
constexpr flatbuffers::uoffset_t kMaximumTables = 1'000'000;

}  // namespace

Status check_file_size(uintmax_t size, std::string_view name) {
  if (size < FLATBUFFERS_MAX_BUFFER_SIZE) return {};
  return make_error(ErrorCode::kUnsupported, "{}: {} bytes, files of 2 GiB and more are not read",
                    name, size);
}

Result<const schema::Model*> open_tflite(std::span<const std::byte> bytes, std::string_view name) {
  constexpr size_t kHeaderSize = 8;  // root offset and identifier
  if (bytes.size() < kHeaderSize ||
      !schema::ModelBufferHasIdentifier(reinterpret_cast<const void*>(bytes.data()))) {
    return make_error(ErrorCode::kInvalidModel, "{}: not a .tflite file: no identifier \"{}\"",
                      name, schema::ModelIdentifier());
  }
  if (auto status = check_file_size(bytes.size(), name); !status) {
    return tl::unexpected(status.error());
  }
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
                                 kMaximumDepth, kMaximumTables);
  if (!schema::VerifyModelBuffer(verifier)) {
    return make_error(ErrorCode::kInvalidModel,
                      "{}: damaged or cut off: an offset leaves the {} bytes of the file", name,
                      bytes.size());
  }
  const schema::Model* model = schema::GetModel(bytes.data());
  if (model->version() != kSchemaVersion) {
    return make_error(ErrorCode::kUnsupported, "{}: schema version {}, only {} is known", name,
                      model->version(), kSchemaVersion);
  }
  if (size_or_zero(model->subgraphs()) == 0) {
    return make_error(ErrorCode::kInvalidModel, "{}: holds no subgraph", name);
  }
  return model;
}

}  // namespace lockstep::graph
