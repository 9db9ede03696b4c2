// Options shared by the commands that open a device and choose a contract.
#pragma once

#include <memory>
#include <string>

#include "backend/device.h"
#include "delegate_api/partitioner.h"
#include "graph/status.h"

namespace CLI {
class App;
}

namespace lockstep::tools {

struct DeviceSelection {
  std::string device;
  std::string numerics = "tflite";
  backend::DeviceOptions options;

  // Adds --device, --numerics, --mask and --cache-dir. `default_device` is what help calls it.
  void add_options(CLI::App& command, const std::string& default_device);

  Result<std::shared_ptr<backend::Device>> open() const;
  Result<numerics::Contract> contract() const;
};

}  // namespace lockstep::tools
