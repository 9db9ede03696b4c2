// Where cases come from: one generator a family, one file each under generators/, all of them
// listed in generator.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/case.h"
#include "graph/status.h"

namespace lockstep::conformance {

// Where random cases come from. The corners that a family covers by construction do not depend on
// the seed, contents included, so that their results can be recorded.
struct GeneratorOptions {
  uint64_t seed = 1;
  // How many further random cases each family makes beside its corners.
  int32_t random_cases = 0;
};

// A value that the cases of a family must hit between them; see coverage.h.
struct RequiredCoverage {
  std::string dimension;
  std::vector<std::string> values;
};

struct Generator {
  std::string_view family;       // "conv_2d"
  std::string_view description;  // one line for --list
  // Deterministic: the same options give the same cases on every platform (no std::
  // distributions, whose results differ between standard libraries).
  Result<std::vector<Case>> (*generate)(const GeneratorOptions& options);
  std::vector<RequiredCoverage> (*required_coverage)();
};

// Every family, in the order of reports.
std::span<const Generator> all_generators();

}  // namespace lockstep::conformance
