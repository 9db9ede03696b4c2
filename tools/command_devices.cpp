// lockstep devices: what this machine can run on.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "backend/registry.h"
#include "conformance/report.h"
#include "tools/command.h"
#include "tools/json_output.h"
#include "tools/table.h"

namespace lockstep::tools {
namespace {

struct DevicesOptions {
  bool capabilities = false;
  bool json = false;
};

nlohmann::json to_json(size_t index, const backend::DeviceDescription& device) {
  nlohmann::json capabilities = nlohmann::json::object();
  for (const auto& [name, value] : device.capabilities) capabilities[name] = value;
  nlohmann::json described = conformance::device_to_json(device);
  described["index"] = index;
  described["capabilities"] = std::move(capabilities);
  return described;
}

int run_devices(const DevicesOptions& options) {
  std::vector<std::string> problems;
  const std::vector<backend::DeviceDescription> devices = backend::list_devices(&problems);
  if (options.json) {
    nlohmann::json list = nlohmann::json::array();
    for (size_t i = 0; i < devices.size(); ++i) list.push_back(to_json(i, devices[i]));
    print_json({{"devices", list}, {"problems", problems}});
    return kSuccess;
  }
  Table table({{.title = "index", .align = Align::kRight},
               {.title = "backend"},
               {.title = "name"},
               {.title = "kind"},
               {.title = "driver"},
               {.title = "API"}});
  for (size_t i = 0; i < devices.size(); ++i) {
    const backend::DeviceDescription& device = devices[i];
    table.add_row({fmt::format("{}", i), device.backend, device.name,
                   std::string(backend::device_kind_name(device.kind)), device.driver,
                   device.api_version});
  }
  fmt::print("{}", table.to_string());
  if (options.capabilities) {
    for (size_t i = 0; i < devices.size(); ++i) {
      if (devices[i].capabilities.empty()) continue;
      Table details({{.title = "capability"}, {.title = "value"}});
      for (const auto& [name, value] : devices[i].capabilities) details.add_row({name, value});
      fmt::print("\n{}: {}\n{}", i, devices[i].name, details.to_string());
    }
  }
  for (const std::string& problem : problems) fmt::print("\nnote: {}\n", problem);
  return kSuccess;
}

}  // namespace

void add_devices_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DevicesOptions>();
  CLI::App& command =
      *app.add_subcommand("devices", "List the devices that networks can run on, best first");
  command.add_flag("--capabilities", options->capabilities,
                   "Also list what kernels may use of each device");
  command.add_flag("--json", options->json, "Print JSON");
  command.footer(
      "Pick a device with --device INDEX, --device NAME (part of a name is enough) or the\n"
      "environment variable LOCKSTEP_DEVICE; 'ref' is the host's reference.");
  command.callback([options, &exit_code] { exit_code = run_devices(*options); });
}

}  // namespace lockstep::tools
