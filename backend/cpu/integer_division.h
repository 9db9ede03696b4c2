// Whole numbers of units.
#pragma once

#include <concepts>

namespace lockstep::backend::cpu {

// How many units of `unit` hold `value`, and how much these are. Preconditions: value >= 0, unit >
// 0.
template <std::integral T>
constexpr T divide_up(T value, T unit) {
  return (value + unit - 1) / unit;
}
template <std::integral T>
constexpr T round_up(T value, T unit) {
  return divide_up(value, unit) * unit;
}

}  // namespace lockstep::backend::cpu
