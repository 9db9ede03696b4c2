// The options of the TFLite plugin, as text from its host.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "backend/device.h"
#include "delegate_api/partitioner.h"
#include "graph/status.h"

namespace lockstep::delegate {

enum class LogLevel : uint8_t { kOff, kError, kWarn, kInfo, kDebug };

struct PluginOptions {
  std::string device;                     // device=       see backend::open_device
  backend::DeviceOptions device_options;  // mask=, cache_dir= (default: default_cache_folder()),
                                          // threads= (of this processor)
  bool tune = false;                      // tune=0|1      see backend::CompileOptions
  PartitionOptions partition;             // numerics=, max_partitions=, min_nodes=,
                                          // allow_ops=A,B  deny_ops=A,B
  LogLevel log_level = LogLevel::kWarn;   // log_level=off|error|warn|info|debug
  std::string report;                     // report=FILE   where each operator went, as JSON
  std::string profile;                    // profile=FILE  where the time of each run goes, as a
                                          //               trace for ui.perfetto.dev; runs take
                                          //               longer, see profile_trace.h
};

// kInvalidArgument for a key or a value that is none, or a key given twice; the message lists what
// is valid.
Result<PluginOptions> parse_plugin_options(
    std::span<const std::pair<std::string_view, std::string_view>> options);

}  // namespace lockstep::delegate
