#include "conformance/case_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "conformance/json_fields.h"
#include "conformance/report.h"
#include "conformance/tensor_values.h"
#include "conformance/text.h"

namespace lockstep::conformance {
namespace {

using nlohmann::json;
using Bytes = std::vector<std::byte>;

ReplayedTensor compare_tensor(const ExpectedTensor& expected, std::span<const std::byte> actual) {
  ReplayedTensor result{
      .name = expected.name, .type = expected.type, .shape = expected.shape, .elements = {}};
  const auto count =
      static_cast<int64_t>(expected.bytes.size() / graph::data_type_size(expected.type));
  for (int64_t i = 0; i < count; ++i) {
    const ElementDifference element{.index = i,
                                    .expected = element_value(expected.type, expected.bytes, i),
                                    .actual = element_value(expected.type, actual, i)};
    if (element.expected == element.actual) continue;
    ++result.differing;
    if (result.elements.size() < ReplayedTensor::kMaximumElements) {
      result.elements.push_back(element);
    }
  }
  return result;
}

bool is_named(const ConfigurationGroup& group, std::string_view name) {
  const auto is_it = [&](const Configuration& one) { return one.name() == name; };
  return is_it(group.configuration) || std::ranges::any_of(group.equivalent, is_it);
}

// One contract's runs.
class ContractReplay {
 public:
  ContractReplay(const CaseFolder& folder, numerics::Contract contract,
                 const ReplayOptions& options, std::span<const RunKey> judged,
                 const ReplayObserver& observer)
      : folder_(folder),
        contract_(contract),
        options_(options),
        judged_(judged),
        observer_(observer) {}

  void run(Subject& subject) {
    if (is_judged(kPreparation)) return;
    observer_.begin({contract_, std::string(kPreparation)});
    const ExpectedTensors* expected = folder_.expected_under(contract_);
    if (expected == nullptr) {
      return report_error("default",
                          {ErrorCode::kUnsupported, "the folder has no files for this contract"});
    }
    const auto lowered = lower_case(folder_.source, contract_);
    if (!lowered) return report_error("default", lowered.error());
    auto groups = subject.configurations(*lowered);
    if (!groups) return report_error("default", groups.error());
    std::erase_if(*groups, [&](const ConfigurationGroup& group) {
      return !options_.configuration.empty() && !is_named(group, options_.configuration);
    });
    if (groups->empty()) {
      return report_error(options_.configuration,
                          {ErrorCode::kUnsupported, "the subject has no such configuration"});
    }
    for (const ConfigurationGroup& group : *groups) run_group(group, *lowered, *expected, subject);
  }

 private:
  bool is_judged(std::string_view configuration) const {
    return std::ranges::any_of(judged_, [&](const RunKey& key) {
      return key.contract == contract_ && key.configuration == configuration;
    });
  }

  void report_error(const std::string& configuration, const Error& error) {
    if (is_judged(configuration)) return;
    ReplayedRun run;
    run.key = {contract_, configuration};
    run.verdict = error.code == ErrorCode::kUnsupported ? Verdict::kNotSupported : Verdict::kFail;
    run.reason = error.message;
    observer_.begin(run.key);
    observer_.end(run);
  }

  void run_group(const ConfigurationGroup& group, const LoweredCase& lowered,
                 const ExpectedTensors& expected, Subject& subject) {
    ReplayedRun run;
    run.key = {contract_, group.configuration.name()};
    if (is_judged(run.key.configuration)) return;
    for (const Configuration& equivalent : group.equivalent) {
      run.equivalent_configurations.push_back(equivalent.name());
    }
    observer_.begin(run.key);
    const auto observations = subject.run(lowered, group.configuration, options_.repetitions);
    if (observations) {
      judge(*observations, expected, run);
    } else {
      const bool is_unsupported = observations.error().code == ErrorCode::kUnsupported;
      run.verdict = is_unsupported ? Verdict::kNotSupported : Verdict::kFail;
      run.reason = observations.error().message;
    }
    observer_.end(run);
  }

  static void judge(const std::vector<Observation>& observations, const ExpectedTensors& expected,
                    ReplayedRun& run) {
    run.verdict = Verdict::kFail;
    if (observations.empty()) {
      run.reason = "the subject gave nothing";
      return;
    }
    std::vector<const ExpectedTensor*> tensors;
    for (const ExpectedTensor& tensor : expected.outputs) tensors.push_back(&tensor);
    for (const ExpectedTensor& tensor : expected.accumulators) tensors.push_back(&tensor);
    for (size_t repetition = 0; repetition < observations.size(); ++repetition) {
      const Observation& observation = observations[repetition];
      run.kernels = observation.kernels;
      // Whole engines show no accumulators.
      if (observation.outputs.size() != tensors.size() &&
          observation.outputs.size() != expected.outputs.size()) {
        run.reason = fmt::format("{} tensors where {} are expected", observation.outputs.size(),
                                 tensors.size());
        return;
      }
      for (size_t i = 0; i < observation.outputs.size(); ++i) {
        const Bytes& actual = observation.outputs[i];
        if (actual.size() != tensors[i]->bytes.size()) {
          run.reason = fmt::format("'{}' has {} bytes where {} are expected", tensors[i]->name,
                                   actual.size(), tensors[i]->bytes.size());
          return;
        }
        ReplayedTensor compared = compare_tensor(*tensors[i], actual);
        if (compared.differing > 0) run.differences.push_back(std::move(compared));
      }
      if (run.differences.empty()) continue;
      const ReplayedTensor& first = run.differences.front();
      run.reason =
          fmt::format("{} of {} tensors differ; '{}' in {} elements", run.differences.size(),
                      observation.outputs.size(), first.name, first.differing);
      const auto is_other = [&](const Observation& other) {
        return other.outputs != observation.outputs;
      };
      if (std::ranges::any_of(observations, is_other)) {
        run.reason += fmt::format(" (repetition {} of {}; not all are alike)", repetition + 1,
                                  observations.size());
      }
      return;
    }
    run.verdict = Verdict::kPass;
  }

  const CaseFolder& folder_;
  numerics::Contract contract_;
  const ReplayOptions& options_;
  std::span<const RunKey> judged_;
  const ReplayObserver& observer_;
};

std::vector<numerics::Contract> contracts_of(const CaseFolder& folder,
                                             const ReplayOptions& options) {
  if (!options.contracts.empty()) return options.contracts;
  if (folder.failure) return {folder.failure->contract};
  std::vector<numerics::Contract> contracts;
  for (const ExpectedTensors& expected : folder.expected) contracts.push_back(expected.contract);
  return contracts;
}

json to_json(const ReplayedTensor& tensor) {
  json elements = json::array();
  for (const ElementDifference& element : tensor.elements) {
    elements.push_back(
        {{"index", element.index}, {"expected", element.expected}, {"actual", element.actual}});
  }
  return {{"tensor", valid_utf8(tensor.name)},
          {"type", graph::data_type_name(tensor.type)},
          {"shape", tensor.shape},
          {"differing", tensor.differing},
          {"elements", std::move(elements)}};
}

ReplayedTensor tensor_from_fields(JsonFields& fields) {
  constexpr int64_t kMinimum = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMaximum = std::numeric_limits<int64_t>::max();
  ReplayedTensor tensor;
  tensor.name = fields.text("tensor");
  const std::string type_name = fields.text("type");
  bool is_known = false;
  for (const graph::DataType type :
       {graph::DataType::kInt8, graph::DataType::kUint8, graph::DataType::kInt16,
        graph::DataType::kInt32, graph::DataType::kInt64, graph::DataType::kFloat16,
        graph::DataType::kFloat32, graph::DataType::kBool}) {
    if (graph::data_type_name(type) != type_name) continue;
    tensor.type = type;
    is_known = true;
  }
  if (fields.ok() && !is_known) fields.refuse("type", "unknown type");
  for (const int64_t extent :
       fields.integers("shape", 0, std::numeric_limits<int32_t>::max(), graph::kMaximumRank)) {
    tensor.shape.push_back(static_cast<int32_t>(extent));
  }
  tensor.differing = fields.integer("differing", 0, kMaximum);
  fields.objects("elements", [&](JsonFields& element) {
    tensor.elements.push_back({.index = element.integer("index", 0, kMaximum),
                               .expected = element.integer("expected", kMinimum, kMaximum),
                               .actual = element.integer("actual", kMinimum, kMaximum)});
    element.refuse_unknown();
  });
  fields.refuse_unknown();
  return tensor;
}

}  // namespace

bool Replay::is_success() const {
  const auto failed = [](const ReplayedRun& run) { return is_failure(run.verdict); };
  const auto passed = [](const ReplayedRun& run) { return run.verdict == Verdict::kPass; };
  return std::ranges::none_of(runs, failed) && std::ranges::any_of(runs, passed);
}

void replay_case(const CaseFolder& folder, Subject& subject, const ReplayOptions& options,
                 std::span<const RunKey> judged, const ReplayObserver& observer) {
  for (const numerics::Contract contract : contracts_of(folder, options)) {
    ContractReplay(folder, contract, options, judged, observer).run(subject);
  }
}

json to_json(const ReplayedRun& run) {
  json equivalents = json::array();
  for (const std::string& name : run.equivalent_configurations) {
    equivalents.push_back(valid_utf8(name));
  }
  json differences = json::array();
  for (const ReplayedTensor& tensor : run.differences) differences.push_back(to_json(tensor));
  return {{"contract", numerics::contract_name(run.key.contract)},
          {"configuration", valid_utf8(run.key.configuration)},
          {"equivalent_configurations", std::move(equivalents)},
          {"verdict", verdict_name(run.verdict)},
          {"reason", valid_utf8(run.reason)},
          {"kernels", valid_utf8(run.kernels)},
          {"differences", std::move(differences)}};
}

Result<ReplayedRun> replayed_run_from_json(const json& value) {
  Status status;
  JsonFields fields(value, "", status);
  ReplayedRun run;
  const auto contract = numerics::parse_contract(fields.text("contract"));
  if (fields.ok() && !contract) fields.refuse("contract", "unknown contract");
  run.key = {contract.value_or(numerics::Contract::kTflite), fields.text("configuration")};
  run.equivalent_configurations = fields.texts("equivalent_configurations");
  const auto verdict = parse_verdict(fields.text("verdict"));
  if (fields.ok() && !verdict) fields.refuse("verdict", "unknown verdict");
  run.verdict = verdict.value_or(Verdict::kFail);
  run.reason = fields.text("reason");
  run.kernels = fields.text("kernels");
  fields.objects("differences", [&](JsonFields& tensor) {
    run.differences.push_back(tensor_from_fields(tensor));
  });
  fields.refuse_unknown();
  if (!status) return tl::unexpected(status.error());
  return run;
}

json to_json(const Replay& replay) {
  json runs = json::array();
  for (const ReplayedRun& run : replay.runs) runs.push_back(to_json(run));
  return {{"subject", to_json(replay.subject)},
          {"success", replay.is_success()},
          {"runs", std::move(runs)}};
}

}  // namespace lockstep::conformance
