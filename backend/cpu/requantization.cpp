#include "backend/cpu/requantization.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/operation.h"
#include "numerics/requantization.h"

namespace lockstep::backend::cpu {
namespace {

// The float32 that a Float32Scale is.
float scale_as_float(numerics::ChannelScale scale) {
  return std::ldexp(static_cast<float>(scale.multiplier), scale.shift);
}

ScaleForm form_of(const graph::OutputStage& stage, std::span<const int64_t> accumulator_bounds) {
  if (stage.stores_accumulators) return ScaleForm::kNone;
  if (stage.rounding == numerics::Rounding::kFloat32TiesEven) return ScaleForm::kFloat32;
  for (size_t channel = 0; channel < stage.scales.size(); ++channel) {
    if (!numerics::is_narrow(stage.scales[channel], stage.rounding, accumulator_bounds[channel])) {
      return ScaleForm::kGeneral;
    }
  }
  return stage.rounding == numerics::Rounding::kDoubleTiesAway ? ScaleForm::kNarrowTiesAway
                                                               : ScaleForm::kNarrow;
}

}  // namespace

int64_t Requantization::constant_bytes() const {
  const size_t entries = bias.size() + scale.size() + multiplier.size() + left_shift.size() +
                         addend.size() + addend_of_negative.size() + right_shift.size();
  return static_cast<int64_t>(entries * sizeof(int32_t) +
                              stage.scales.size() * sizeof(numerics::ChannelScale));
}

Requantization make_requantization(const graph::OutputStage& stage, std::span<const int32_t> bias,
                                   std::span<const int64_t> accumulator_bounds) {
  Requantization made;
  made.form = form_of(stage, accumulator_bounds);
  made.bias.assign(bias.begin(), bias.end());
  made.bias.resize(bias.size() + kConstantPadding);
  made.zero_point = stage.zero_point + 128;
  made.minimum = stage.activation_min + 128;
  made.maximum = stage.activation_max + 128;
  if (made.form == ScaleForm::kGeneral) made.stage = stage;
  if (made.form == ScaleForm::kFloat32) {
    for (const numerics::ChannelScale& scale : stage.scales) {
      made.scale.push_back(scale_as_float(scale));
    }
    made.scale.resize(stage.scales.size() + kConstantPadding);
  }
  if (made.form == ScaleForm::kNarrow || made.form == ScaleForm::kNarrowTiesAway) {
    for (const numerics::ChannelScale& scale : stage.scales) {
      const numerics::NarrowScale narrow = numerics::narrow_scale(scale, stage.rounding);
      made.multiplier.push_back(narrow.multiplier);
      made.left_shift.push_back(narrow.left_shift);
      made.addend.push_back(narrow.addend);
      made.addend_of_negative.push_back(narrow.addend + narrow.negative_addend);
      made.right_shift.push_back(narrow.right_shift);
    }
    for (std::vector<int32_t>* constants : {&made.multiplier, &made.left_shift, &made.addend,
                                            &made.addend_of_negative, &made.right_shift}) {
      constants->resize(stage.scales.size() + kConstantPadding);
    }
  }
  return made;
}

void requantize_generally(const Requantization& requantization, size_t first_channel,
                          const int32_t* accumulators, size_t count, uint8_t* output) {
  const graph::OutputStage& stage = requantization.stage;
  for (size_t i = 0; i < count; ++i) {
    const size_t channel = first_channel + i;
    output[i] =
        to_byte(numerics::requantize(accumulators[i], stage.scales[channel], stage.rounding,
                                     stage.zero_point, stage.activation_min, stage.activation_max));
  }
}

}  // namespace lockstep::backend::cpu
