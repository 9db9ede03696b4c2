#include <fmt/format.h>

#include <string>

#include "conformance/generators/case_collector.h"
#include "conformance/generators/families.h"
#include "conformance/generators/operand_contents.h"
#include "conformance/generators/random_cases.h"

namespace lockstep::conformance {
namespace {

constexpr int32_t kNetworks = 20;
constexpr int32_t kQuickNetworks = 3;

// Every operator's own points are enough: nothing is promised of a random network but variety.
void measure_nothing_more(const MeasuredGraph& measured, CoveragePoints& points) {
  const size_t count = measured.graph().operators.size();
  points.add("operators", count < 8 ? "up to 7" : count < 16 ? "8 to 15" : "16 or more");
}

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  CaseCollector cases("random_networks", measure_nothing_more);
  for (int32_t i = 0; i < kNetworks + options.random_cases; ++i) {
    const graph::DataType type = k8BitTypes[static_cast<size_t>(i) % 2];
    const std::string name =
        fmt::format("seed {} network {} {}", options.seed, i, graph::data_type_name(type));
    add_random_network(cases, options.seed, name, type, 4 + i % 11, i < kQuickNetworks);
  }
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_coverage() {
  return {{"operator",
           {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MUL", "AVERAGE_POOL_2D",
            "MAX_POOL_2D", "MEAN", "CONCATENATION", "RESHAPE", "QUANTIZE", "DEQUANTIZE"}},
          {"operators", {"up to 7", "8 to 15", "16 or more"}}};
}

}  // namespace

Generator random_networks_family() {
  return {.family = "random_networks",
          .description = "random graphs of all operators, from the seed",
          .generate = generate,
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
