#include "conformance/generators/weighted_family.h"

#include <algorithm>
#include <iterator>

#include "conformance/generators/weighted_corners.h"
#include "conformance/generators/weighted_filling.h"

namespace lockstep::conformance {

Result<std::vector<Case>> generate_weighted_family(const WeightedFamily& family,
                                                   const GeneratorOptions& options) {
  std::vector<WeightedCase> corners = arithmetic_corners(family.kind);
  for (const auto add : family.additions) {
    if (Status status = add(corners); !status) {
      return tl::unexpected(status.error());
    }
  }
  std::ranges::move(family.extreme_sums(), std::back_inserter(corners));
  const Result<std::vector<WeightedCase>> random_cases = draw_cases(options, family.draw);
  if (!random_cases) {
    return tl::unexpected(random_cases.error());
  }
  return build_family(corners, *random_cases, family.required_coverage());
}

}  // namespace lockstep::conformance
