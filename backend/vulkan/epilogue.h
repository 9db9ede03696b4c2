// What a dispatch computes after its operator, in place of dispatches of their own: see fusion.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "backend/vulkan/addition.h"

namespace lockstep::backend::vulkan {

// The operator's result, an 8-bit value as it always was, goes through this before it is stored.
struct Epilogue {
  // Its left operand is the operator's result; kNoAddition where nothing is added.
  Addition addition{};
  int32_t right = -1;  // the tensor that is the right operand; lies as the output does

  std::optional<graph::ByteTable> table;  // what the sum, or the result, is looked up in

  bool adds() const { return addition.arithmetic != kNoAddition; }
  bool is_empty() const { return !adds() && !table; }
};

// What kernels that include epilogue.glsl are given for one; nothing of it costs anything where the
// epilogue is empty.

// Specialization constants 2 to 4.
std::array<uint32_t, 3> epilogue_constants(const Epilogue& epilogue);

// The uvec4 of load_epilogue() and look_up(), up to the last one that is used; at most so many.
inline constexpr int64_t kMaximumEpilogueUnits = 3 + 16;
std::vector<int32_t> epilogue_parameters(const Epilogue& epilogue);

}  // namespace lockstep::backend::vulkan
