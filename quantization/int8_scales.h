// Which tensors of a float network become int8, and with which scales.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "graph/status.h"
#include "quantization/affine.h"
#include "quantization/model_editing.h"
#include "quantization/treatment.h"

namespace lockstep::quantization {

struct Int8Scales {
  // Of every activation that an int8 operator makes or reads.
  std::map<int32_t, Affine> of_tensor;
  // Of inputs, by operator and position, that need another than their tensor's: those that leave
  // their group, and constants.
  std::map<std::pair<size_t, size_t>, Affine> of_input;
};

// `demanded`: ranges that somebody asked for, which count instead of everything else that a tensor
// shares its scale with. kInvalidArgument where a range or a constant is not finite, or where a
// demanded range cannot be had: the tensor stays float, or a kernel dictates its scale.
Result<Int8Scales> choose_int8_scales(const schema::ModelT& model, Ranges ranges,
                                      std::span<const OperatorTreatment> treatments,
                                      const Ranges& demanded);

}  // namespace lockstep::quantization
