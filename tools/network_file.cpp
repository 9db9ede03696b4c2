#include "tools/network_file.h"

#include <string_view>

#include "delegate_api/whole_file.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_tensors.h"

namespace lockstep::tools {
namespace {

// Some files count the scales of a tensor along a dimension that it does not have. TFLite 2.9
// refuses them; later versions, and we, take the dimension that has as many indices.
// Returns whether the network has any of them.
bool name_scaled_dimensions(graph::schema::ModelT& model) {
  bool has_any = false;
  for (const auto& subgraph : model.subgraphs) {
    for (const auto& tensor : subgraph->tensors) {
      const auto read = graph::read_tensor(model, *tensor);
      if (!read || !read->quantization.is_per_axis()) continue;
      int32_t& dimension = tensor->quantization->quantized_dimension;
      has_any |= dimension != read->quantization.axis;
      dimension = read->quantization.axis;
    }
  }
  return has_any;
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
  NetworkToEdit network{.bytes = std::move(*bytes), .model = std::move(*model)};
  if (name_scaled_dimensions(network.model.tree)) {
    auto repaired = network_bytes(network.model, path);
    if (!repaired) return tl::unexpected(repaired.error());
    network.bytes = std::move(*repaired);
  }
  return network;
}

Result<std::vector<std::byte>> network_bytes(const graph::EditableModel& model,
                                             const std::filesystem::path& path) {
  auto bytes = graph::write_editable_model(model);
  if (!bytes) {
    return make_error(bytes.error().code, "{}: {}", path.string(), bytes.error().message);
  }
  if (const auto graph = graph::read_tflite(*bytes, path.string()); !graph) {
    return make_error(ErrorCode::kInternal, "{}", graph.error().message);
  }
  return bytes;
}

Status write_network_bytes(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return delegate::write_whole_file(path.string(), text, "the network");
}

Result<size_t> write_network(const graph::EditableModel& model, const std::filesystem::path& path) {
  const auto bytes = network_bytes(model, path);
  if (!bytes) return tl::unexpected(bytes.error());
  if (Status status = write_network_bytes(*bytes, path); !status) {
    return tl::unexpected(status.error());
  }
  return bytes->size();
}

}  // namespace lockstep::tools
