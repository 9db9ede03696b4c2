// What newer ARM processors multiply bytes with.
#include "bench/cpu/register_form.h"

#if defined(__aarch64__)

#include <arm_neon.h>

namespace lockstep::bench {
namespace {

using backend::cpu::Isa;

// 16 sums: up to four instructions a cycle, each of which waits 3 or 4 cycles for the one before.
constexpr size_t kLefts = 4;
constexpr size_t kRights = 4;
constexpr size_t kBytes = 16;
constexpr size_t kSums = kBytes / sizeof(int32_t);

using Sums = int32x4_t[kLefts][kRights];

void clear(Sums& sums) {
  for (auto& row : sums) {
    for (int32x4_t& each : row) each = vdupq_n_s32(0);
  }
}

void store(const Sums& from, int32_t* to) {
  for (const auto& row : from) {
    for (const int32x4_t& each : row) {
      vst1q_s32(to, each);
      to += kSums;
    }
  }
}

__attribute__((target("arch=armv8.2-a+dotprod"))) void run_sdot(const int8_t* lefts,
                                                                const int8_t* rights,
                                                                int32_t* sums) {
  int8x16_t left[kLefts];
  int8x16_t right[kRights];
  Sums sum;
  for (size_t i = 0; i < kLefts; ++i) left[i] = vld1q_s8(lefts + i * kBytes);
  for (size_t i = 0; i < kRights; ++i) right[i] = vld1q_s8(rights + i * kBytes);
  clear(sum);
  for (int64_t step = 0; step < kRegisterSteps; ++step) {
    for (size_t l = 0; l < kLefts; ++l) {
      for (size_t r = 0; r < kRights; ++r) {
        sum[l][r] = vdotq_s32(sum[l][r], left[l], right[r]);
      }
    }
  }
  store(sum, sums);
}

__attribute__((target("arch=armv8.2-a+i8mm"))) void run_usmmla(const uint8_t* lefts,
                                                               const int8_t* rights,
                                                               int32_t* sums) {
  uint8x16_t left[kLefts];
  int8x16_t right[kRights];
  Sums sum;
  for (size_t i = 0; i < kLefts; ++i) left[i] = vld1q_u8(lefts + i * kBytes);
  for (size_t i = 0; i < kRights; ++i) right[i] = vld1q_s8(rights + i * kBytes);
  clear(sum);
  for (int64_t step = 0; step < kRegisterSteps; ++step) {
    for (size_t l = 0; l < kLefts; ++l) {
      for (size_t r = 0; r < kRights; ++r) {
        sum[l][r] = vusmmlaq_s32(sum[l][r], left[l], right[r]);
      }
    }
  }
  store(sum, sums);
}

// Both operands are two rows of 8 numbers; sum (i, j) is of row i of the left and row j of the
// right.
int64_t matrix_step(const uint8_t* left, const int8_t* right, size_t index) {
  int64_t sum = 0;
  for (size_t k = 0; k < 8; ++k) {
    sum += int64_t{left[index / 2 * 8 + k]} * right[index % 2 * 8 + k];
  }
  return sum;
}

}  // namespace

std::vector<RegisterForm> arm_forms() {
  const RegisterKernel<int8_t, int8_t, int32_t> sdot = {
      .lefts = kLefts,
      .rights = kRights,
      .left_elements = kBytes,
      .right_elements = kBytes,
      .sums = kSums,
      .depth = 4,
      .run = run_sdot,
      .step = sums_of_neighbours<int8_t, int8_t>(4)};
  const RegisterKernel<uint8_t, int8_t, int32_t> usmmla = {.lefts = kLefts,
                                                           .rights = kRights,
                                                           .left_elements = kBytes,
                                                           .right_elements = kBytes,
                                                           .sums = kSums,
                                                           .depth = 8,
                                                           .run = run_usmmla,
                                                           .step = matrix_step};
  return {{.name = "sdot-dotprod",
           .meaning = "four products of bytes added to each int32",
           .isa = Isa::kNeonDotProduct,
           .is_exact_int8 = true,
           .multiply_adds = sdot.multiply_adds(),
           .run = checked_run(sdot)},
          {.name = "usmmla-i8mm",
           .meaning = "matrices of bytes, 2 x 8 by 8 x 2, added to 2 x 2 int32",
           .isa = Isa::kNeonI8mm,
           .is_exact_int8 = true,
           .multiply_adds = usmmla.multiply_adds(),
           .run = checked_run(usmmla)}};
}

}  // namespace lockstep::bench

#else

namespace lockstep::bench {

std::vector<RegisterForm> arm_forms() { return {}; }

}  // namespace lockstep::bench

#endif
