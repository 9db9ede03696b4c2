#include "quantization/calibration.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"

namespace lockstep::quantization {
namespace {

// Channels of tensors with more are not told apart: it would cost more memory than the tensor's
// histogram.
constexpr int32_t kMaximumChannels = 1 << 16;

size_t observed_channels(const graph::Shape& shape) {
  const bool are_told_apart =
      shape.size() >= 2 && shape.back() > 0 && shape.back() <= kMaximumChannels;
  return are_told_apart ? static_cast<size_t>(shape.back()) : 1;
}

// Feeds one network with samples and its tensors to their observers.
class CalibrationRun {
 public:
  CalibrationRun(const graph::Graph& graph, host_ref::TfliteInterpreter& interpreter)
      : graph_(graph), interpreter_(interpreter) {
    for (const int32_t input : graph.inputs) observe(input);
    for (const int32_t output : graph.outputs) observe(output);
  }

  Status run(const Sample& sample, const std::string& name) {
    if (sample.size() != graph_.inputs.size()) {
      return make_error(ErrorCode::kInvalidArgument,
                        "sample '{}' has {} inputs, the network takes {}", name, sample.size(),
                        graph_.inputs.size());
    }
    for (size_t i = 0; i < sample.size(); ++i) {
      if (Status status = interpreter_.set_input(i, sample[i]); !status) {
        return make_error(status.error().code, "sample '{}': {}", name, status.error().message);
      }
      if (Status status = add(graph_.inputs[i], sample[i], name); !status) return status;
    }
    if (Status status = interpreter_.invoke(); !status) {
      return make_error(status.error().code, "sample '{}': {}", name, status.error().message);
    }
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      const int32_t tensor = graph_.outputs[i];
      if (is_input(tensor)) continue;
      if (Status status = add(tensor, interpreter_.output(i).data, name); !status) return status;
    }
    return {};
  }

  std::map<int32_t, TensorObserver> take_observers() { return std::move(observers_); }

 private:
  void observe(int32_t index) {
    const graph::Tensor& tensor = graph_.tensors[static_cast<size_t>(index)];
    if (tensor.type != graph::DataType::kFloat32) return;
    observers_.try_emplace(index, graph::printable(tensor.name), observed_channels(tensor.shape));
  }

  bool is_input(int32_t tensor) const {
    return std::find(graph_.inputs.begin(), graph_.inputs.end(), tensor) != graph_.inputs.end();
  }

  Status add(int32_t tensor, std::span<const std::byte> bytes, const std::string& sample) {
    const auto observer = observers_.find(tensor);
    if (observer == observers_.end() || bytes.empty()) return {};
    values_.resize(bytes.size() / sizeof(float));
    std::memcpy(values_.data(), bytes.data(), values_.size() * sizeof(float));
    if (values_.size() % observer->second.channel_count() != 0) {
      return make_error(ErrorCode::kUnsupported,
                        "tensor '{}' has {} elements for sample '{}', which are no rows of {}: its "
                        "shape is known only at run time",
                        observer->second.name(), values_.size(), sample,
                        observer->second.channel_count());
    }
    const auto wrong = observer->second.add(values_);
    if (!wrong) return {};
    return make_error(ErrorCode::kInvalidArgument,
                      "tensor '{}' is {} at element {} for sample '{}': it has no range",
                      observer->second.name(), std::isnan(values_[*wrong]) ? "NaN" : "infinite",
                      *wrong, sample);
  }

  const graph::Graph& graph_;
  host_ref::TfliteInterpreter& interpreter_;
  std::map<int32_t, TensorObserver> observers_;
  std::vector<float> values_;
};

}  // namespace

Result<Calibration> calibrate(std::span<const std::byte> model,
                              const std::shared_ptr<const host_ref::TfliteLibrary>& library,
                              const SampleSource& samples, const CalibrationOptions& options) {
  if (samples.count == 0) {
    return make_error(ErrorCode::kInvalidArgument, "calibration needs samples, there are none");
  }
  const auto exposed = graph::expose_all_tensors(model);
  if (!exposed) return tl::unexpected(exposed.error());
  const auto graph = graph::read_tflite(*exposed, "the float network");
  if (!graph) return tl::unexpected(graph.error());
  const auto interpreter = host_ref::TfliteInterpreter::create(
      library, *exposed, {.threads = options.threads, .use_xnnpack = false, .plugin = {}});
  if (!interpreter) return tl::unexpected(interpreter.error());

  CalibrationRun run(*graph, **interpreter);
  for (size_t i = 0; i < samples.count; ++i) {
    const auto sample = samples.read(i);
    if (!sample) return tl::unexpected(sample.error());
    if (Status status = run.run(*sample, samples.name(i)); !status) {
      return tl::unexpected(status.error());
    }
    if (options.progress) options.progress(i + 1, samples.count);
  }
  return Calibration{.samples = samples.count, .tensors = run.take_observers()};
}

Ranges choose_ranges(const Calibration& calibration, const RangeOptions& options) {
  Ranges ranges;
  for (const auto& [tensor, observer] : calibration.tensors) {
    ranges[tensor] = choose_range(observer.histogram(), options);
  }
  return ranges;
}

}  // namespace lockstep::quantization
