// ADD as shaders take it: see shaders/addition.glsl.
#pragma once

#include <array>
#include <cstdint>

#include "graph/lowered_graph.h"

namespace lockstep::backend::vulkan {

// kNoAddition of addition.glsl.
inline constexpr uint32_t kNoAddition = 2;

// The arithmetic of an ADD: its operands' names are not part of it.
struct Addition {
  // Specialization constants.
  uint32_t arithmetic = kNoAddition;  // a graph::AddArithmetic
  uint32_t end = 0;                   // of its scales: a numerics::Rounding, or one + kNarrow

  int32_t left_zero_point = 0;
  int32_t right_zero_point = 0;
  int32_t left_shift = 0;
  numerics::ChannelScale left{};
  numerics::ChannelScale right{};
  numerics::ChannelScale sum{};  // of the shared shift: its bias and its shift
  int32_t output_zero_point = 0;
  int32_t activation_min = -128;
  int32_t activation_max = 127;
};

Addition addition_of(const graph::LoweredAdd& op);

// The same sum with its operands in the other order.
Addition with_operands_swapped(const Addition& addition);

}  // namespace lockstep::backend::vulkan
