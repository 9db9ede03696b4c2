#include "tools/network_editing.h"

#include <string_view>

#include "delegate_api/whole_file.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_tensors.h"

namespace lockstep::tools {
namespace {

// Some files count the scales of a tensor along a dimension that it does not have. TFLite 2.9
// refuses them; later versions, and we, take the dimension that has as many indices.
void name_scaled_dimensions(graph::schema::ModelT& model) {
  for (const auto& subgraph : model.subgraphs) {
    for (const auto& tensor : subgraph->tensors) {
      const auto read = graph::read_tensor(model, *tensor);
      if (!read || !read->quantization.is_per_axis()) continue;
      tensor->quantization->quantized_dimension = read->quantization.axis;
    }
  }
}

}  // namespace

Result<NetworkToEdit> read_network_to_edit(const std::filesystem::path& path) {
  auto bytes = graph::read_tflite_file_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  if (const auto graph = graph::read_tflite(*bytes, path.string()); !graph) {
    return tl::unexpected(graph.error());
  }
  auto model = graph::read_editable_model(*bytes, path.string());
  if (!model) return tl::unexpected(model.error());
  name_scaled_dimensions(model->tree);
  return NetworkToEdit{.bytes = std::move(*bytes), .model = std::move(*model)};
}

Result<std::vector<std::byte>> edited_file(const graph::EditableModel& model) {
  auto bytes = graph::write_editable_model(model);
  if (!bytes) return bytes;
  if (const auto graph = graph::read_tflite(*bytes, "the edited network"); !graph) {
    return make_error(ErrorCode::kInternal, "{}", graph.error().message);
  }
  return bytes;
}

Status write_network(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  const std::string_view contents(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return delegate::write_whole_file(path.string(), contents, "the network");
}

}  // namespace lockstep::tools
