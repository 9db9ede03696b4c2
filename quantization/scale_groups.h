// Which int8 tensors share one scale and zero point, and where sharing would cost more than the
// QUANTIZE that ends it.
//
// A kernel that copies or compares integers (ScaleRule::kShared) needs one scale for all it reads
// and writes; its tensors form a group, and operators that have a tensor in common join their
// groups, forwards and backwards. A group's range is the union of its members', or of those ranges
// that were demanded of any of them. An input leaves the group, and is requantized on its way into
// that one operator, where
//  - its scale is a constant of the kernel that makes it (SOFTMAX, LOGISTIC, ...) and the other
//    members need another, or
//  - it is also read by operators that take any scale, and the group's range is more than
//    kAcceptedWidening times its own: sharing would make it coarser for those too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "quantization/affine.h"
#include "quantization/operator_rules.h"

namespace lockstep::quantization {

inline constexpr float kAcceptedWidening = 2.0f;

// An operator as far as scales are concerned. Tensors are those computed at run time, or graph
// inputs; an input that is read twice is listed twice.
struct ScaledOperator {
  ScaleRule scales = ScaleRule::kFree;
  Affine fixed_output{};  // kFixed
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::optional<TensorRange> constants{};  // what its constant activations span, if it has any
};

struct ScaleGroup {
  TensorRange range;
  std::optional<Affine> fixed{};  // where a kernel dictates them; `range` is what they span
};

// Input `input` of operator `op` needs a QUANTIZE into the scale of that operator's outputs.
struct Requantization {
  size_t op = 0;
  size_t input = 0;
  bool operator==(const Requantization&) const = default;
};

struct ScaleGroups {
  std::vector<ScaleGroup> groups;
  std::map<int32_t, size_t> group_of;  // by tensor
  std::vector<Requantization> requantizations;

  const ScaleGroup& of(int32_t tensor) const { return groups[group_of.at(tensor)]; }
};

// `operators` in execution order; `ranges` has every tensor they name, and of those in `demanded`
// the demanded range.
ScaleGroups group_scales(std::span<const ScaledOperator> operators, const Ranges& ranges,
                         const Ranges& demanded = {});

}  // namespace lockstep::quantization
