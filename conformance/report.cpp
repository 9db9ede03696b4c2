#include "conformance/report.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <tuple>

#include "conformance/digest.h"
#include "conformance/text.h"

namespace lockstep::conformance {

std::string_view family_of(std::string_view case_name) {
  return case_name.substr(0, case_name.find('/'));
}

void sort_results(std::vector<RunResult>& results) {
  std::ranges::sort(results, {}, [](const RunResult& result) {
    return std::tie(result.case_name, result.contract, result.configuration);
  });
}

std::map<Verdict, int64_t> Report::count_verdicts() const {
  std::map<Verdict, int64_t> counts;
  for (const Verdict verdict : kAllVerdicts) counts[verdict] = 0;
  for (const RunResult& result : results) ++counts[result.verdict];
  return counts;
}

std::map<CaseAndContract, Outcome> collect_outcomes(const Report& report) {
  // Names as a report's file has them, so that a file's digest is the same as that of what it was
  // written from.
  std::map<CaseAndContract, Outcome> outcomes;
  for (const RunResult& result : report.results) {
    // What the reference computes says nothing about the subject.
    if (result.configuration == kReferenceConfiguration && !is_failure(result.verdict)) continue;
    Outcome& outcome = outcomes[{valid_utf8(result.case_name), result.contract}];
    if (result.verdict == Verdict::kNotSupported) {
      if (outcome.unsupported_reason.empty()) outcome.unsupported_reason = result.reason;
      continue;
    }
    outcome.bits.insert({.passed = result.verdict == Verdict::kPass,
                         .outputs = result.outputs,
                         .accumulators = result.accumulators});
  }
  return outcomes;
}

Digest Report::digest() const {
  DigestBuilder builder;
  for (const auto& [key, outcome] : collect_outcomes(*this)) {
    if (outcome.bits.empty()) continue;
    builder.add(key.first).add(numerics::contract_name(key.second));
    // The count tells where the next case starts, so that no name can stand for a digest.
    builder.add(std::to_string(outcome.bits.size()));
    for (const Outcome::Bits& bits : outcome.bits) {
      builder.add(bits.passed ? "passed" : "failed");
      builder.add(bits.outputs.hex()).add(bits.accumulators.hex());
    }
  }
  return builder.finish();
}

Digest Report::supported_digest() const {
  DigestBuilder builder;
  for (const auto& [key, outcome] : collect_outcomes(*this)) {
    if (outcome.bits.empty()) continue;
    builder.add(key.first).add(numerics::contract_name(key.second));
  }
  return builder.finish();
}

std::vector<FailureGroup> group_failures(const Report& report) {
  std::vector<FailureGroup> groups;
  // The groups of the case and contract at hand, which stand together in sorted results.
  size_t first_group = 0;
  const RunResult* previous = nullptr;
  for (const RunResult& result : report.results) {
    if (previous == nullptr || previous->case_name != result.case_name ||
        previous->contract != result.contract) {
      first_group = groups.size();
    }
    previous = &result;
    if (!is_failure(result.verdict)) continue;
    const auto looks_the_same = [&](const FailureGroup& group) {
      const RunResult& other = group.first();
      return other.verdict == result.verdict && other.reason == result.reason &&
             other.outputs == result.outputs && other.accumulators == result.accumulators &&
             other.difference == result.difference;
    };
    const auto known = std::find_if(groups.begin() + static_cast<ptrdiff_t>(first_group),
                                    groups.end(), looks_the_same);
    if (known == groups.end()) {
      groups.push_back({.runs = {&result}});
    } else {
      known->runs.push_back(&result);
    }
  }
  return groups;
}

}  // namespace lockstep::conformance
