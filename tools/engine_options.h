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
  std::string mask;
  std::string cache_dir;
  int32_t threads = 0;
  bool tune = false;
  bool no_fusion = false;

  // Adds --device, --numerics, --mask, --cache-dir and --threads. `default_device` is what help calls it.
  void add_options(CLI::App& command, const std::string& default_device);
  // Adds --tune and --no-fusion, for commands that compile networks.
  void add_compile_options(CLI::App& command);

  // With a log that writes to stderr.
  backend::DeviceOptions device_options() const;
  // `tune` and `no_fusion` are in here.
  backend::CompileOptions compile_options() const;

  Result<std::shared_ptr<backend::Device>> open() const;
  Result<numerics::Contract> contract() const;
};

// Adds --cache-dir, whose default is default_cache_folder().
void add_cache_option(CLI::App& command, std::string& cache_dir);
void add_threads_option(CLI::App& command, int32_t& threads);

void log_to_stderr(backend::LogSeverity severity, const std::string& message);

}  // namespace lockstep::tools
