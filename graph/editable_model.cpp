#include "graph/editable_model.h"

#include <memory>
#include <string>

#include "graph/appended_archive.h"
#include "graph/tflite_completeness.h"
#include "graph/tflite_file.h"
#include "graph/tflite_indices.h"
#include "graph/tflite_reader.h"

namespace lockstep::graph {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

// The generated code writes objects, and leaves out what is empty. The tables whose lists TFLite
// wants to see even then are written here.
class ModelWriter {
 public:
  std::vector<std::byte> write(const schema::ModelT& model) {
    const auto codes = list<schema::OperatorCode>(model.operator_codes);
    const auto subgraphs = list<schema::SubGraph>(model.subgraphs);
    const auto description = text(model.description);
    const auto buffers = list<schema::Buffer>(model.buffers);
    const auto metadata_buffer = builder_.CreateVector(model.metadata_buffer);
    const auto metadata = list<schema::Metadata>(model.metadata);
    const auto signatures = list<schema::SignatureDef>(model.signature_defs);
    const auto groups = list<schema::ExternalBufferGroup>(model.external_buffer_groups);
    const auto external_buffers = list<schema::ExternalBuffer>(model.external_buffers);
    schema::FinishModelBuffer(
        builder_,
        schema::CreateModel(builder_, model.version, codes, subgraphs, description, buffers,
                            metadata_buffer, metadata, signatures, groups, external_buffers));
    const auto bytes = std::as_bytes(std::span(builder_.GetBufferPointer(), builder_.GetSize()));
    return {bytes.begin(), bytes.end()};
  }

 private:
  template <typename Table, typename Object>
  Offset<flatbuffers::Vector<Offset<Table>>> list(
      const std::vector<std::unique_ptr<Object>>& objects) {
    std::vector<Offset<Table>> offsets;
    offsets.reserve(objects.size());
    for (const auto& object : objects) offsets.push_back(write_object(*object));
    return builder_.CreateVector(offsets);
  }

  Offset<flatbuffers::String> text(const std::string& text) { return builder_.CreateString(text); }

  template <typename Object>
  Offset<typename Object::TableType> write_object(const Object& object) {
    return Object::TableType::Pack(builder_, &object);
  }

  Offset<schema::SubGraph> write_object(const schema::SubGraphT& subgraph) {
    const auto tensors = list<schema::Tensor>(subgraph.tensors);
    const auto inputs = builder_.CreateVector(subgraph.inputs);
    const auto outputs = builder_.CreateVector(subgraph.outputs);
    const auto operators = list<schema::Operator>(subgraph.operators);
    return schema::CreateSubGraph(builder_, tensors, inputs, outputs, operators,
                                  text(subgraph.name), subgraph.debug_metadata_index);
  }

  Offset<schema::SignatureDef> write_object(const schema::SignatureDefT& signature) {
    const auto inputs = list<schema::TensorMap>(signature.inputs);
    const auto outputs = list<schema::TensorMap>(signature.outputs);
    const auto key = text(signature.signature_key);
    return schema::CreateSignatureDef(builder_, inputs, outputs, key,
                                      text(signature.deprecated_tag), signature.subgraph_index);
  }

  Offset<schema::TensorMap> write_object(const schema::TensorMapT& entry) {
    return schema::CreateTensorMap(builder_, text(entry.name), entry.tensor_index);
  }

  FlatBufferBuilder builder_;
};

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
  std::vector<std::byte> bytes = ModelWriter().write(model.tree);
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
