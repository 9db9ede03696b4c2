// The forms in which a processor can multiply and add from registers alone, each with a slow twin
// that says what its sums must be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "backend/cpu/isa.h"

namespace lockstep::bench {

struct RegisterForm {
  std::string name;  // "vpmaddwd-avx2"
  std::string meaning;
  backend::cpu::Isa isa;     // whose instructions it takes
  bool is_exact_int8;        // false: another number format, for comparison
  double multiply_adds = 0;  // of one run
  // Runs once, some 100 us; whether all sums are right. May run in several threads at once.
  std::function<bool()> run;
};

// Those of this architecture, of ascending instruction sets. What the processor cannot execute
// (executable_isas()) must not be run.
std::vector<RegisterForm> register_forms();

// The parts of register_forms(); empty on other architectures.
std::vector<RegisterForm> vector_forms();  // what comes with the vectors of any architecture
std::vector<RegisterForm> x86_forms();
std::vector<RegisterForm> arm_forms();

// How often a kernel adds the same products to its sums. Odd, so that `steps * sum` modulo 2^32
// tells all values of a sum apart; at most 2^24 / 15^2, so that float32 sums of products of numbers
// up to 15 are exact.
inline constexpr int64_t kRegisterSteps = 65'535;

// Each of `lefts` registers meets each of `rights` registers in every step, and each of these pairs
// has a register of sums.
template <typename Left, typename Right, typename Sum>
struct RegisterKernel {
  size_t lefts = 0;
  size_t rights = 0;
  size_t left_elements = 0;  // of one register
  size_t right_elements = 0;
  size_t sums = 0;   // of one pair
  size_t depth = 0;  // products that a sum gains in a step
  // kRegisterSteps steps, sums from 0 on: those of pair (l, r) are written to
  // sums[(l * rights + r) * kernel.sums].
  void (*run)(const Left* lefts, const Right* rights, Sum* sums) = nullptr;
  // What sum `index` of a pair gains in one step.
  std::function<int64_t(const Left* left, const Right* right, size_t index)> step;

  double multiply_adds() const {
    return static_cast<double>(lefts * rights * sums * depth) * kRegisterSteps;
  }
};

// RegisterKernel::step of instructions whose sum `index` is of the `depth` neighbours from
// index * depth on.
template <typename Left, typename Right>
auto sums_of_neighbours(size_t depth) {
  return [depth](const Left* left, const Right* right, size_t index) {
    int64_t sum = 0;
    for (size_t i = index * depth; i < (index + 1) * depth; ++i) {
      sum += static_cast<int64_t>(left[i]) * static_cast<int64_t>(right[i]);
    }
    return sum;
  };
}

// Of all bytes, extremes included; of float32, integers up to 15.
template <typename Element>
std::vector<Element> random_operands(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Element> operands(count);
  for (size_t i = 0; i < count; ++i) {
    if constexpr (std::is_floating_point_v<Element>) {
      operands[i] = static_cast<Element>(static_cast<int32_t>(random() % 31) - 15);
    } else if constexpr (std::is_unsigned_v<Element>) {
      operands[i] = static_cast<Element>(i % 5 == 0 ? 255 : random() % 256);
    } else {
      operands[i] = static_cast<Element>(i % 3 == 0 ? -128 : static_cast<int8_t>(random()));
    }
  }
  return operands;
}

// RegisterForm::run of a kernel, on random operands.
template <typename Left, typename Right, typename Sum>
std::function<bool()> checked_run(const RegisterKernel<Left, Right, Sum>& kernel) {
  const auto lefts = random_operands<Left>(kernel.lefts * kernel.left_elements, 1);
  const auto rights = random_operands<Right>(kernel.rights * kernel.right_elements, 2);
  std::vector<Sum> expected;
  for (size_t l = 0; l < kernel.lefts; ++l) {
    for (size_t r = 0; r < kernel.rights; ++r) {
      for (size_t i = 0; i < kernel.sums; ++i) {
        const int64_t sum =
            kRegisterSteps * kernel.step(lefts.data() + l * kernel.left_elements,
                                         rights.data() + r * kernel.right_elements, i);
        expected.push_back(static_cast<Sum>(sum));  // integers modulo 2^32
      }
    }
  }
  return [run = kernel.run, lefts, rights, expected] {
    std::vector<Sum> sums(expected.size());
    run(lefts.data(), rights.data(), sums.data());
    return sums == expected;
  };
}

}  // namespace lockstep::bench
