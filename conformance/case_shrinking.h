// Smaller cases made from a failing one: what minimiser.h tries. Generic over graphs: whatever a
// case holds, one operator or a whole network, is taken apart by the same few rules.
//
// A step is cheap to list and costly to make, so a list of thousands can be walked until one fails.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "conformance/case.h"
#include "conformance/case_measure.h"
#include "graph/status.h"
#include "numerics/contract.h"

namespace lockstep::conformance {

// In the order in which they pay: each stage makes the later ones cheaper.
enum class ShrinkStage : uint8_t {
  // One operator, a beginning, an end or a middle part, or fewer outputs. What a part reads from
  // operators that are gone comes from host_ref's run of the case.
  kCut,
  // Fewer of everything that is counted: images, rows, columns, channels, kernel taps, padding,
  // operands of a concatenation. Weights, biases and scales per axis are sliced along.
  kExtents,
  // Strides and dilations 1, VALID, no activation, zero points 0, scales powers of two, one scale
  // a tensor.
  kParameters,
  // Inputs, weights and biases: blocks of them to the zero point, then single ones towards it.
  kValues,
};
inline constexpr ShrinkStage kAllShrinkStages[] = {ShrinkStage::kCut, ShrinkStage::kExtents,
                                                   ShrinkStage::kParameters, ShrinkStage::kValues};

struct ShrinkStep {
  std::string description;  // "channels 16 -> 8", for progress
  // A case that passes validate() and measures strictly less than the source; an error where the
  // step turns out to lead to none.
  std::function<Result<Case>()> make;
};

struct ShrinkContext {
  // Whose host_ref run gives what cut operators read.
  numerics::Contract contract = numerics::Contract::kTflite;
  // Name of the tensor in which the failure shows; the operator that makes it is tried first.
  // Empty where it is not known.
  std::string failing_tensor;
};

// All steps of a stage, in an order that does not depend on anything but the source. The steps keep
// `source` alive.
std::vector<ShrinkStep> shrink_steps(const std::shared_ptr<const Case>& source, ShrinkStage stage,
                                     const ShrinkContext& context);

}  // namespace lockstep::conformance
