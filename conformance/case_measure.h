// How large a case is: what "smaller" means while a failing one is shrunk.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "conformance/case.h"

namespace lockstep::conformance {

// Compared field by field from the first on, so that a step which simplifies something may enlarge
// what stands behind it: a stride of 1 makes the output larger. Every field is a natural number, so
// a sequence of cases that get smaller ends.
struct CaseMeasure {
  int64_t operators = 0;
  int64_t outputs = 0;
  // Sum of everything about operators and quantization that is not as plain as it can be: kernel
  // extents, strides and dilations beyond 1, operands joined, SAME, activations, zero points that
  // are not 0, scales that are no power of two, tensors quantized per axis.
  int64_t parameters = 0;
  int64_t elements = 0;  // of all tensors, whoever fills them
  // Elements of inputs and constants that are not neutral_value().
  int64_t values = 0;
  // Sum of |value - neutral value| of integers, saturated.
  int64_t magnitude = 0;

  auto operator<=>(const CaseMeasure&) const = default;
};

CaseMeasure measure_case(const Case& source);

// "1 operator, 5 parameters, 128 elements, 12 values": for progress.
std::string measure_text(const CaseMeasure& measure);

// The value that stands for real zero: the zero point, or 0 where there is none.
int64_t neutral_value(const graph::Tensor& tensor);

// Whether m * 2^n = scale with m = 1.
bool is_power_of_two(float scale);

}  // namespace lockstep::conformance
