// Every form makes the right sums, and a wrong sum would be seen.
#include "bench/cpu/register_form.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

namespace lockstep::bench {
namespace {

using backend::cpu::Isa;

TEST(RegisterForm, AllThatTheProcessorExecutesMakeTheRightSums) {
  const std::vector<Isa> isas = backend::cpu::executable_isas();
  std::set<Isa> covered;
  std::set<std::string> names;
  for (const RegisterForm& form : register_forms()) {
    EXPECT_TRUE(names.insert(form.name).second) << form.name;
    EXPECT_GT(form.multiply_adds, 0) << form.name;
    if (std::ranges::find(isas, form.isa) == isas.end()) continue;
    EXPECT_TRUE(form.run()) << form.name;
    if (form.is_exact_int8) covered.insert(form.isa);
  }
  // What is faster than the others has a form that shows it.
  EXPECT_EQ(covered, std::set<Isa>(isas.begin(), isas.end()));
}

using QuadKernel = RegisterKernel<uint8_t, int8_t, int32_t>;

// One register of each kind, 4 sums of 4 products.
template <typename Add>
void run_quads(const uint8_t* lefts, const int8_t* rights, int32_t* sums, Add add) {
  for (int64_t step = 0; step < kRegisterSteps; ++step) {
    for (size_t i = 0; i < 16; ++i) {
      sums[i / 4] = add(sums[i / 4], int32_t{lefts[i]} * rights[i]);
    }
  }
}

int32_t add_modulo(int32_t sum, int32_t product) {
  return static_cast<int32_t>(static_cast<uint32_t>(sum) + static_cast<uint32_t>(product));
}

QuadKernel quads(void (*run)(const uint8_t*, const int8_t*, int32_t*)) {
  return {.lefts = 1,
          .rights = 1,
          .left_elements = 16,
          .right_elements = 16,
          .sums = 4,
          .depth = 4,
          .run = run,
          .step = sums_of_neighbours<uint8_t, int8_t>(4)};
}

TEST(RegisterForm, APlainLoopIsRight) {
  EXPECT_TRUE(checked_run(quads([](const uint8_t* lefts, const int8_t* rights, int32_t* sums) {
    run_quads(lefts, rights, sums, add_modulo);
  }))());
}

TEST(RegisterForm, SaturatedSumsAreWrong) {
  EXPECT_FALSE(checked_run(quads([](const uint8_t* lefts, const int8_t* rights, int32_t* sums) {
    run_quads(lefts, rights, sums, [](int32_t sum, int32_t product) {
      return static_cast<int32_t>(std::clamp<int64_t>(int64_t{sum} + product,
                                                      std::numeric_limits<int32_t>::min(),
                                                      std::numeric_limits<int32_t>::max()));
    });
  }))());
}

TEST(RegisterForm, SaturatedPairsOfProductsAreWrong) {
  EXPECT_FALSE(checked_run(quads([](const uint8_t* lefts, const int8_t* rights, int32_t* sums) {
    for (int64_t step = 0; step < kRegisterSteps; ++step) {
      for (size_t i = 0; i < 16; i += 2) {
        const int32_t pair = lefts[i] * rights[i] + lefts[i + 1] * rights[i + 1];
        sums[i / 4] = add_modulo(sums[i / 4], std::clamp(pair, -32768, 32767));
      }
    }
  }))());
}

TEST(RegisterForm, AStepTooFewIsWrong) {
  EXPECT_FALSE(checked_run(quads([](const uint8_t* lefts, const int8_t* rights, int32_t* sums) {
    run_quads(lefts, rights, sums, add_modulo);
    for (size_t i = 0; i < 16; ++i) {
      sums[i / 4] = add_modulo(sums[i / 4], -lefts[i] * rights[i]);
    }
  }))());
}

TEST(RegisterForm, AKernelMakesAsManyProductsAsItSays) {
  EXPECT_EQ(quads(nullptr).multiply_adds(), 16.0 * kRegisterSteps);
}

}  // namespace
}  // namespace lockstep::bench
