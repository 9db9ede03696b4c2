// Random numbers for hand-built operators, corners more often than chance would have them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

namespace lockstep::backend::testing {

class RandomValues {
 public:
  explicit RandomValues(uint32_t seed) : random_(seed) {}

  // Both ends included.
  int32_t between(int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(random_);
  }
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return *(values.begin() + between(0, static_cast<int32_t>(values.size()) - 1));
  }
  std::vector<int8_t> values(size_t count) {
    std::vector<int8_t> result(count);
    for (int8_t& value : result) {
      value = static_cast<int8_t>(between(-128, 127));
    }
    return result;
  }
  // Three times of four one of the ends or zero.
  int32_t zero_point() { return pick({-128, 127, 0, between(-128, 127)}); }

 private:
  std::mt19937 random_;
};

}  // namespace lockstep::backend::testing
