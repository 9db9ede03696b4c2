#include "bench/timed_program.h"

#include <chrono>

#include "graph/tensor.h"

namespace lockstep::bench {

Result<TimedProgram> TimedProgram::create(backend::Device& device, const graph::LoweredGraph& graph,
                                          const std::string& kernel,
                                          std::vector<std::vector<std::byte>> inputs, What what) {
  backend::CompileOptions options;
  options.kernel = kernel;
  options.profile = what == What::kDispatches;
  auto program = device.compile(graph, options);
  if (!program) return tl::unexpected(program.error());
  TimedProgram timed;
  timed.clock_ = what == What::kDispatches ? Clock::kTimestamps : Clock::kHost;
  timed.program_ = std::move(*program);
  timed.inputs_ = std::move(inputs);
  for (const int32_t output : graph.outputs) {
    const graph::LoweredTensor& tensor = graph.tensors[static_cast<size_t>(output)];
    const auto elements = static_cast<size_t>(*graph::element_count(tensor.shape));
    timed.outputs_.emplace_back(elements * graph::data_type_size(tensor.type));
  }
  // The vectors' contents stay where they are when the object moves.
  for (const auto& each : timed.inputs_) timed.input_spans_.emplace_back(each);
  for (auto& each : timed.outputs_) timed.output_spans_.emplace_back(each);
  return timed;
}

TimedProgram::Clock TimedProgram::clock_of(const backend::RunProfile& profile) {
  switch (profile.clock) {
    case backend::RunProfile::Clock::kTimestamps:
      return Clock::kTimestamps;
    case backend::RunProfile::Clock::kSubmissions:
      return Clock::kSubmissions;
    case backend::RunProfile::Clock::kHost:
      break;
  }
  return Clock::kOperators;
}

Result<double> TimedProgram::run() {
  if (clock_ != Clock::kHost) {
    const auto profile = program_->profile(input_spans_, output_spans_);
    if (profile) {
      clock_ = clock_of(*profile);
      double microseconds = 0;
      for (const backend::DispatchTime& dispatch : profile->dispatches) {
        if (dispatch.operator_index >= 0) microseconds += dispatch.end_us - dispatch.begin_us;
      }
      return microseconds * 1e-6;
    }
    if (profile.error().code != ErrorCode::kUnsupported) return tl::unexpected(profile.error());
    clock_ = Clock::kHost;
  }
  const auto start = std::chrono::steady_clock::now();
  if (Status status = program_->run(input_spans_, output_spans_); !status) {
    return tl::unexpected(status.error());
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string TimedProgram::clock_name() const {
  switch (clock_) {
    case Clock::kTimestamps:
      return "device timestamps";
    case Clock::kSubmissions:
      return "host clock, each dispatch submitted on its own: the device has no timestamps";
    case Clock::kOperators:
      return "the processor's own clock, operators without copies of inputs and outputs";
    case Clock::kHost:
      return "host clock, whole runs";
  }
  return {};
}

}  // namespace lockstep::bench
