#include "backend/cpu/requantization.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include "backend/cpu/operation.h"
#include "numerics/requantization.h"

namespace lockstep::backend::cpu {
namespace {

// The float32 that a Float32Scale is.
float scale_as_float(numerics::ChannelScale scale) {
  return std::ldexp(static_cast<float>(scale.multiplier), scale.shift);
}

// The constants of a narrow form for one channel; nothing where it has none.
std::optional<numerics::NarrowScale> narrow_scale(const graph::OutputStage& stage, size_t channel,
                                                  AccumulatorRange range) {
  const numerics::ChannelScale scale = stage.scales[channel];
  const int64_t bound = std::max(std::abs(range.minimum), std::abs(range.maximum));
  if (numerics::is_narrow(scale, stage.rounding, bound)) {
    return numerics::narrow_scale(scale, stage.rounding);
  }
  // Channels that training left without use have next to no weights, a scale next to zero, and so
  // the largest biases there are. Scaling never decreases (without a left shift, which may lose
  // bits), so an output that is the same at both ends is the same everywhere:
  //   (high word of 0 + 2 * output) >> 1.
  constexpr int64_t kLowest = std::numeric_limits<int32_t>::min();
  constexpr int64_t kHighest = std::numeric_limits<int32_t>::max();
  if (scale.shift > 0 || scale.multiplier < 0 || range.minimum < kLowest ||
      range.maximum > kHighest) {
    return std::nullopt;
  }
  const auto output_of = [&](int64_t accumulator) {
    return numerics::requantize(static_cast<int32_t>(accumulator), scale, stage.rounding,
                                stage.zero_point, stage.activation_min, stage.activation_max) -
           stage.zero_point;
  };
  const int32_t output = output_of(range.minimum);
  if (output != output_of(range.maximum)) return std::nullopt;
  return numerics::NarrowScale{.multiplier = 0,
                               .left_shift = 0,
                               .addend = 2 * output,
                               .negative_addend = 0,
                               .right_shift = 1};
}

}  // namespace

int64_t Requantization::constant_bytes() const {
  const size_t entries = bias.size() + scale.size() + multiplier.size() + left_shift.size() +
                         addend.size() + addend_of_negative.size() + right_shift.size();
  return static_cast<int64_t>(entries * sizeof(int32_t) +
                              stage.scales.size() * sizeof(numerics::ChannelScale));
}

Requantization make_requantization(const graph::OutputStage& stage, std::span<const int32_t> bias,
                                   std::span<const AccumulatorRange> ranges) {
  Requantization made;
  made.bias.assign(bias.begin(), bias.end());
  made.bias.resize(bias.size() + kConstantPadding);
  made.zero_point = stage.zero_point + 128;
  made.minimum = stage.activation_min + 128;
  made.maximum = stage.activation_max + 128;
  if (stage.stores_accumulators) {
    made.form = ScaleForm::kNone;
    return made;
  }
  if (stage.rounding == numerics::Rounding::kFloat32TiesEven) {
    made.form = ScaleForm::kFloat32;
    for (const numerics::ChannelScale& scale : stage.scales) {
      made.scale.push_back(scale_as_float(scale));
    }
    made.scale.resize(stage.scales.size() + kConstantPadding);
    return made;
  }
  made.form = stage.rounding == numerics::Rounding::kDoubleTiesAway ? ScaleForm::kNarrowTiesAway
                                                                    : ScaleForm::kNarrow;
  for (size_t channel = 0; channel < stage.scales.size(); ++channel) {
    const auto narrow = narrow_scale(stage, channel, ranges[channel]);
    if (!narrow) {
      made.form = ScaleForm::kGeneral;
      made.stage = stage;
      return made;
    }
    made.multiplier.push_back(narrow->multiplier);
    made.left_shift.push_back(narrow->left_shift);
    made.addend.push_back(narrow->addend);
    made.addend_of_negative.push_back(narrow->addend + narrow->negative_addend);
    made.right_shift.push_back(narrow->right_shift);
  }
  for (std::vector<int32_t>* constants : {&made.multiplier, &made.left_shift, &made.addend,
                                          &made.addend_of_negative, &made.right_shift}) {
    constants->resize(stage.scales.size() + kConstantPadding);
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
