#include "conformance/device_subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <variant>

#include "backend/registry.h"
#include "conformance/digest.h"
#include "conformance/graph_segments.h"
#include "host_ref/interpreter.h"
#include "shaders/embedded_shaders.h"

namespace lockstep::conformance {
namespace {

// What is hidden from a device so that it stands in for smaller ones, or for one that prefers other
// kernels. A mask that a backend does not know, or that changes nothing on this device, is left
// out.
constexpr std::string_view kMasks[] = {"isa=sse4",
                                       "isa=avx2",
                                       "isa=avx512",
                                       "isa=avx512-vnni",
                                       "isa=neon",
                                       "isa=dotprod",
                                       "int-dot",
                                       "cooperative-matrix",
                                       "int8",
                                       "subgroup",
                                       "shared-memory=16384",
                                       "invocations=128",
                                       "workgroups=3",
                                       "unified-memory",
                                       "subgroup-size=4",
                                       "subgroup-size=8",
                                       "subgroup-size=16",
                                       "subgroup-size=32",
                                       "subgroup-size=64",
                                       "subgroup-size=128",
                                       "device-class=nvidia",
                                       "all"};

// These change where tensors are kept and how they get there, which is the same for every kernel,
// or which kernel is chosen, so they are tried with the device's own choice only: every kernel once
// more would double time and memory. What else "all" hides has masks of its own. The class's choice
// counts in networks, whose kernels are not forced: it brings what GPUs run to processors' drivers.
constexpr std::string_view kOwnChoiceMasks[] = {"unified-memory", "device-class=nvidia", "all"};

// What the memory of the guarded program holds before its first run; that of the other one holds
// zeros, so that a result that depends on it is not the same twice.
constexpr uint8_t kFill = 0xa5;
constexpr size_t kPrograms = 2;

using Bytes = std::vector<std::byte>;

size_t byte_count(const graph::LoweredTensor& tensor) {
  return static_cast<size_t>(graph::element_count(tensor.shape).value_or(0)) *
         graph::data_type_size(tensor.type);
}

// How a case is computed on a device.
struct CasePlan {
  std::vector<GraphSegment> segments;
  size_t output_count = 0;  // of the lowered graph's outputs, from the first one on
};

// A case of one operator is about that operator: the host does not help out. In larger graphs it
// computes what the device does not, but never accumulators, which would say nothing of the device.
Result<CasePlan> plan_case(const LoweredCase& lowered, const backend::Device& device) {
  const graph::LoweredGraph& graph = lowered.graph;
  const std::set<int32_t> accumulators(
      graph.outputs.begin() + static_cast<ptrdiff_t>(lowered.output_count), graph.outputs.end());
  const auto is_accumulator_copy = [&](const graph::LoweredOperator& op) {
    return accumulators.contains(graph::operation_output(op.operation));
  };
  std::vector<bool> is_on_device;
  std::optional<Error> refusal;
  bool shows_accumulators = true;
  for (const graph::LoweredOperator& op : graph.operators) {
    const Status status = device.supports(graph, op);
    if (!status && status.error().code != ErrorCode::kUnsupported) {
      return tl::unexpected(status.error());
    }
    is_on_device.push_back(status.has_value());
    if (status) continue;
    if (is_accumulator_copy(op)) {
      shows_accumulators = false;
    } else if (!refusal) {
      refusal = status.error();
    }
  }
  if (refusal && (lowered.source->graph.operators.size() == 1 ||
                  std::ranges::find(is_on_device, true) == is_on_device.end())) {
    return tl::unexpected(*refusal);
  }
  if (shows_accumulators) return CasePlan{split_graph(graph, is_on_device), graph.outputs.size()};
  graph::LoweredGraph without_accumulators = graph;
  without_accumulators.outputs.resize(lowered.output_count);
  without_accumulators.operators.clear();
  std::vector<bool> remaining_on_device;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    if (is_accumulator_copy(graph.operators[i])) continue;
    without_accumulators.operators.push_back(graph.operators[i]);
    remaining_on_device.push_back(is_on_device[i]);
  }
  return CasePlan{split_graph(without_accumulators, remaining_on_device), lowered.output_count};
}

// Every kernel that could compute one of the operators, in the order of the operators.
std::vector<std::string> kernels_of(const graph::LoweredGraph& graph,
                                    const backend::Device& device) {
  std::vector<std::string> names;
  for (const graph::LoweredOperator& op : graph.operators) {
    const auto kernels = device.kernels(graph, op);
    if (!kernels) continue;
    for (const std::string& name : *kernels) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

// The programs that take turns. The first has guards around every tensor and so no tensor where
// another was; the second shares memory as users' programs do, and turns around what no barrier
// orders.
backend::CompileOptions compile_options(const std::string& kernel, size_t program) {
  if (program == 0) return {.kernel = kernel, .guard_memory = true, .fill = kFill};
  return {.kernel = kernel, .reverse_unordered = true};
}

// Equal for two ways to compute a case if and only if the device does the very same.
Result<Digest> fingerprint_of(const CasePlan& plan, const backend::Device& device,
                              const std::string& kernel) {
  DigestBuilder builder;
  for (const GraphSegment& segment : plan.segments) {
    if (!segment.is_on_device) continue;
    const auto text = device.fingerprint(segment.graph, compile_options(kernel, 0));
    if (!text) return tl::unexpected(text.error());
    builder.add(*text);
  }
  return builder.finish();
}

// A plan made ready to run.
class CompiledCase {
 public:
  static Result<CompiledCase> compile(const CasePlan& plan, backend::Device& device,
                                      const backend::CompileOptions& options) {
    CompiledCase compiled;
    compiled.plan_ = &plan;
    for (const GraphSegment& segment : plan.segments) {
      if (segment.is_on_device) {
        auto program = device.compile(segment.graph, options);
        if (!program) return tl::unexpected(program.error());
        compiled.steps_.emplace_back(std::move(*program));
      } else {
        auto interpreter = host_ref::Interpreter::create(segment.graph);
        if (!interpreter) return tl::unexpected(interpreter.error());
        compiled.steps_.emplace_back(std::move(*interpreter));
      }
    }
    return compiled;
  }

  // The outputs of `graph` that the plan promises.
  Result<std::vector<Bytes>> run(const graph::LoweredGraph& graph, std::span<const Bytes> inputs) {
    std::map<int32_t, Bytes> tensors;
    for (size_t i = 0; i < graph.inputs.size(); ++i) tensors[graph.inputs[i]] = inputs[i];
    for (size_t i = 0; i < steps_.size(); ++i) {
      const graph::LoweredGraph& segment = plan_->segments[i].graph;
      const Status status =
          std::visit([&](auto& step) { return run_step(segment, step, tensors); }, steps_[i]);
      if (!status) return tl::unexpected(status.error());
    }
    std::vector<Bytes> outputs;
    for (size_t i = 0; i < plan_->output_count; ++i) outputs.push_back(tensors[graph.outputs[i]]);
    return outputs;
  }

  std::string kernels() const {
    std::vector<std::string> names;
    const auto add = [&](const std::string& name) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    };
    for (const Step& step : steps_) {
      if (const auto* program = std::get_if<std::unique_ptr<backend::Program>>(&step)) {
        for (const auto& placement : (*program)->placements()) add(placement.variant);
      } else {
        add("host");
      }
    }
    return fmt::format("{}", fmt::join(names, ","));
  }

 private:
  using Step = std::variant<std::unique_ptr<backend::Program>, host_ref::Interpreter>;

  static Status run_step(const graph::LoweredGraph& segment,
                         std::unique_ptr<backend::Program>& program,
                         std::map<int32_t, Bytes>& tensors) {
    std::vector<std::span<const std::byte>> inputs;
    for (const int32_t input : segment.inputs) inputs.emplace_back(tensors[input]);
    std::vector<std::span<std::byte>> outputs;
    for (const int32_t output : segment.outputs) {
      Bytes& bytes = tensors[output];
      bytes.assign(byte_count(segment.tensors[static_cast<size_t>(output)]), std::byte{});
      outputs.emplace_back(bytes);
    }
    return program->run(inputs, outputs);
  }

  static Status run_step(const graph::LoweredGraph& segment, host_ref::Interpreter& interpreter,
                         std::map<int32_t, Bytes>& tensors) {
    for (size_t i = 0; i < segment.inputs.size(); ++i) {
      if (Status status = interpreter.set_input(i, tensors[segment.inputs[i]]); !status) {
        return status;
      }
    }
    if (Status status = interpreter.run(); !status) return status;
    for (const int32_t output : segment.outputs) {
      auto bytes = interpreter.tensor(output);
      if (!bytes) return tl::unexpected(bytes.error());
      tensors[output] = std::move(*bytes);
    }
    return {};
  }

  const CasePlan* plan_ = nullptr;
  std::vector<Step> steps_;  // one for each segment
};

// Other inputs of the same sizes, differing in every element.
std::vector<Bytes> other_inputs(std::vector<Bytes> inputs) {
  for (Bytes& input : inputs) {
    for (std::byte& byte : input) byte = ~byte;
  }
  return inputs;
}

class DeviceSubject final : public Subject {
 public:
  static Result<std::unique_ptr<DeviceSubject>> open(std::string_view selector) {
    auto device = backend::open_device(selector, {});
    if (!device) return tl::unexpected(device.error());
    std::unique_ptr<DeviceSubject> subject(new DeviceSubject);
    subject->description_.selector = selector;
    subject->description_.device = (*device)->description();
    if (subject->description_.device.backend == "vulkan") {
      for (const std::string_view name : shaders::names()) {
        const Digest digest = digest_of(std::as_bytes(shaders::find(name)));
        subject->description_.shaders.emplace_back(name, digest.hex());
      }
    }
    subject->devices_.push_back({"", std::move(*device)});
    subject->open_masked_devices();
    return subject;
  }

  const SubjectDescription& description() const override { return description_; }

  Result<std::vector<ConfigurationGroup>> configurations(const LoweredCase& lowered) override {
    std::vector<ConfigurationGroup> groups;
    std::map<Digest, size_t> group_of_fingerprint;
    std::optional<Error> refusal;
    const bool is_single_operator = lowered.source->graph.operators.size() == 1;
    for (MaskedDevice& masked : devices_) {
      auto device = ready_device(masked);
      if (!device) return tl::unexpected(device.error());
      const auto plan = plan_case(lowered, **device);
      if (!plan) {
        if (plan.error().code != ErrorCode::kUnsupported) return tl::unexpected(plan.error());
        if (!refusal) refusal = plan.error();
        continue;
      }
      std::vector<std::string> kernels = {""};
      if (is_single_operator &&
          std::ranges::find(kOwnChoiceMasks, masked.mask) == std::end(kOwnChoiceMasks)) {
        std::ranges::move(kernels_of(lowered.graph, **device), std::back_inserter(kernels));
      }
      for (const std::string& kernel : kernels) {
        const Configuration configuration{masked.mask, kernel};
        const auto fingerprint = fingerprint_of(*plan, **device, kernel);
        // What fails here fails in run() too, where it gets its verdict.
        if (!fingerprint) {
          groups.push_back({configuration, {}});
          continue;
        }
        const auto [known, is_new] = group_of_fingerprint.emplace(*fingerprint, groups.size());
        if (is_new) {
          groups.push_back({configuration, {}});
        } else {
          groups[known->second].equivalent.push_back(configuration);
        }
      }
    }
    if (groups.empty()) return tl::unexpected(*refusal);
    return groups;
  }

  // Two programs over memory filled differently take turns, and every run but the first one follows
  // a run of its program on other inputs, whose remains would show.
  Result<std::vector<Observation>> run(const LoweredCase& lowered,
                                       const Configuration& configuration,
                                       int32_t repetitions) override {
    const auto masked = std::ranges::find(devices_, configuration.mask, &MaskedDevice::mask);
    if (masked == devices_.end()) {
      return make_error(ErrorCode::kUnsupported, "the device has no capability set '{}'",
                        configuration.mask);
    }
    auto observations = run_on(*masked, lowered, configuration.kernel, repetitions);
    if (!observations && observations.error().code == ErrorCode::kDeviceLost) {
      masked->device.reset();
    }
    return observations;
  }

 private:
  struct MaskedDevice {
    std::string mask;
    std::shared_ptr<backend::Device> device;  // null: lost, opened again when it is needed
  };

  DeviceSubject() = default;

  void open_masked_devices() {
    std::set<std::vector<std::pair<std::string, std::string>>> known{
        description_.device.capabilities};
    for (const std::string_view mask : kMasks) {
      auto device =
          backend::open_device(description_.selector, {.mask = std::string(mask), .cache_dir = {}});
      if (device && known.insert((*device)->description().capabilities).second) {
        devices_.push_back({std::string(mask), std::move(*device)});
      }
    }
  }

  Result<backend::Device*> ready_device(MaskedDevice& masked) const {
    if (!masked.device) {
      auto device =
          backend::open_device(description_.selector, {.mask = masked.mask, .cache_dir = {}});
      if (!device) return tl::unexpected(device.error());
      masked.device = std::move(*device);
    }
    return masked.device.get();
  }

  Result<std::vector<Observation>> run_on(MaskedDevice& masked, const LoweredCase& lowered,
                                          const std::string& kernel, int32_t repetitions) const {
    auto device = ready_device(masked);
    if (!device) return tl::unexpected(device.error());
    const auto plan = plan_case(lowered, **device);
    if (!plan) return tl::unexpected(plan.error());
    const std::vector<Bytes> others = other_inputs(lowered.source->inputs);
    std::vector<CompiledCase> programs;
    std::vector<Observation> observations;
    for (size_t repetition = 0; repetition < static_cast<size_t>(repetitions); ++repetition) {
      const size_t index = repetition % kPrograms;
      if (index == programs.size()) {
        auto compiled = CompiledCase::compile(*plan, **device, compile_options(kernel, index));
        if (!compiled) return tl::unexpected(compiled.error());
        programs.push_back(std::move(*compiled));
      }
      CompiledCase& program = programs[index];
      if (repetition > 0) {
        if (auto ignored = program.run(lowered.graph, others); !ignored) {
          return tl::unexpected(ignored.error());
        }
      }
      auto outputs = program.run(lowered.graph, lowered.source->inputs);
      if (!outputs) return tl::unexpected(outputs.error());
      observations.push_back({std::move(*outputs), program.kernels()});
    }
    return observations;
  }

  SubjectDescription description_;
  std::vector<MaskedDevice> devices_;  // the first one is the device as it is
};

}  // namespace

Result<std::unique_ptr<Subject>> open_device_subject(std::string_view selector) {
  return DeviceSubject::open(selector);
}

}  // namespace lockstep::conformance
