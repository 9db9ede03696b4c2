#include "tools/network_file.h"

#include <string_view>

#include "delegate_api/whole_file.h"

namespace lockstep::tools {

Result<size_t> write_network(const graph::EditableModel& model, const std::filesystem::path& path) {
  const auto bytes = graph::write_editable_model(model);
  if (!bytes) {
    return make_error(bytes.error().code, "{}: {}", path.string(), bytes.error().message);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  if (auto status = delegate::write_whole_file(path.string(), text, "the network"); !status) {
    return tl::unexpected(status.error());
  }
  return bytes->size();
}

}  // namespace lockstep::tools
