// ADD and MUL against host_ref.
#include "host_ref/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>

#include "backend/cpu/affine_sum.h"
#include "backend/cpu/operations.h"
#include "backend/cpu/testing/operation_runs.h"

namespace lockstep::backend::cpu {
namespace {

using graph::AddArithmetic;
using graph::BroadcastExtents;
using graph::LoweredAdd;
using graph::LoweredMul;
using numerics::Rounding;
using Extents = std::array<int32_t, 4>;

BroadcastExtents broadcast(const Extents& left, const Extents& right) {
  BroadcastExtents extents;
  int32_t left_stride = 1;
  int32_t right_stride = 1;
  for (size_t i = 4; i-- > 0;) {
    extents.output[i] = left[i] == 1 ? right[i] : left[i];
    extents.left_strides[i] = left[i] == 1 ? 0 : left_stride;
    extents.right_strides[i] = right[i] == 1 ? 0 : right_stride;
    left_stride *= left[i];
    right_stride *= right[i];
  }
  return extents;
}

struct Shapes {
  Extents left;
  Extents right;
};

constexpr std::array kShapes = {
    Shapes{{1, 1, 1, 1}, {1, 1, 1, 1}},      Shapes{{1, 1, 1, 5}, {1, 1, 1, 5}},
    Shapes{{2, 5, 7, 17}, {2, 5, 7, 17}},    Shapes{{1, 1, 1, 640}, {1, 1, 1, 640}},
    Shapes{{2, 3, 4, 33}, {1, 1, 1, 33}},    Shapes{{1, 1, 1, 100}, {2, 3, 4, 100}},
    Shapes{{2, 3, 4, 64}, {2, 1, 1, 64}},    Shapes{{2, 3, 4, 3}, {2, 3, 4, 1}},
    Shapes{{2, 3, 4, 1}, {2, 3, 4, 130}},    Shapes{{2, 3, 4, 33}, {1, 1, 1, 1}},
    Shapes{{1, 1, 1, 1}, {2, 3, 4, 33}},     Shapes{{1, 3, 1, 5}, {2, 1, 4, 1}},
    Shapes{{2, 1, 4, 1}, {1, 3, 1, 33}},     Shapes{{1, 5, 1, 1}, {2, 5, 7, 1}},
    Shapes{{4, 40, 40, 24}, {1, 40, 1, 24}}, Shapes{{0, 3, 4, 5}, {0, 3, 4, 5}},
};

int64_t count(const Extents& extents) {
  return int64_t{extents[0]} * extents[1] * extents[2] * extents[3];
}

template <typename Lowered>
void expect_like_reference(Lowered lowered, const Shapes& shapes, const auto& reference) {
  lowered.left = 0;
  lowered.right = 1;
  lowered.output = 2;
  lowered.extents = broadcast(shapes.left, shapes.right);
  const std::array inputs = {testing::random_values(count(shapes.left), 1),
                             testing::random_values(count(shapes.right), 2)};
  std::vector<int8_t> expected(static_cast<size_t>(count(lowered.extents.output)));
  reference(lowered, inputs[0], inputs[1], expected);
  testing::expect_values([&](const Target& target) { return make_operation(lowered, target); },
                         inputs, expected);
}

void expect_addition(const LoweredAdd& add, const Shapes& shapes) {
  expect_like_reference(add, shapes, host_ref::add);
}

void expect_multiplication(const LoweredMul& mul, const Shapes& shapes) {
  expect_like_reference(mul, shapes, host_ref::multiply);
}

// Every pair of bytes once.
constexpr Shapes kAllPairs = {{1, 1, 256, 1}, {1, 1, 1, 256}};

void expect_all_pairs(auto lowered, const auto& reference) {
  lowered.left = 0;
  lowered.right = 1;
  lowered.output = 2;
  lowered.extents = broadcast(kAllPairs.left, kAllPairs.right);
  std::vector<int8_t> all;
  for (int value = -128; value < 128; ++value) all.push_back(static_cast<int8_t>(value));
  const std::array inputs = {all, all};
  std::vector<int8_t> expected(size_t{256} * 256);
  reference(lowered, inputs[0], inputs[1], expected);
  testing::expect_values([&](const Target& target) { return make_operation(lowered, target); },
                         inputs, expected);
}

// As lowering makes it of these scales.
LoweredAdd rescaled_sum(double left_scale, double right_scale, double output_scale,
                        Rounding rounding) {
  const double twice = 2.0 * std::max(left_scale, right_scale);
  LoweredAdd add;
  add.left_shift = 20;
  add.left_scale = numerics::channel_scale(left_scale / twice, rounding);
  add.right_scale = numerics::channel_scale(right_scale / twice, rounding);
  add.output_stage.rounding = rounding;
  add.output_stage.scales = {numerics::channel_scale(twice / (1048576.0 * output_scale), rounding)};
  return add;
}

LoweredAdd with_zero_points(LoweredAdd add, int32_t left, int32_t right, int32_t output) {
  add.left_zero_point = left;
  add.right_zero_point = right;
  add.output_stage.zero_point = output;
  return add;
}

// (left - 3) / 2 + (right + 4) / 4, ties up.
LoweredAdd shared_shift_sum() {
  LoweredAdd add;
  add.arithmetic = AddArithmetic::kSharedShift;
  add.left_scale = {1 << 20, 0};
  add.right_scale = {1 << 19, 0};
  add.shared_bias = (1 << 20) - 3 * (1 << 20) + 4 * (1 << 19);
  add.shared_shift = 21;
  add.output_stage.zero_point = 5;
  return add;
}

TEST(CpuAdd, BroadcastsLikeTheReference) {
  const LoweredAdd rescaled =
      with_zero_points(rescaled_sum(0.021, 0.034, 0.029, Rounding::kDoubleTiesAway), -3, 7, 11);
  for (const Shapes& shapes : kShapes) {
    expect_addition(rescaled, shapes);
    expect_addition(shared_shift_sum(), shapes);
  }
}

TEST(CpuAdd, IsExactForAllPairsAndZeroPoints) {
  for (const Rounding rounding :
       {Rounding::kDoubleTiesUp, Rounding::kDoubleTiesAway, Rounding::kSingle}) {
    for (const int32_t zero_point : {-128, 0, 127}) {
      // Quotients of powers of two: every second sum is a tie.
      for (const double output_scale : {0.5, 1.0, 2.0, 0.7}) {
        expect_all_pairs(with_zero_points(rescaled_sum(0.5, 0.25, output_scale, rounding),
                                          zero_point, -zero_point / 2, zero_point),
                         host_ref::add);
      }
      expect_all_pairs(with_zero_points(rescaled_sum(0.013, 0.07, 0.05, rounding), zero_point,
                                        zero_point, -zero_point / 2),
                       host_ref::add);
    }
  }
}

TEST(CpuAdd, ClampsLikeTheReference) {
  LoweredAdd add = rescaled_sum(0.05, 0.04, 0.03, Rounding::kDoubleTiesAway);
  add.output_stage.activation_min = -20;
  add.output_stage.activation_max = 30;
  expect_all_pairs(add, host_ref::add);
  LoweredAdd shared = shared_shift_sum();
  shared.output_stage.activation_min = 5;
  shared.output_stage.activation_max = 5;
  expect_all_pairs(shared, host_ref::add);
}

TEST(CpuAdd, SharesShiftsOfAllSizes) {
  for (const int32_t shift : {12, 14, 15, 20, 29, 30}) {
    LoweredAdd add = shared_shift_sum();
    add.shared_shift = shift;
    add.left_scale = {(1 << 20) + 12345, 0};
    add.right_scale = {2047, 0};
    add.shared_bias = 1 << (shift - 1);
    expect_all_pairs(add, host_ref::add);
  }
}

// Scales that no formula of vectors is for.
TEST(CpuAdd, LooksUpWhatHasNoFormula) {
  LoweredAdd zero = rescaled_sum(0.5, 0.5, 1.0, Rounding::kDoubleTiesAway);
  zero.left_scale = {0, 0};
  expect_all_pairs(zero, host_ref::add);
  LoweredAdd large = rescaled_sum(0.5, 0.5, 1.0, Rounding::kDoubleTiesAway);
  large.output_stage.scales = {{1 << 30, -8}};
  expect_all_pairs(large, host_ref::add);
  LoweredAdd floats = rescaled_sum(0.5, 0.25, 1.0, Rounding::kDoubleTiesAway);
  floats.output_stage.rounding = Rounding::kFloat32TiesEven;
  for (numerics::ChannelScale* scale :
       {&floats.left_scale, &floats.right_scale, &floats.output_stage.scales[0]}) {
    *scale = numerics::channel_scale(1e-3, Rounding::kFloat32TiesEven);
  }
  expect_all_pairs(floats, host_ref::add);
}

// Scales that calibration measured have no simple ratios, which would make ties of many sums.
TEST(CpuAdd, FindsFormulaeForCommonScales) {
  for (const double left_scale : {0.011283, 0.050917, 0.250331}) {
    for (const double right_scale : {0.012171, 0.173231, 0.089713}) {
      for (const double output_scale : {0.193457, 0.311173, 0.502191}) {
        const LoweredAdd add = with_zero_points(
            rescaled_sum(left_scale, right_scale, output_scale, Rounding::kDoubleTiesAway), 3, -9,
            1);
        EXPECT_TRUE(affine_sum_of_rescaled_operands(add, pair_table(add)))
            << left_scale << " " << right_scale << " " << output_scale;
      }
    }
  }
}

LoweredMul product(double scale, Rounding rounding, int32_t left_zero_point,
                   int32_t right_zero_point, int32_t output_zero_point) {
  LoweredMul mul;
  mul.left_zero_point = left_zero_point;
  mul.right_zero_point = right_zero_point;
  mul.output_stage.rounding = rounding;
  mul.output_stage.scales = {numerics::channel_scale(scale, rounding)};
  mul.output_stage.zero_point = output_zero_point;
  return mul;
}

TEST(CpuMul, BroadcastsLikeTheReference) {
  for (const Shapes& shapes : kShapes) {
    expect_multiplication(product(0.0123, Rounding::kDoubleTiesAway, -3, 7, 11), shapes);
  }
}

TEST(CpuMul, IsExactForAllPairsRoundingsAndScales) {
  for (const Rounding rounding : numerics::kAllRoundings) {
    for (const int32_t zero_point : {-128, 0, 127}) {
      // The last ones are beyond what vectors scale.
      for (const double scale : {0.0, 1e-9, 0.0077, 0.5, 1.0, 3.7, 30000.0, 9e8}) {
        LoweredMul mul = product(scale, rounding, zero_point, -zero_point / 2, zero_point / 3);
        expect_all_pairs(mul, host_ref::multiply);
      }
    }
  }
}

TEST(CpuMul, ClampsLikeTheReference) {
  for (const Rounding rounding : numerics::kAllRoundings) {
    LoweredMul mul = product(0.05, rounding, 1, 2, 3);
    mul.output_stage.activation_min = -20;
    mul.output_stage.activation_max = 30;
    expect_all_pairs(mul, host_ref::multiply);
  }
}

}  // namespace
}  // namespace lockstep::backend::cpu
