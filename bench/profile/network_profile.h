// Where the time of a network on a device goes, operator by operator.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backend/device.h"
#include "bench/roofline.h"
#include "bench/statistics.h"
#include "delegate_api/engine.h"
#include "delegate_api/partitioner.h"
#include "delegate_api/profile_trace.h"
#include "graph/graph.h"
#include "graph/status.h"

namespace lockstep::bench {

// One operator of the network; what is not on the device has no times.
struct OperatorProfile {
  size_t index = 0;         // Graph::operators
  std::string name;         // "CONV_2D"
  std::string output_name;  // of its first output tensor
  int32_t partition = -1;   // -1: not on the device
  std::string kernel;
  std::string reason;         // why it is not on the device
  double median_seconds = 0;  // of all its dispatches together
  double p95_seconds = 0;
  double share = 0;        // of the sum over all operators and copies, 0 to 1
  int64_t dispatches = 0;  // 0 on the device: it costs nothing, or another operator's kernel
                           // computes it too
  Work work;               // bytes: what its dispatches are bound to
  double gops = 0;
  double percent_of_roofline = 0;  // 0 where the roofline is unknown
};

struct NetworkProfile {
  backend::DeviceDescription device;
  backend::RunProfile::Clock clock = backend::RunProfile::Clock::kTimestamps;
  Roofline roofline;
  size_t runs = 0;
  size_t partitions = 0;
  std::vector<OperatorProfile> operators;  // all of the network, in its order
  // Medians over the runs, summed over the partitions.
  double copies_seconds = 0;  // device commands that bring inputs and outputs
  double device_seconds = 0;  // operators and copies
  double host_seconds = 0;    // the profiled runs as the host sees them
  // The engine's whole run without profiling, host operators included, in the same minutes: what a
  // user waits for.
  double run_seconds = 0;
};

struct ProfileOptions {
  delegate::PartitionOptions partition;
  backend::CompileOptions compile;
  int runs = 20;
  Roofline roofline;
  // Every profiled run is added to it; may be null.
  delegate::ProfileTrace* trace = nullptr;
};

// Partitions the network as the engine does, gives each partition the contents that host_ref makes
// of random inputs, and profiles it. kUnsupported where the device takes nothing, or cannot tell
// where time goes.
Result<NetworkProfile> profile_network(const graph::Graph& graph,
                                       const std::shared_ptr<backend::Device>& device,
                                       const ProfileOptions& options);

}  // namespace lockstep::bench
