#include <array>

#include "conformance/generators/binary_cases.h"
#include "conformance/generators/families.h"
#include "conformance/generators/random_cases.h"

namespace lockstep::conformance {
namespace {

// The builtin kernel brings both operands to twice the larger scale; XNNPACK takes ratios to the
// output's scale in [2^-10, 2^8).
constexpr std::array kAddScales = {
    OperandScales{"halves", 0.5f, 0.5f, 1.0f, 0, 0, 0, true, true},
    OperandScales{"quarters", 0.25f, 0.5f, 1.0f, -128, 127, 0, true, false},
    OperandScales{"eighths", 0.125f, 0.375f, 1.0f, 127, -128, 5, false, false},
    OperandScales{"thirds", 0.5f, 0.25f, 0.75f, -3, 4, 5, false, false},
    OperandScales{"ordinary", 0.1f, 0.3f, 0.37f, -128, 127, -1, true, true},
    // XNNPACK's multipliers lie between two integers, and either neighbour changes results.
    OperandScales{"multipliers between integers", 0.134f, 0.225f, 0.442f, -128, 127, -1, false,
                  false},
    OperandScales{"saturating", 0.02f, 0.9f, 0.01f, 127, -128, 127, false, false},
    OperandScales{"right tiny", 1.0f, 0.001f, 0.5f, 1, -1, -128, false, false},
    OperandScales{"equal scales and lowest zero points", 0.0235294f, 0.0235294f, 0.0352f, -128,
                  -128, -128, false, false},
    OperandScales{"ends of XNNPACK's range", 0.0009765625f, 255.99998f, 1.0f, 12, -14, 100, false,
                  false},
    OperandScales{"below XNNPACK's range", 0.3f, 0.0002f, 0.5f, 7, -7, 0, false, false},
    OperandScales{"above XNNPACK's range", 300.0f, 2.0f, 1.0f, -3, 4, 5, false, false}};

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  CaseCollector cases("add", measure_binary);
  add_binary_cases(cases, graph::BinaryKind::kAdd, kAddScales);
  add_random_cases(cases, options, RandomOperator::kAdd);
  return std::move(cases).finish();
}

}  // namespace

Generator add_family() {
  return {.family = "add",
          .description = "ADD: all pairs of operands, broadcasting, fused activations",
          .generate = generate,
          .required_coverage = required_binary_coverage};
}

}  // namespace lockstep::conformance
