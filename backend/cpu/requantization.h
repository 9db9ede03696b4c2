// The end of a kernel, as vectors compute it: constants in arrays by output channel, for which the
// formulae are in requantization-inl.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/cpu/isa.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend::cpu {

// How accumulators are scaled.
enum class ScaleForm : uint8_t {
  kFloat32,         // numerics::Rounding::kFloat32TiesEven, by floats: exact on every processor
  kNarrow,          // numerics::scale_accumulator_narrow, where no channel has a negative_addend
  kNarrowTiesAway,  // the same with one
  kGeneral,         // numerics::scale_accumulator: accumulators or scales too large for the others
  kNone,            // accumulators are stored as they are
};

// An output stage's constants. All arrays have kConstantPadding more entries than channels, of
// zeros, so that vectors may read beyond the last channel.
inline constexpr size_t kConstantPadding = 64;

struct Requantization {
  ScaleForm form = ScaleForm::kGeneral;
  std::vector<int32_t> bias;  // added to the accumulators first, modulo 2^32
  // kFloat32
  std::vector<float> scale;
  // kNarrow and kNarrowTiesAway, see numerics::NarrowScale
  std::vector<int32_t> multiplier;
  std::vector<int32_t> left_shift;
  std::vector<int32_t> addend;
  std::vector<int32_t> addend_of_negative;  // addend + negative_addend
  std::vector<int32_t> right_shift;
  // Of the byte domain.
  int32_t zero_point = 128;
  int32_t minimum = 0;
  int32_t maximum = 255;
  // kGeneral
  graph::OutputStage stage;

  int64_t constant_bytes() const;
};

// What a channel's accumulator can be with its bias, were it not taken modulo 2^32.
struct AccumulatorRange {
  int64_t minimum = 0;
  int64_t maximum = 0;
  bool operator==(const AccumulatorRange&) const = default;
};

// `ranges`: of each channel.
Requantization make_requantization(const graph::OutputStage& stage, std::span<const int32_t> bias,
                                   std::span<const AccumulatorRange> ranges);

// kGeneral: `count` neighbouring channels, from `first_channel` on, bias included.
void requantize_generally(const Requantization& requantization, size_t first_channel,
                          const int32_t* accumulators, size_t count, uint8_t* output);

}  // namespace lockstep::backend::cpu
