#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "conformance/report.h"
#include "conformance/text.h"

namespace lockstep::conformance {

namespace {

using nlohmann::json;

// Names all fields of either header that differ, in the order of their names.
std::vector<std::string> compare_headers(const ReportHeader& first, const ReportHeader& second) {
  const json one = to_json(first).flatten();
  const json other = to_json(second).flatten();
  std::set<std::string> pointers;
  for (const auto& item : one.items()) pointers.insert(item.key());
  for (const auto& item : other.items()) pointers.insert(item.key());
  std::vector<std::string> differences;
  for (const std::string& pointer : pointers) {
    const auto text = [&](const json& flat) {
      return flat.contains(pointer) ? flat[pointer].dump() : std::string("nothing");
    };
    if (text(one) == text(other)) continue;
    std::string name = pointer.substr(1);
    std::ranges::replace(name, '/', '.');
    differences.push_back(fmt::format("{}: {} against {}", name, text(one), text(other)));
  }
  return differences;
}

// The digests of one kind of tensor that passing and failing runs gave.
std::set<std::pair<bool, Digest>> digests_of(const Outcome& outcome, Digest Outcome::Bits::*kind) {
  std::set<std::pair<bool, Digest>> digests;
  for (const Outcome::Bits& bits : outcome.bits) digests.emplace(bits.passed, bits.*kind);
  return digests;
}

std::string describe(const std::set<std::pair<bool, Digest>>& digests) {
  std::string text;
  for (const auto& [passed, digest] : digests) {
    if (!text.empty()) text += " and ";
    text += digest.is_empty() ? "nothing" : digest.hex();
    if (!passed) text += " (failed)";
  }
  return text;
}

bool shows_accumulators(const Outcome& outcome) {
  return std::ranges::any_of(
      outcome.bits, [](const Outcome::Bits& bits) { return !bits.accumulators.is_empty(); });
}

// What differs of a case that both computed; nullopt where nothing does.
std::optional<std::string> compare_bits(const Outcome& first, const Outcome& second) {
  const auto compare = [&](Digest Outcome::Bits::*kind,
                           std::string_view name) -> std::optional<std::string> {
    const auto one = digests_of(first, kind);
    const auto other = digests_of(second, kind);
    if (one == other) return std::nullopt;
    return fmt::format("{} {} against {}", name, describe(one), describe(other));
  };
  if (auto what = compare(&Outcome::Bits::outputs, "outputs")) return what;
  if (!shows_accumulators(first) || !shows_accumulators(second)) return std::nullopt;
  return compare(&Outcome::Bits::accumulators, "accumulators");
}

// Why a report has no bits of a case.
std::string absence(const Outcome* outcome) {
  if (outcome == nullptr) return "not run in the other";
  return outcome->unsupported_reason.empty()
             ? "not supported by the other"
             : "not supported by the other: " + outcome->unsupported_reason;
}

}  // namespace

ReportDifference diff_reports(const Report& first, const Report& second) {
  ReportDifference difference;
  difference.header = compare_headers(first.header, second.header);
  const auto one = collect_outcomes(first);
  const auto other = collect_outcomes(second);
  std::set<CaseAndContract> keys;
  for (const auto& [key, outcome] : one) keys.insert(key);
  for (const auto& [key, outcome] : other) keys.insert(key);
  for (const CaseAndContract& key : keys) {
    const auto find = [&](const auto& outcomes) {
      const auto found = outcomes.find(key);
      return found == outcomes.end() ? nullptr : &found->second;
    };
    const Outcome* left = find(one);
    const Outcome* right = find(other);
    const bool left_computed = left != nullptr && !left->bits.empty();
    const bool right_computed = right != nullptr && !right->bits.empty();
    const auto add = [&](std::vector<ReportDifference::Run>& runs, std::string what) {
      runs.push_back({.case_name = key.first, .contract = key.second, .what = std::move(what)});
    };
    if (left_computed && right_computed) {
      if (auto what = compare_bits(*left, *right)) add(difference.runs, std::move(*what));
    } else if (left_computed) {
      add(difference.support, "only in the first: " + absence(right));
    } else if (right_computed) {
      add(difference.support, "only in the second: " + absence(left));
    } else if (left == nullptr || right == nullptr) {
      add(difference.support, fmt::format("only in the {}, which does not support it",
                                          left == nullptr ? "second" : "first"));
    }
  }
  return difference;
}

std::string difference_text(const ReportDifference& difference) {
  constexpr size_t kMaximumRuns = 20;
  std::string text;
  const auto append = [&](std::string_view line) { text += one_line(line) + "\n"; };
  const auto append_runs = [&](std::string_view title,
                               const std::vector<ReportDifference::Run>& runs) {
    if (runs.empty()) return;
    append(title);
    for (size_t i = 0; i < std::min(runs.size(), kMaximumRuns); ++i) {
      append(fmt::format("  {} [{}]: {}", runs[i].case_name,
                         numerics::contract_name(runs[i].contract), runs[i].what));
    }
    if (runs.size() > kMaximumRuns)
      append(fmt::format("  and {} more", runs.size() - kMaximumRuns));
  };
  if (!difference.header.empty()) {
    append("Headers:");
    for (const std::string& line : difference.header) append("  " + line);
  }
  append_runs("Computed by one only:", difference.support);
  append_runs("Other bits:", difference.runs);
  if (!difference.same_bits()) {
    append(fmt::format("DIFFERENT: {} results (case and contract)", difference.runs.size()));
  } else if (!difference.same_support()) {
    append(fmt::format("SAME BITS in everything that both computed; {} results only in one",
                       difference.support.size()));
  } else {
    append("SAME BITS");
  }
  return text;
}

}  // namespace lockstep::conformance
