#include "backend/cpu/pair_table.h"

#include <array>

#include "backend/cpu/operation.h"
#include "host_ref/elementwise.h"
#include "numerics/requantization.h"
#include "numerics/word_arithmetic.h"

namespace lockstep::backend::cpu {
namespace {

// function(left, right) of all pairs of bytes.
template <typename Function>
PairTable table_of(Function function) {
  PairTable table(size_t{256} * 256);
  for (size_t i = 0; i < table.size(); ++i) {
    table[i] = to_byte(function(static_cast<uint8_t>(i / 256), static_cast<uint8_t>(i % 256)));
  }
  return table;
}

// What kRescaledOperands adds, of each byte.
std::array<int32_t, 256> rescaled_operand(const graph::LoweredAdd& add, int32_t zero_point,
                                          numerics::ChannelScale scale) {
  std::array<int32_t, 256> rescaled{};
  for (int32_t byte = 0; byte < 256; ++byte) {
    rescaled[static_cast<size_t>(byte)] = numerics::scale_accumulator(
        numerics::shift_left_modulo(byte - 128 - zero_point, add.left_shift), scale,
        add.output_stage.rounding);
  }
  return rescaled;
}

}  // namespace

PairTable pair_table(const graph::LoweredAdd& add) {
  if (add.arithmetic == graph::AddArithmetic::kSharedShift) {
    return table_of([&](uint8_t left, uint8_t right) {
      return host_ref::add_element(add, from_byte(left), from_byte(right));
    });
  }
  const std::array<int32_t, 256> left = rescaled_operand(add, add.left_zero_point, add.left_scale);
  const std::array<int32_t, 256> right =
      rescaled_operand(add, add.right_zero_point, add.right_scale);
  const graph::OutputStage& stage = add.output_stage;
  return table_of([&](uint8_t l, uint8_t r) {
    return numerics::requantize(left[l] + right[r], stage.scales.front(), stage.rounding,
                                stage.zero_point, stage.activation_min, stage.activation_max);
  });
}

PairTable pair_table(const graph::LoweredMul& mul) {
  return table_of([&](uint8_t left, uint8_t right) {
    return host_ref::multiply_element(mul, from_byte(left), from_byte(right));
  });
}

}  // namespace lockstep::backend::cpu
