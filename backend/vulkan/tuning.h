// The autotuner: which kernel of an operator is the fastest on this device, by measurement.
//
// Every distinct operator that several kernels compute is made into a network of its own and
// compiled once for each of them; they take turns, several rounds, and the least time of each
// counts. A kernel whose output differs from that of the heuristics' choice is never chosen, and
// the log says so: speed is only worth something among equal bits.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "backend/device.h"
#include "backend/vulkan/capabilities.h"
#include "backend/vulkan/device_cache.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::backend::vulkan {

// What decides how long an operator takes: its kind, all extents, its window, how its accumulators
// end, and whether its weights have zero points. Operators with the same text share one choice.
std::string operator_signature(const graph::LoweredGraph& graph, const graph::LoweredOperator& op);

// The choices for one device with one set of capabilities. Thread-safe.
class TuningStore {
 public:
  // Reads what `cache` holds. Must not outlive it.
  TuningStore(DeviceCache& cache, const Capabilities& capabilities);
  TuningStore(const TuningStore&) = delete;
  TuningStore& operator=(const TuningStore&) = delete;

  bool is_empty() const;

  // The fastest kernel; empty where nobody has measured.
  std::string choice(const std::string& signature) const;

  // Keeps a choice, also on disk, together with what other processes have found meanwhile.
  void record(const std::string& signature, const std::string& kernel);

 private:
  using Choices = std::map<std::string, std::string>;  // kernel by signature

  static void parse(std::span<const std::byte> contents, Choices& choices);

  DeviceCache& cache_;
  const std::string capabilities_;  // as text: a masked device has choices of its own
  mutable std::mutex mutex_;
  Choices choices_;
};

// Runs a program once; microseconds that its kernels took. `program` was compiled with
// CompileOptions::profile and computes one operator.
using MeasureProgram = std::function<Result<double>(
    Program& program, std::span<const std::span<const std::byte>> inputs,
    std::span<const std::span<std::byte>> outputs)>;

// By the device's timestamps, and by the clock on the wall where the program has none.
Result<double> measure_program(Program& program, std::span<const std::span<const std::byte>> inputs,
                               std::span<const std::span<std::byte>> outputs);

// Records a choice for every operator of the graph that has several kernels and none recorded.
// Whatever goes wrong on the way is told to the log and leaves the operator to the heuristics.
void tune(Device& device, const graph::LoweredGraph& graph, TuningStore& store, const Log& log,
          const MeasureProgram& measure = measure_program);

}  // namespace lockstep::backend::vulkan
