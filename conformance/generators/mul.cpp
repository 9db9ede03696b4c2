#include <array>

#include "conformance/generators/binary_cases.h"
#include "conformance/generators/families.h"
#include "conformance/generators/random_cases.h"

namespace lockstep::conformance {
namespace {

// XNNPACK takes left * right / output in [2^-16, 2^8).
constexpr std::array kMulScales = {
    OperandScales{"halves", 0.5f, 1.0f, 1.0f, 0, 0, 0, true, true},
    OperandScales{"quarters", 0.5f, 0.5f, 1.0f, -128, 127, 0, true, false},
    OperandScales{"128ths", 0.125f, 0.0625f, 1.0f, 127, -128, 5, false, false},
    OperandScales{"thirds", 0.5f, 0.25f, 0.375f, -3, 4, 5, false, false},
    OperandScales{"ordinary", 0.02f, 0.3f, 0.37f, -128, 127, -1, true, true},
    OperandScales{"three quarters", 0.75f, 1.0f, 1.0f, 127, -128, 127, false, false},
    OperandScales{"saturating", 0.5f, 0.5f, 0.01f, 1, -1, -128, false, false},
    OperandScales{"equal scales and lowest zero points", 0.0235294f, 0.0235294f, 0.0352f, -128,
                  -128, -128, false, false},
    OperandScales{"smallest of XNNPACK's range", 0.00390625f, 0.00390625f, 1.0f, -128, -128, 100,
                  false, false},
    OperandScales{"below XNNPACK's range", 0.001f, 0.001f, 0.5f, 7, -7, 0, false, false},
    OperandScales{"above XNNPACK's range", 300.0f, 2.0f, 1.0f, -3, 4, 5, false, false}};

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  CaseCollector cases("mul", measure_binary);
  add_binary_cases(cases, graph::BinaryKind::kMul, kMulScales);
  add_random_cases(cases, options, RandomOperator::kMul);
  return std::move(cases).finish();
}

}  // namespace

Generator mul_family() {
  return {.family = "mul",
          .description = "MUL: all pairs of operands, broadcasting, fused activations",
          .generate = generate,
          .required_coverage = required_binary_coverage};
}

}  // namespace lockstep::conformance
