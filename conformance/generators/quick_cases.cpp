#include "conformance/generators/quick_cases.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace lockstep::conformance {
namespace {

int64_t case_multiply_accumulates(const Case& candidate) {
  int64_t sum = 0;
  for (const graph::Operator& op : candidate.graph.operators) {
    sum += graph::multiply_accumulates(candidate.graph, op);
  }
  return sum;
}

using Points = std::set<CoveragePoint>;

Points required_points(std::span<const RequiredCoverage> required) {
  Points points;
  for (const RequiredCoverage& dimension : required) {
    for (const std::string& value : dimension.values) {
      points.insert({dimension.dimension, value});
    }
  }
  return points;
}

Points common_points(const std::vector<CoveragePoint>& covered, const Points& wanted) {
  Points common;
  std::copy_if(covered.begin(), covered.end(), std::inserter(common, common.end()),
               [&](const CoveragePoint& point) { return wanted.contains(point); });
  return common;
}

}  // namespace

void choose_quick_cases(std::span<Case> cases, std::span<const RequiredCoverage> required) {
  Points missing = required_points(required);
  const auto take = [&](Case& chosen) {
    chosen.is_quick = true;
    for (const CoveragePoint& point : chosen.coverage) {
      missing.erase(point);
    }
  };
  for (Case& candidate : cases) {
    if (candidate.is_quick) {
      take(candidate);
    }
  }
  while (!missing.empty()) {
    Case* best = nullptr;
    size_t best_gain = 0;
    for (Case& candidate : cases) {
      const size_t gain = common_points(candidate.coverage, missing).size();
      if (gain > best_gain ||
          (gain == best_gain && best != nullptr &&
           case_multiply_accumulates(candidate) < case_multiply_accumulates(*best))) {
        best = &candidate;
        best_gain = gain;
      }
    }
    if (best == nullptr) {
      return;
    }
    take(*best);
  }
}

}  // namespace lockstep::conformance
