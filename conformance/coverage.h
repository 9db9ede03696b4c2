// Which values of which dimensions the cases of a suite hit, and which required ones they miss. A
// family's requirements (generator.h) are the promise that it covers its corners by construction;
// the suite's own test fails on a hole.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "conformance/case.h"
#include "conformance/generator.h"

namespace lockstep::conformance {

struct CoverageHole {
  std::string family;
  std::string dimension;
  std::string value;
};

struct CoverageTable {
  // family -> dimension -> value -> number of cases
  std::map<std::string, std::map<std::string, std::map<std::string, int64_t>>> hits;
  std::vector<CoverageHole> holes;
};

CoverageTable measure_coverage(std::span<const Case> cases, std::span<const Generator> generators);

}  // namespace lockstep::conformance
