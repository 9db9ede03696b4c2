#include "tools/network_editing.h"

#include <string_view>

#include "delegate_api/whole_file.h"
#include "graph/tflite_reader.h"

namespace lockstep::tools {

Result<NetworkToEdit> read_network_to_edit(const std::filesystem::path& path) {
  auto bytes = graph::read_tflite_file_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  if (const auto graph = graph::read_tflite(*bytes, path.string()); !graph) {
    return tl::unexpected(graph.error());
  }
  auto model = graph::read_editable_model(*bytes, path.string());
  if (!model) return tl::unexpected(model.error());
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
