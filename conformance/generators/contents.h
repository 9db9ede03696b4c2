// Contents of 8-bit tensors that hit corners. Generators think in the signed domain, where int8 and
// uint8 are one (graph/lowered_graph.h): a uint8 value q is q - 128 here, and its zero point too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "conformance/generators/random.h"
#include "graph/tensor.h"

namespace lockstep::conformance {

enum class Pattern : uint8_t {
  kRandom,
  kAllMinimum,   // -128
  kAllMaximum,   // 127
  kAlternating,  // -128, 127, -128, ...
  kRamp,         // -128, -127, ..., 127, -128, ...: every value there is
  kOneHot,       // the zero point everywhere but in one random place, which holds 127 or -128
};

inline constexpr Pattern kAllPatterns[] = {Pattern::kRandom,     Pattern::kAllMinimum,
                                           Pattern::kAllMaximum, Pattern::kAlternating,
                                           Pattern::kRamp,       Pattern::kOneHot};

std::string_view pattern_name(Pattern pattern);  // "random", "all_minimum", ...

// `count` values of the signed domain.
std::vector<int8_t> make_contents(Pattern pattern, size_t count, int32_t zero_point,
                                  Random& random);

// The values as bytes of a tensor of `type`, kInt8 or kUint8: q or q + 128.
std::vector<std::byte> bytes_of(graph::DataType type, std::span<const int8_t> values);

// A zero point of the signed domain as a model of `type` writes it.
constexpr int32_t model_zero_point(graph::DataType type, int32_t zero_point) {
  return type == graph::DataType::kUint8 ? zero_point + 128 : zero_point;
}

}  // namespace lockstep::conformance
