// What a dispatch computes after its operator, in place of dispatches of their own: see fusion.h.
#pragma once

#include <cstdint>
#include <optional>

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

}  // namespace lockstep::backend::vulkan
