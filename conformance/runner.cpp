#include "conformance/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <ranges>
#include <utility>

#include "conformance/contract_turns.h"
#include "host_ref/interpreter.h"

namespace lockstep::conformance {
namespace {

using Bytes = std::vector<std::byte>;

const graph::LoweredTensor& output_tensor(const LoweredCase& lowered, size_t output) {
  return lowered.graph.tensors[static_cast<size_t>(lowered.graph.outputs[output])];
}

size_t output_bytes(const LoweredCase& lowered, size_t output) {
  const graph::LoweredTensor& tensor = output_tensor(lowered, output);
  return static_cast<size_t>(graph::element_count(tensor.shape).value_or(0)) *
         graph::data_type_size(tensor.type);
}

template <typename T>
int64_t element_at(std::span<const std::byte> bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return static_cast<int64_t>(value);
}

// As reports say it: floats by their bits, wider integers as far as int32 reaches.
int64_t element_of(graph::DataType type, std::span<const std::byte> bytes, int64_t index) {
  switch (graph::data_type_size(type)) {
    case 1:
      return type == graph::DataType::kInt8 ? element_at<int8_t>(bytes, index)
                                            : element_at<uint8_t>(bytes, index);
    case 2:
      return element_at<int16_t>(bytes, index);
    case 4:
      return element_at<int32_t>(bytes, index);
    default:
      return std::clamp<int64_t>(element_at<int64_t>(bytes, index),
                                 std::numeric_limits<int32_t>::min(),
                                 std::numeric_limits<int32_t>::max());
  }
}

graph::DataType reported_type(graph::DataType type) {
  if (graph::data_type_size(type) != 1) return graph::DataType::kInt32;
  return type == graph::DataType::kInt8 ? graph::DataType::kInt8 : graph::DataType::kUint8;
}

// <= -4, -3, -2, -1, 1, 2, 3, >= 4; the difference is not 0.
size_t histogram_bin(int64_t difference) {
  const int64_t clamped = std::clamp<int64_t>(difference, -4, 4);
  return static_cast<size_t>(clamped < 0 ? clamped + 4 : clamped + 3);
}

TensorDifference describe_difference(const graph::LoweredTensor& tensor,
                                     std::span<const std::byte> expected,
                                     std::span<const std::byte> actual) {
  TensorDifference difference;
  difference.tensor = tensor.name;
  difference.type = reported_type(tensor.type);
  difference.shape = tensor.shape;
  const auto elements = static_cast<int64_t>(expected.size() / graph::data_type_size(tensor.type));
  for (int64_t i = 0; i < elements; ++i) {
    const int64_t wanted = element_of(tensor.type, expected, i);
    const int64_t got = element_of(tensor.type, actual, i);
    if (wanted == got) continue;
    if (difference.differing == 0) {
      difference.first = i;
      difference.first_expected = wanted;
      difference.first_actual = got;
    }
    ++difference.differing;
    difference.largest = std::max(difference.largest, std::abs(got - wanted));
    ++difference.histogram[histogram_bin(got - wanted)];
    if (difference.indices.size() < TensorDifference::kMaximumIndices) {
      difference.indices.push_back(i);
    }
  }
  return difference;
}

// Why an observation cannot be compared at all.
Status check_observation(const LoweredCase& lowered, const Observation& observation) {
  const size_t outputs = observation.outputs.size();
  if (outputs != lowered.output_count && outputs != lowered.graph.outputs.size()) {
    return make_error(ErrorCode::kInternal, "the subject gave {} outputs of {}", outputs,
                      lowered.output_count);
  }
  for (size_t i = 0; i < outputs; ++i) {
    if (observation.outputs[i].size() != output_bytes(lowered, i)) {
      return make_error(ErrorCode::kInternal, "'{}' has {} bytes; the subject gave {}",
                        output_tensor(lowered, i).name, output_bytes(lowered, i),
                        observation.outputs[i].size());
    }
  }
  return {};
}

std::string difference_text(const TensorDifference& difference) {
  return fmt::format("'{}': {} elements differ by up to {}; element {} is {} and should be {}",
                     difference.tensor, difference.differing, difference.largest, difference.first,
                     difference.first_actual, difference.first_expected);
}

bool is_configuration_of(const ConfigurationGroup& group, std::string_view name) {
  const auto is_it = [&](const Configuration& one) { return one.name() == name; };
  return is_it(group.configuration) || std::ranges::any_of(group.equivalent, is_it);
}

// One contract of one case: what is expected, and how runs are judged by it.
class ContractRun {
 public:
  ContractRun(const Case& source, numerics::Contract contract, const RunOptions& options,
              const RecordedCase* recorded, std::span<const RunKey> judged,
              const RunObserver& observer)
      : source_(source),
        contract_(contract),
        options_(options),
        judged_(judged),
        observer_(observer) {
    if (recorded != nullptr) {
      if (const auto found = recorded->find(contract); found != recorded->end()) {
        recorded_ = &found->second;
      }
    }
  }

  // `index`: of the contract among those of the run.
  void run(Subject& subject, size_t index, ContractTurns& turns) {
    if (is_judged(kPreparation)) return;
    observer_.begin({contract_, std::string(kPreparation)});
    auto lowered = lower_case(source_, contract_);
    if (!lowered) return report_refused(lowered.error());
    lowered_ = std::move(*lowered);
    if (recorded_ != nullptr && options_.check_reference) report_reference();
    if (recorded_ != nullptr && recorded_->is_refused) return;
    auto groups = subject.configurations(*lowered_);
    if (!groups) return report_error(start_result("default"), groups.error());
    groups_ = std::move(*groups);
    if (options_.default_configuration_only) groups_.resize(1);
    if (!options_.only_configuration.empty()) {
      std::erase_if(groups_, [&](const ConfigurationGroup& group) {
        return !is_configuration_of(group, options_.only_configuration);
      });
      if (groups_.empty()) {
        return report_error(
            start_result(options_.only_configuration),
            {ErrorCode::kUnsupported, "the subject does not compute it in this configuration"});
      }
    }
    for (size_t i = 0; i < groups_.size(); ++i) {
      if (i == 0 || runs_every_contract() || turns.is_due(groups_[i].configuration, index)) {
        report_run(groups_[i], subject);
        turns.computed(groups_[i]);
      }
    }
  }

  // What no contract computed when it was its turn.
  void run_the_rest(Subject& subject, ContractTurns& turns) {
    for (const ConfigurationGroup& group : groups_) {
      if (turns.has_computed(group.configuration)) continue;
      report_run(group, subject);
      turns.computed(group);
    }
  }

 private:
  bool runs_every_contract() const {
    return !options_.contracts_in_turn || source_.is_quick || !options_.only_configuration.empty();
  }

  bool is_judged(std::string_view configuration) const {
    return std::ranges::any_of(judged_, [&](const RunKey& key) {
      return key.contract == contract_ && key.configuration == configuration;
    });
  }

  RunResult start_result(std::string configuration) const {
    RunResult result;
    result.case_name = source_.name;
    result.contract = contract_;
    result.configuration = std::move(configuration);
    return result;
  }

  // Tells the result unless it was told before the process died.
  void report(RunResult result) {
    if (is_judged(result.configuration)) return;
    observer_.begin({contract_, result.configuration});
    observer_.end(std::move(result));
  }

  void report_error(RunResult result, const Error& error) {
    result.verdict =
        error.code == ErrorCode::kUnsupported ? Verdict::kNotSupported : Verdict::kFail;
    result.reason = error.message;
    report(std::move(result));
  }

  // The contract does not compute the case.
  void report_refused(const Error& error) {
    if (recorded_ == nullptr || recorded_->is_refused) {
      return report_error(start_result("default"), error);
    }
    RunResult result = start_result(std::string(kReferenceConfiguration));
    result.verdict = Verdict::kFail;
    result.reason = "lowering refuses what it computed when the record was made: " + error.message;
    result.expected_outputs = recorded_->digests.outputs;
    result.expected_accumulators = recorded_->digests.accumulators;
    report(std::move(result));
  }

  // host_ref's results, computed when they are first asked for.
  const Result<ReferenceResult>& reference() {
    if (!reference_) reference_ = compute_reference(*lowered_);
    return *reference_;
  }

  // host_ref itself against the record.
  void report_reference() {
    RunResult result = start_result(std::string(kReferenceConfiguration));
    const auto started = std::chrono::steady_clock::now();
    const auto& computed = reference();
    result.nanoseconds = (std::chrono::steady_clock::now() - started).count();
    result.repetitions = 1;
    result.kernels = "host";
    if (!computed) return report_error(std::move(result), computed.error());
    result.outputs = computed->expectation.outputs;
    result.accumulators = computed->expectation.accumulators;
    if (recorded_->is_refused) {
      result.verdict = Verdict::kFail;
      result.reason = "lowering computes what it refused when the record was made";
    } else if (recorded_->agrees_with(computed->expectation)) {
      result.verdict = Verdict::kPass;
      result.expected_outputs = result.outputs;
      result.expected_accumulators = result.accumulators;
    } else {
      result.verdict = Verdict::kFail;
      result.reason = "lowering or host_ref changed: other bits than when the record was made";
      result.expected_outputs = recorded_->digests.outputs;
      result.expected_accumulators = recorded_->digests.accumulators;
    }
    report(std::move(result));
  }

  void report_run(const ConfigurationGroup& group, Subject& subject) {
    RunResult result = start_result(group.configuration.name());
    if (is_judged(result.configuration)) return;
    for (const Configuration& equivalent : group.equivalent) {
      result.equivalent_configurations.push_back(equivalent.name());
    }
    // Before the run, so that its time is not the subject's.
    if (recorded_ == nullptr && !reference()) return report_error(result, reference().error());
    observer_.begin({contract_, result.configuration});
    result.repetitions = options_.repetitions;
    const auto started = std::chrono::steady_clock::now();
    const auto observations = subject.run(*lowered_, group.configuration, options_.repetitions);
    result.nanoseconds = (std::chrono::steady_clock::now() - started).count();
    if (observations) {
      judge(*observations, result);
    } else {
      result.verdict = observations.error().code == ErrorCode::kUnsupported ? Verdict::kNotSupported
                                                                            : Verdict::kFail;
      result.reason = observations.error().message;
    }
    observer_.end(std::move(result));
  }

  // Whether an observation, of which the accumulators may be missing, is the expected one.
  bool is_expected(const Observation& observation, const Expectation& actual) {
    RecordedExpectation expected;
    if (recorded_ != nullptr) {
      expected = *recorded_;
    } else {
      expected.digests = reference()->expectation;
    }
    if (observation.outputs.size() == lowered_->output_count) expected.digests.accumulators = {};
    return expected.agrees_with(actual);
  }

  void judge(std::span<const Observation> observations, RunResult& result) {
    result.verdict = Verdict::kFail;
    // None at all would pass without having been looked at.
    if (observations.empty() || observations.size() != static_cast<size_t>(options_.repetitions)) {
      result.reason = fmt::format("the subject ran {} times, not {}", observations.size(),
                                  options_.repetitions);
      return;
    }
    for (size_t i = 0; i < observations.size(); ++i) {
      const Observation& observation = observations[i];
      result.kernels = observation.kernels;
      if (Status status = check_observation(*lowered_, observation); !status) {
        result.reason = status.error().message;
        return;
      }
      const Expectation actual = digest_observation(*lowered_, observation.outputs);
      result.outputs = actual.outputs;
      result.accumulators = actual.accumulators;
      if (!is_expected(observation, actual)) return explain(observations, i, result);
    }
    result.verdict = Verdict::kPass;
    result.expected_outputs = result.outputs;
    result.expected_accumulators = result.accumulators;
  }

  // Repetition `wrong` is the first with other bits than the expected ones.
  void explain(std::span<const Observation> observations, size_t wrong, RunResult& result) {
    const std::vector<Bytes>& actual = observations[wrong].outputs;
    if (const auto& expected = reference()) {
      const bool can_be_believed =
          recorded_ == nullptr || recorded_->agrees_with(expected->expectation);
      const Expectation& digests = can_be_believed ? expected->expectation : recorded_->digests;
      result.expected_outputs = digests.outputs;
      result.expected_accumulators = digests.accumulators;
      result.difference = find_difference(*lowered_, expected->outputs, actual);
      result.reason = result.difference ? difference_text(*result.difference)
                                        : "the same bits as host_ref, but not as recorded";
      if (result.difference && !can_be_believed) {
        result.reason += "; compared with host_ref, which differs from the record itself";
      }
    } else {
      result.expected_outputs = recorded_->digests.outputs;
      result.expected_accumulators = recorded_->digests.accumulators;
      result.reason = "not the recorded bits; host_ref cannot explain: " + expected.error().message;
    }
    const auto differs_from_this = [&](const Observation& other) {
      return other.outputs != actual;
    };
    if (std::ranges::any_of(observations, differs_from_this)) {
      result.reason = fmt::format(
          "repetition {} of {} gives other bits than others (not deterministic, or it depends on "
          "memory left behind): {}",
          wrong + 1, observations.size(), result.reason);
    }
  }

  const Case& source_;
  numerics::Contract contract_;
  const RunOptions& options_;
  std::span<const RunKey> judged_;
  const RunObserver& observer_;
  const RecordedExpectation* recorded_ = nullptr;
  std::optional<LoweredCase> lowered_;
  std::optional<Result<ReferenceResult>> reference_;
  std::vector<ConfigurationGroup> groups_;
};

bool same_beginning(const Digest& left, const Digest& right, size_t bytes) {
  return std::equal(left.bytes.begin(), left.bytes.begin() + static_cast<ptrdiff_t>(bytes),
                    right.bytes.begin());
}

}  // namespace

bool RecordedExpectation::agrees_with(const Expectation& actual) const {
  return !is_refused && same_beginning(digests.outputs, actual.outputs, digest_bytes) &&
         digests.accumulators.is_empty() == actual.accumulators.is_empty() &&
         same_beginning(digests.accumulators, actual.accumulators, digest_bytes);
}

Result<ReferenceResult> compute_reference(const LoweredCase& lowered) {
  auto interpreter = host_ref::Interpreter::create(lowered.graph);
  if (!interpreter) return tl::unexpected(interpreter.error());
  const std::vector<Bytes>& inputs = lowered.source->inputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (Status status = interpreter->set_input(i, inputs[i]); !status) {
      return tl::unexpected(status.error());
    }
  }
  if (Status status = interpreter->run(); !status) return tl::unexpected(status.error());
  ReferenceResult result;
  for (const int32_t output : lowered.graph.outputs) {
    auto bytes = interpreter->tensor(output);
    if (!bytes) return tl::unexpected(bytes.error());
    result.outputs.push_back(std::move(*bytes));
  }
  result.expectation = digest_observation(lowered, result.outputs);
  return result;
}

Expectation digest_observation(const LoweredCase& lowered,
                               std::span<const std::vector<std::byte>> outputs) {
  const auto digest = [](std::span<const Bytes> tensors) {
    DigestBuilder builder;
    for (const Bytes& tensor : tensors) builder.add(tensor);
    return builder.finish();
  };
  Expectation expectation;
  expectation.outputs = digest(outputs.first(lowered.output_count));
  if (outputs.size() > lowered.output_count) {
    expectation.accumulators = digest(outputs.subspan(lowered.output_count));
  }
  return expectation;
}

std::optional<TensorDifference> find_difference(const LoweredCase& lowered,
                                                std::span<const std::vector<std::byte>> expected,
                                                std::span<const std::vector<std::byte>> actual) {
  for (size_t i = 0; i < std::min(expected.size(), actual.size()); ++i) {
    if (expected[i] != actual[i]) {
      return describe_difference(output_tensor(lowered, i), expected[i], actual[i]);
    }
  }
  return std::nullopt;
}

void run_case(const Case& source, Subject& subject, const RunOptions& options,
              const RecordedCase* recorded, std::span<const RunKey> judged,
              const RunObserver& observer) {
  ContractTurns turns(source.name, options.contracts.size());
  std::vector<ContractRun> runs;
  runs.reserve(options.contracts.size());
  for (const numerics::Contract contract : options.contracts) {
    runs.emplace_back(source, contract, options, recorded, judged, observer);
    runs.back().run(subject, runs.size() - 1, turns);
  }
  for (ContractRun& run : runs | std::views::reverse) run.run_the_rest(subject, turns);
}

}  // namespace lockstep::conformance
