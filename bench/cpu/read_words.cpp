#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/cpu/read_words.cpp"
#include "backend/cpu/vector_targets.h"
// After it:
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "bench/cpu/read_words.h"

#ifndef LOCKSTEP_BENCH_READ_WORDS
#define LOCKSTEP_BENCH_READ_WORDS
namespace lockstep::bench {

struct ReadKernel {
  uint32_t (*sum)(const uint32_t* words, size_t count);
};

}  // namespace lockstep::bench
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::bench {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

uint32_t sum_of_words(const uint32_t* words, size_t count) {
  const hn::ScalableTag<uint32_t> d;
  const size_t lanes = hn::Lanes(d);
  constexpr size_t kSums = 8;
  static_assert(kReadWords % (kSums * HWY_MAX_BYTES / sizeof(uint32_t)) == 0);
  hn::Vec<decltype(d)> sums[kSums];
  for (auto& each : sums) each = hn::Zero(d);
  for (size_t i = 0; i < count; i += kSums * lanes) {
    for (size_t j = 0; j < kSums; ++j) {
      sums[j] = hn::Add(sums[j], hn::LoadU(d, words + i + j * lanes));
    }
  }
  for (size_t j = 1; j < kSums; ++j) sums[0] = hn::Add(sums[0], sums[j]);
  return hn::GetLane(hn::SumOfLanes(d, sums[0]));
}

inline constexpr ReadKernel kReadKernel = {.sum = sum_of_words};

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::bench {

uint32_t sum_of_words(backend::cpu::Isa isa, const uint32_t* words, size_t count) {
  constexpr backend::cpu::ForVectors<ReadKernel> kKernels = LOCKSTEP_FOR_VECTORS(kReadKernel);
  return kKernels.select(isa).sum(words, count);
}

}  // namespace lockstep::bench
#endif  // HWY_ONCE
