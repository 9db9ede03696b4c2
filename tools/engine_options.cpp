#include "tools/engine_options.h"

#include <CLI/CLI.hpp>

#include "backend/registry.h"

namespace lockstep::tools {

void DeviceSelection::add_options(CLI::App& command, const std::string& default_device) {
  command.add_option("--device", device,
                     "Device name, index or 'ref' (default: " + default_device + ")");
  command
      .add_option("--numerics", numerics,
                  "Whose rounding to reproduce: tflite, litert, reference or single")
      ->check(CLI::IsMember({"tflite", "litert", "reference", "single"}))
      ->capture_default_str();
  command.add_option("--mask", options.mask,
                     "Capabilities to hide, comma-separated ('int-dot', 'invocations=128', 'all')");
  command.add_option("--cache-dir", options.cache_dir, "Folder of pipeline caches");
}

Result<std::shared_ptr<backend::Device>> DeviceSelection::open() const {
  return backend::open_device(device, options);
}

Result<numerics::Contract> DeviceSelection::contract() const {
  const auto contract = numerics::parse_contract(numerics);
  if (!contract) {
    return make_error(ErrorCode::kInvalidArgument, "unknown numerics '{}'", numerics);
  }
  return *contract;
}

}  // namespace lockstep::tools
