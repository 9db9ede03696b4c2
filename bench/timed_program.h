// A compiled graph with its inputs and outputs, ready to be timed run by run.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::bench {

class TimedProgram {
 public:
  enum class What : uint8_t {
    kDispatches,  // by the device's clock, without copies of inputs and outputs; on a device that
                  // cannot tell, as kWholeRuns
    kWholeRuns,   // by the host's clock, everything included
  };

  // `kernel` as CompileOptions::kernel. inputs[i]: the bytes of graph.inputs[i].
  static Result<TimedProgram> create(backend::Device& device, const graph::LoweredGraph& graph,
                                     const std::string& kernel,
                                     std::vector<std::vector<std::byte>> inputs, What what);

  // One inference; its seconds.
  Result<double> run();

  // Of the last run.
  std::span<const std::byte> output(size_t index) const { return outputs_[index]; }

  // What the seconds are, for a reader.
  std::string clock_name() const;

 private:
  enum class Clock : uint8_t { kTimestamps, kSubmissions, kOperators, kHost };
  static Clock clock_of(const backend::RunProfile& profile);

  TimedProgram() = default;

  std::unique_ptr<backend::Program> program_;
  std::vector<std::vector<std::byte>> inputs_;
  std::vector<std::vector<std::byte>> outputs_;
  std::vector<std::span<const std::byte>> input_spans_;
  std::vector<std::span<std::byte>> output_spans_;
  Clock clock_ = Clock::kTimestamps;
};

}  // namespace lockstep::bench
