#include "backend/vulkan/tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace lockstep::backend::vulkan {
namespace {

constexpr std::string_view kCacheKind = "tuning";
constexpr int kRounds = 7;
// After it no further round begins for an operator.
constexpr double kOperatorBudgetMicroseconds = 100'000;
// A kernel so much slower than the best is out: by the first factor after its second turn, by the
// second one after a few.
constexpr double kHopelessAtOnce = 30;
constexpr double kHopelessFactor = 2;
constexpr int kFairRounds = 4;
// A kernel so much slower than the best on two operators is not compiled for others, which are
// larger: it might take seconds there.
constexpr double kAbandonFactor = 4;
constexpr int kAbandonAfter = 2;
// What another kernel must gain over the heuristics' choice; less is noise.
constexpr double kNeededGain = 0.02;

// The operator as a network: tensors keep their numbers.
graph::LoweredGraph network_of(const graph::LoweredGraph& graph, const graph::LoweredOperator& op) {
  const std::vector<int32_t> inputs = graph::operation_inputs(op.operation);
  graph::LoweredGraph network;
  network.name = fmt::format("tuning of operator {} of {}", op.source_operator, graph.name);
  network.contract = graph.contract;
  for (const graph::LoweredTensor& tensor : graph.tensors) {
    network.tensors.push_back({tensor.name, tensor.type, tensor.shape, {}});
  }
  for (const int32_t input : inputs) {
    const auto index = static_cast<size_t>(input);
    network.tensors[index].constant = graph.tensors[index].constant;
    const bool is_new = std::ranges::find(network.inputs, input) == network.inputs.end();
    if (graph.tensors[index].constant.empty() && is_new) {
      network.inputs.push_back(input);
    }
  }
  network.operators = {op};
  network.outputs = {graph::operation_output(op.operation)};
  return network;
}

int64_t elements_of(const graph::LoweredGraph& graph, int32_t tensor) {
  return graph::element_count(graph.tensors[static_cast<size_t>(tensor)].shape).value_or(0);
}

size_t host_bytes(const graph::LoweredGraph& graph, int32_t tensor) {
  return static_cast<size_t>(elements_of(graph, tensor)) *
         graph::data_type_size(graph.tensors[static_cast<size_t>(tensor)].type);
}

// How much there is to do, roughly: only their order matters.
int64_t work_of(const graph::LoweredGraph& graph, const graph::LoweredOperator& op) {
  const int64_t outputs = elements_of(graph, graph::operation_output(op.operation));
  if (const auto* convolution = std::get_if<graph::LoweredConvolution>(&op.operation)) {
    return outputs * std::ssize(convolution->weights) /
           std::max(convolution->output_extent.channels, 1);
  }
  if (const auto* depthwise = std::get_if<graph::LoweredDepthwiseConvolution>(&op.operation)) {
    return outputs * depthwise->window.kernel_height * depthwise->window.kernel_width;
  }
  return outputs;
}

// A kernel under test.
struct Candidate {
  std::string kernel;
  std::unique_ptr<Program> program;
  std::vector<std::byte> output;
  double microseconds = std::numeric_limits<double>::infinity();  // the least of all rounds
  bool is_in_race = true;
  bool is_right = true;  // false: not even twice the same bits
};

class Tuner {
 public:
  Tuner(Device& device, TuningStore& store, const Log& log, const MeasureProgram& measure)
      : device_(device), store_(store), log_(log), measure_(measure) {}

  void run(const graph::LoweredGraph& graph) {
    struct Task {
      std::string signature;
      const graph::LoweredOperator* op;
    };
    std::vector<Task> tasks;
    std::set<std::string> seen;
    for (const graph::LoweredOperator& op : graph.operators) {
      std::string signature = operator_signature(graph, op);
      if (store_.choice(signature).empty() && seen.insert(signature).second) {
        tasks.push_back({std::move(signature), &op});
      }
    }
    // Small ones first: what is hopeless there is not tried on large ones.
    std::ranges::stable_sort(tasks, {}, [&](const Task& task) { return work_of(graph, *task.op); });
    for (size_t i = 0; i < tasks.size(); ++i) {
      progress_ = fmt::format("tuning {} of {}", i + 1, tasks.size());
      tune_operator(graph, *tasks[i].op, tasks[i].signature);
    }
  }

 private:
  void tell(LogSeverity severity, const std::string& message) const {
    if (log_) {
      log_(severity, fmt::format("{}: {}", progress_, message));
    }
  }

  void tune_operator(const graph::LoweredGraph& graph, const graph::LoweredOperator& op,
                     const std::string& signature) {
    const graph::LoweredGraph network = network_of(graph, op);
    const auto kernels = device_.kernels(network, network.operators.front());
    if (!kernels || kernels->size() < 2) {
      return;
    }
    prepare_data(network);
    std::vector<Candidate> candidates;
    for (const std::string& kernel : *kernels) {
      // The first is what the others are compared with.
      if (!candidates.empty() && slow_operators_[kernel] >= kAbandonAfter) {
        continue;
      }
      if (auto candidate = make_candidate(network, kernel)) {
        if (!candidates.empty() && candidate->output != candidates.front().output) {
          tell(LogSeverity::kWarning,
               fmt::format("kernel {} computes something else than {} for {}; it is not used",
                           kernel, candidates.front().kernel, signature));
          continue;
        }
        candidates.push_back(*std::move(candidate));
      } else if (candidates.empty()) {
        return;
      }
    }
    time(candidates);
    std::erase_if(candidates, [](const Candidate& candidate) { return !candidate.is_right; });
    if (candidates.empty()) {
      return;
    }
    const Candidate& fastest = *std::ranges::min_element(candidates, {}, &Candidate::microseconds);
    if (!std::isfinite(fastest.microseconds)) {
      return;  // nothing could be measured
    }
    for (const Candidate& candidate : candidates) {
      const bool is_slow = candidate.microseconds > kAbandonFactor * fastest.microseconds;
      slow_operators_[candidate.kernel] = is_slow ? slow_operators_[candidate.kernel] + 1 : 0;
    }
    const Candidate& usual = candidates.front();
    const bool pays = fastest.microseconds < (1 - kNeededGain) * usual.microseconds;
    const Candidate& chosen = pays ? fastest : usual;
    store_.record(signature, chosen.kernel);
    std::string message =
        fmt::format("{}: {}, {:.1f} us", signature, chosen.kernel, chosen.microseconds);
    if (pays) {
      message += fmt::format(" instead of {}, {:.1f} us", usual.kernel, usual.microseconds);
    }
    tell(LogSeverity::kInfo, message);
  }

  // Random bytes as inputs: what they are does not change how long a kernel takes, but kernels that
  // compute different things are told apart.
  void prepare_data(const graph::LoweredGraph& network) {
    std::minstd_rand random(1);
    inputs_.clear();
    input_views_.clear();
    for (const int32_t input : network.inputs) {
      std::vector<std::byte>& bytes = inputs_.emplace_back(host_bytes(network, input));
      std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random() >> 8); });
    }
    for (const std::vector<std::byte>& bytes : inputs_) {
      input_views_.emplace_back(bytes);
    }
  }

  // Compiled, and run once for its output; the time of that run does not count.
  std::optional<Candidate> make_candidate(const graph::LoweredGraph& network,
                                          const std::string& kernel) {
    CompileOptions options;
    options.kernel = kernel;
    options.profile = true;
    auto program = device_.compile(network, options);
    if (!program) {
      tell(LogSeverity::kWarning, program.error().message);
      return std::nullopt;
    }
    Candidate candidate;
    candidate.kernel = kernel;
    candidate.program = *std::move(program);
    candidate.output.resize(host_bytes(network, network.outputs.front()));
    const std::span<std::byte> output = candidate.output;
    if (const Status status = candidate.program->run(input_views_, std::span(&output, 1));
        !status) {
      tell(LogSeverity::kWarning, status.error().message);
      return std::nullopt;
    }
    return candidate;
  }

  // In turns, so that a slow moment of the machine meets all of them alike. One that is far behind
  // after a few turns gets no more; one bad moment alone puts nobody out.
  void time(std::vector<Candidate>& candidates) {
    double spent = 0;
    for (int round = 0; round < kRounds && spent < kOperatorBudgetMicroseconds; ++round) {
      for (Candidate& candidate : candidates) {
        if (candidate.is_in_race) {
          const double microseconds = time_once(candidate, candidates.front().output);
          candidate.microseconds = std::min(candidate.microseconds, microseconds);
          spent += std::isfinite(microseconds) ? microseconds : 0;
        }
      }
      const double best =
          std::ranges::min_element(candidates, {}, &Candidate::microseconds)->microseconds;
      const double factor = round + 1 >= kFairRounds ? kHopelessFactor : kHopelessAtOnce;
      for (Candidate& candidate : candidates) {
        candidate.is_in_race = candidate.is_right && candidate.is_in_race &&
                               (round == 0 || candidate.microseconds <= factor * best);
      }
    }
  }

  // Infinite where it failed, or was wrong, which some drivers are now and then only.
  double time_once(Candidate& candidate, const std::vector<std::byte>& expected) {
    constexpr double kNever = std::numeric_limits<double>::infinity();
    std::vector<std::byte> output(expected.size());
    const std::span<std::byte> view = output;
    const auto microseconds = measure_(*candidate.program, input_views_, std::span(&view, 1));
    if (!microseconds) {
      tell(LogSeverity::kWarning, microseconds.error().message);
      return kNever;
    }
    if (output != expected) {
      tell(LogSeverity::kWarning,
           fmt::format("kernel {} does not always compute the same; it is not used",
                       candidate.kernel));
      candidate.is_right = false;
      return kNever;
    }
    return *microseconds;
  }

  Device& device_;
  TuningStore& store_;
  const Log& log_;
  const MeasureProgram& measure_;
  std::string progress_;
  std::map<std::string, int> slow_operators_;  // by kernel: on how many in a row it was far behind
  std::vector<std::vector<std::byte>> inputs_;
  std::vector<std::span<const std::byte>> input_views_;
};

std::string capabilities_text(const Capabilities& capabilities) {
  std::string text;
  for (const auto& [name, value] : describe(capabilities)) {
    text += fmt::format("{}={};", name, value);
  }
  return text;
}

}  // namespace

TuningStore::TuningStore(DeviceCache& cache, const Capabilities& capabilities)
    : cache_(cache), capabilities_(capabilities_text(capabilities)) {
  parse(cache_.load(kCacheKind, capabilities_), choices_);
}

// Lines of "kernel TAB signature". Checksums have been checked; a line that is none is skipped all
// the same. Choices that are there already stay.
void TuningStore::parse(std::span<const std::byte> contents, Choices& choices) {
  std::string_view text(reinterpret_cast<const char*>(contents.data()), contents.size());
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t tab = line.find('\t');
    if (tab != 0 && tab != std::string_view::npos && tab + 1 < line.size()) {
      choices.emplace(line.substr(tab + 1), line.substr(0, tab));
    }
  }
}

bool TuningStore::is_empty() const {
  const std::lock_guard lock(mutex_);
  return choices_.empty();
}

std::string TuningStore::choice(const std::string& signature) const {
  const std::lock_guard lock(mutex_);
  const auto found = choices_.find(signature);
  return found == choices_.end() ? std::string() : found->second;
}

void TuningStore::record(const std::string& signature, const std::string& kernel) {
  const std::lock_guard lock(mutex_);
  choices_[signature] = kernel;
  cache_.update(kCacheKind, capabilities_, [this](std::span<const std::byte> existing) {
    parse(existing, choices_);
    std::string text;
    for (const auto& [each_signature, each_kernel] : choices_) {
      text += fmt::format("{}\t{}\n", each_kernel, each_signature);
    }
    const auto bytes = std::as_bytes(std::span(text));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  });
}

Result<double> measure_program(Program& program, std::span<const std::span<const std::byte>> inputs,
                               std::span<const std::span<std::byte>> outputs) {
  if (const auto profile = program.profile(inputs, outputs)) {
    double microseconds = 0;
    for (const DispatchTime& dispatch : profile->dispatches) {
      if (dispatch.operator_index >= 0) {
        microseconds += dispatch.end_us - dispatch.begin_us;
      }
    }
    return microseconds;
  } else if (profile.error().code != ErrorCode::kUnsupported) {
    return tl::unexpected(profile.error());
  }
  const auto begin = std::chrono::steady_clock::now();
  if (const Status status = program.run(inputs, outputs); !status) {
    return tl::unexpected(status.error());
  }
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
      .count();
}

void tune(Device& device, const graph::LoweredGraph& graph, TuningStore& store, const Log& log,
          const MeasureProgram& measure) {
  Tuner(device, store, log, measure).run(graph);
}

}  // namespace lockstep::backend::vulkan
