// Multiplying and adding with the vectors that every processor has: bytes widened to int16, whose
// pairs of products are exact int32, and float32.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/cpu/vector_forms.cpp"
#include "backend/cpu/vector_targets.h"
// After it:
#include <fmt/format.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "bench/cpu/register_form.h"

#ifndef LOCKSTEP_BENCH_VECTOR_FORMS
#define LOCKSTEP_BENCH_VECTOR_FORMS
namespace lockstep::bench {

// As many as the 16 registers of SSE4 and AVX2 hold: 6 operands, 8 sums.
inline constexpr size_t kVectorLefts = 2;
inline constexpr size_t kVectorRights = 4;

struct VectorKernels {
  size_t lanes = 0;  // of 32 bits
  void (*multiply_add_int16)(const int16_t* lefts, const int16_t* rights, int32_t* sums);
  void (*multiply_add_float32)(const float* lefts, const float* rights, float* sums);
};

}  // namespace lockstep::bench
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::bench {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Makes the compiler believe that a register has changed, or it would multiply once and for all.
template <typename Vector>
HWY_INLINE void seem_to_change(Vector& vector) {
#if HWY_ARCH_X86
  __asm__ volatile("" : "+v"(vector.raw));
#else
  __asm__ volatile("" : "+w"(vector.raw));
#endif
}

void multiply_add_int16(const int16_t* lefts, const int16_t* rights, int32_t* sums) {
  const hn::ScalableTag<int32_t> words;
  const hn::Repartition<int16_t, decltype(words)> halves;
  using Words = hn::Vec<decltype(words)>;
  using Halves = hn::Vec<decltype(halves)>;
  Halves left[kVectorLefts];
  Halves right[kVectorRights];
  for (size_t i = 0; i < kVectorLefts; ++i) {
    left[i] = hn::LoadU(halves, lefts + i * hn::Lanes(halves));
  }
  for (size_t i = 0; i < kVectorRights; ++i) {
    right[i] = hn::LoadU(halves, rights + i * hn::Lanes(halves));
  }
  // An addition of two products on x86; on ARM two additions, to sums of their own.
  Words sum[kVectorLefts][kVectorRights];
  Words upper_sum[kVectorLefts][kVectorRights];
  for (size_t l = 0; l < kVectorLefts; ++l) {
    for (size_t r = 0; r < kVectorRights; ++r) sum[l][r] = upper_sum[l][r] = hn::Zero(words);
  }
  for (int64_t step = 0; step < kRegisterSteps; ++step) {
    for (size_t l = 0; l < kVectorLefts; ++l) {
      seem_to_change(left[l]);
      for (size_t r = 0; r < kVectorRights; ++r) {
        sum[l][r] =
            hn::ReorderWidenMulAccumulate(words, left[l], right[r], sum[l][r], upper_sum[l][r]);
      }
    }
  }
  for (size_t l = 0; l < kVectorLefts; ++l) {
    for (size_t r = 0; r < kVectorRights; ++r) {
      hn::StoreU(hn::RearrangeToOddPlusEven(sum[l][r], upper_sum[l][r]), words,
                 sums + (l * kVectorRights + r) * hn::Lanes(words));
    }
  }
}

void multiply_add_float32(const float* lefts, const float* rights, float* sums) {
  const hn::ScalableTag<float> floats;
  using Floats = hn::Vec<decltype(floats)>;
  const size_t lanes = hn::Lanes(floats);
  Floats left[kVectorLefts];
  Floats right[kVectorRights];
  Floats sum[kVectorLefts][kVectorRights];
  for (size_t l = 0; l < kVectorLefts; ++l) left[l] = hn::LoadU(floats, lefts + l * lanes);
  for (size_t r = 0; r < kVectorRights; ++r) right[r] = hn::LoadU(floats, rights + r * lanes);
  for (size_t l = 0; l < kVectorLefts; ++l) {
    for (size_t r = 0; r < kVectorRights; ++r) sum[l][r] = hn::Zero(floats);
  }
  for (int64_t step = 0; step < kRegisterSteps; ++step) {
    for (size_t l = 0; l < kVectorLefts; ++l) {
      seem_to_change(left[l]);
      for (size_t r = 0; r < kVectorRights; ++r) {
        sum[l][r] = hn::MulAdd(left[l], right[r], sum[l][r]);
      }
    }
  }
  for (size_t l = 0; l < kVectorLefts; ++l) {
    for (size_t r = 0; r < kVectorRights; ++r) {
      hn::StoreU(sum[l][r], floats, sums + (l * kVectorRights + r) * lanes);
    }
  }
}

inline constexpr VectorKernels kVectorKernels = {.lanes = HWY_MAX_BYTES / sizeof(int32_t),
                                                 .multiply_add_int16 = multiply_add_int16,
                                                 .multiply_add_float32 = multiply_add_float32};

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::bench {
namespace {

using backend::cpu::Isa;

RegisterForm int16_form(Isa isa, const std::string& instruction, const VectorKernels& kernels) {
  const RegisterKernel<int16_t, int16_t, int32_t> kernel = {
      .lefts = kVectorLefts,
      .rights = kVectorRights,
      .left_elements = 2 * kernels.lanes,
      .right_elements = 2 * kernels.lanes,
      .sums = kernels.lanes,
      .depth = 2,
      .run = kernels.multiply_add_int16,
      .step = sums_of_neighbours<int16_t, int16_t>(2)};
  return {.name = fmt::format("{}-{}", instruction, backend::cpu::isa_name(isa)),
          .meaning = "bytes widened to int16, pairs of products added to each int32",
          .isa = isa,
          .is_exact_int8 = true,
          .multiply_adds = kernel.multiply_adds(),
          .run = checked_run(kernel)};
}

RegisterForm float32_form(Isa isa, const VectorKernels& kernels) {
  const RegisterKernel<float, float, float> kernel = {.lefts = kVectorLefts,
                                                      .rights = kVectorRights,
                                                      .left_elements = kernels.lanes,
                                                      .right_elements = kernels.lanes,
                                                      .sums = kernels.lanes,
                                                      .depth = 1,
                                                      .run = kernels.multiply_add_float32,
                                                      .step = sums_of_neighbours<float, float>(1)};
  return {.name = std::string(backend::cpu::isa_name(isa)),
          .meaning = "float32 products added, in one instruction where the vectors have it",
          .isa = isa,
          .is_exact_int8 = false,
          .multiply_adds = kernel.multiply_adds(),
          .run = checked_run(kernel)};
}

}  // namespace

std::vector<RegisterForm> vector_forms() {
  constexpr backend::cpu::ForVectors<VectorKernels> kKernels = LOCKSTEP_FOR_VECTORS(kVectorKernels);
  const struct {
    Isa isa;
    const char* int16_instruction;
    const VectorKernels* kernels;
  } kinds[] = {{Isa::kSse4, "pmaddwd", kKernels.sse4},
               {Isa::kAvx2, "vpmaddwd", kKernels.avx2},
               {Isa::kAvx512, "vpmaddwd", kKernels.avx512},
               {Isa::kNeon, "smlal", kKernels.neon}};
  std::vector<RegisterForm> forms;
  for (const auto& kind : kinds) {
    if (kind.kernels == nullptr) continue;  // of another architecture
    forms.push_back(int16_form(kind.isa, kind.int16_instruction, *kind.kernels));
    forms.push_back(float32_form(kind.isa, *kind.kernels));
  }
  return forms;
}

}  // namespace lockstep::bench
#endif  // HWY_ONCE
