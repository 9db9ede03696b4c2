// What the families of ADD and MUL share: pairs of operands, broadcasting, activations.
#pragma once

#include <span>
#include <vector>

#include "conformance/generator.h"
#include "conformance/generators/case_collector.h"
#include "graph/operators.h"

namespace lockstep::conformance {

// One relation of scales and zero points (signed domain) for the grid of all pairs of operands.
struct OperandScales {
  const char* name;
  float left;
  float right;
  float output;
  int32_t left_zero_point;
  int32_t right_zero_point;
  int32_t output_zero_point;
  bool also_uint8;
  bool is_quick;
};

// Everything but the random cases.
void add_binary_cases(CaseCollector& cases, graph::BinaryKind kind,
                      std::span<const OperandScales> scales);

// "broadcast": none, "left scalar", "right channels", "left outer", "right middle", "left inner",
// "both sides", "ranks differ"; "operands": "all 65536 pairs", "same tensor twice", "constant";
// "litert arithmetic": XNNPACK's or the builtin kernel's; "activation bound": "half" where a bound
// lies half way between two integers; "tie", "saturation".
void measure_binary(const MeasuredGraph& measured, CoveragePoints& points);

std::vector<RequiredCoverage> required_binary_coverage();

}  // namespace lockstep::conformance
