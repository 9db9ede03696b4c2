// What becomes of each operator when a float network is made int8.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "graph/status.h"
#include "quantization/affine.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

enum class Treatment : uint8_t {
  kInt8,
  kFloat,      // computes in float; QUANTIZE and DEQUANTIZE stand where it meets int8
  kUntouched,  // has no float tensor
};

struct OperatorTreatment {
  Treatment treatment = Treatment::kInt8;
  std::string reason;  // kFloat: why, for a person
};

// Operators that shall stay float, told by their name ("SOFTMAX", or a custom operator's own) or
// by that of a tensor that they make. The result holds all tensors of each, which keep their
// numbers when operators are fused. kInvalidArgument names what selects nothing.
Result<std::set<int32_t>> find_kept_outputs(const schema::ModelT& model,
                                            std::span<const std::string> selectors);

// One for each operator of the first subgraph. `model` is a plain float network, checked;
// `kept_outputs` are tensors whose operators shall stay float. `borders_are_float`: graph inputs
// and outputs will be float32, so that what only moves elements between them and operators that
// stay float gains nothing from int8.
std::vector<OperatorTreatment> choose_treatments(const schema::ModelT& model, const Ranges& ranges,
                                                 const std::set<int32_t>& kept_outputs,
                                                 bool borders_are_float);

}  // namespace lockstep::quantization
