#include "tools/engine_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "backend/cache_file.h"
#include "backend/registry.h"

namespace lockstep::tools {

void DeviceSelection::add_options(CLI::App& command, const std::string& default_device) {
  command.add_option("--device", device,
                     "Device name, index, 'cpu' or 'ref' (default: " + default_device + ")");
  command
      .add_option("--numerics", numerics,
                  "Whose rounding to reproduce: tflite, litert, reference or single")
      ->check(CLI::IsMember({"tflite", "litert", "reference", "single"}))
      ->capture_default_str();
  command.add_option(
      "--mask", mask,
      "Capabilities to hide, comma-separated ('int-dot', 'invocations=128', 'all'; 'isa=avx2')");
  add_cache_option(command, cache_dir);
  add_threads_option(command, threads);
}

void add_threads_option(CLI::App& command, int32_t& threads) {
  command
      .add_option("--threads", threads,
                  "Threads of what this processor computes (default: one for each physical core)")
      ->check(CLI::Range(1, 1024));
}

void add_cache_option(CLI::App& command, std::string& cache_dir) {
  cache_dir = backend::default_cache_folder();
  command
      .add_option("--cache-dir", cache_dir,
                  "Folder for compiled pipelines and measured choices; '' keeps nothing")
      ->capture_default_str();
}

void DeviceSelection::add_compile_options(CLI::App& command) {
  command.add_flag("--tune", tune,
                   "First measure which kernels are the fastest, and keep that in --cache-dir");
  command.add_flag("--no-fusion", no_fusion, "Compute every operator by itself");
}

backend::DeviceOptions DeviceSelection::device_options() const {
  return {.mask = mask, .cache_dir = cache_dir, .threads = threads, .log = log_to_stderr};
}

backend::CompileOptions DeviceSelection::compile_options() const {
  backend::CompileOptions options;
  options.tune = tune;
  options.fuse = !no_fusion;
  return options;
}

void log_to_stderr(backend::LogSeverity severity, const std::string& message) {
  fmt::print(stderr, "lockstep{}: {}\n",
             severity == backend::LogSeverity::kWarning ? " warning" : "", message);
}

Result<std::shared_ptr<backend::Device>> DeviceSelection::open() const {
  return backend::open_device(device, device_options());
}

Result<numerics::Contract> DeviceSelection::contract() const {
  const auto contract = numerics::parse_contract(numerics);
  if (!contract) {
    return make_error(ErrorCode::kInvalidArgument, "unknown numerics '{}'", numerics);
  }
  return *contract;
}

}  // namespace lockstep::tools
