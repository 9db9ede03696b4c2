// The stages of case_shrinking.h, one file each. Their steps promise a valid case; that it is
// smaller is checked for all of them in one place.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "conformance/case_shrinking.h"
#include "conformance/editable_case.h"

namespace lockstep::conformance {

std::vector<ShrinkStep> cutting_steps(const std::shared_ptr<const Case>& source,
                                      const ShrinkContext& context);
std::vector<ShrinkStep> extent_steps(const std::shared_ptr<const Case>& source);
std::vector<ShrinkStep> parameter_steps(const std::shared_ptr<const Case>& source);
std::vector<ShrinkStep> value_steps(const std::shared_ptr<const Case>& source);

// An edit of attributes, operands or quantization, and the shapes that follow from it.
ShrinkStep edit_step(std::string description, std::shared_ptr<const Case> source,
                     std::function<void(EditableCase&)> edit);

}  // namespace lockstep::conformance
