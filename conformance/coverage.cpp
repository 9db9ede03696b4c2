#include "conformance/coverage.h"

#include <set>

namespace lockstep::conformance {

CoverageTable measure_coverage(std::span<const Case> cases, std::span<const Generator> generators) {
  CoverageTable table;
  for (const Case& source : cases) {
    // A point that a case says twice is still one case.
    const std::set<CoveragePoint> points(source.coverage.begin(), source.coverage.end());
    for (const CoveragePoint& point : points) {
      ++table.hits[source.family][point.dimension][point.value];
    }
  }
  for (const Generator& generator : generators) {
    const std::string family(generator.family);
    for (const RequiredCoverage& required : generator.required_coverage()) {
      for (const std::string& value : required.values) {
        if (!table.hits[family][required.dimension].contains(value)) {
          table.holes.push_back({family, required.dimension, value});
        }
      }
    }
  }
  return table;
}

}  // namespace lockstep::conformance
