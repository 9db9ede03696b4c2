#include "graph/editable_model.h"

#include <string>

#include "graph/appended_archive.h"
#include "graph/tflite_completeness.h"
#include "graph/tflite_file.h"
#include "graph/tflite_indices.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_tree_writer.h"

namespace lockstep::graph {
namespace {

// Half of what the format can address, so that everything else fits with certainty.
Status check_contents_fit(const EditableModel& model) {
  size_t size = model.archive.size();
  for (const auto& buffer : model.tree.buffers) size += buffer->data.size();
  if (size <= FLATBUFFERS_MAX_BUFFER_SIZE / 2) return {};
  return make_error(ErrorCode::kUnsupported, "{} bytes of constants do not fit a .tflite file",
                    size);
}

}  // namespace

Result<EditableModel> read_editable_model(std::span<const std::byte> bytes, std::string_view name) {
  // A vector's memory is aligned for everything a flatbuffer holds.
  const std::vector<std::byte> file(bytes.begin(), bytes.end());
  const auto source = open_tflite(file, name);
  if (!source) return tl::unexpected(source.error());
  const auto rest = check_completeness(**source, file, name);
  if (!rest) return tl::unexpected(rest.error());
  EditableModel model;
  if (!rest->empty()) {
    model.archive.assign(rest->begin(), rest->end());
    if (auto status = place_archive(model.archive, 0); !status) {
      return make_error(status.error().code, "{}: {} bytes lie behind the flatbuffer: {}", name,
                        rest->size(), status.error().message);
    }
  }
  (*source)->UnPackTo(&model.tree);
  if (auto status = check_indices(model.tree, name); !status) {
    return tl::unexpected(status.error());
  }
  return model;
}

Result<EditableModel> read_editable_model_file(const std::filesystem::path& path) {
  const auto bytes = read_tflite_file_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  return read_editable_model(*bytes, path.string());
}

Result<std::vector<std::byte>> write_editable_model(const EditableModel& model) {
  if (auto status = check_contents_fit(model); !status) return tl::unexpected(status.error());
  if (auto status = check_indices(model.tree, "the edited network"); !status) {
    return tl::unexpected(status.error());
  }
  std::vector<std::byte> bytes = write_tree(model.tree);
  if (!model.archive.empty()) {
    const size_t position = bytes.size();
    bytes.insert(bytes.end(), model.archive.begin(), model.archive.end());
    if (auto status = place_archive(std::span(bytes).subspan(position), position); !status) {
      return tl::unexpected(status.error());
    }
  }
  if (const auto opened = open_tflite(bytes, "the edited network"); !opened) {
    return tl::unexpected(opened.error());
  }
  return bytes;
}

}  // namespace lockstep::graph
