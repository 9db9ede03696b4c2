// Which cases of a family the quick suite runs.
#pragma once

#include <span>
#include <vector>

#include "conformance/case.h"
#include "conformance/generator.h"

namespace lockstep::conformance {

// Marks a small set of cases as quick that hits every required value that all of them together hit:
// greedily the case that adds most, of equals the one with the fewest multiply-accumulates, of
// equals the first. Cases already marked stay so, and what they hit counts.
void choose_quick_cases(std::span<Case> cases, std::span<const RequiredCoverage> required);

}  // namespace lockstep::conformance
