// The stages of case_shrinking.h, one file each. Their steps promise a valid case; that it is
// smaller is checked for all of them in one place.
#pragma once

#include <memory>
#include <vector>

#include "conformance/case_shrinking.h"

namespace lockstep::conformance {

std::vector<ShrinkStep> cutting_steps(const std::shared_ptr<const Case>& source,
                                      const ShrinkContext& context);
std::vector<ShrinkStep> extent_steps(const std::shared_ptr<const Case>& source);
std::vector<ShrinkStep> parameter_steps(const std::shared_ptr<const Case>& source);
std::vector<ShrinkStep> value_steps(const std::shared_ptr<const Case>& source);

}  // namespace lockstep::conformance
