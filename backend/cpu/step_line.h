// A step function of sums as a line that is cut off.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

namespace lockstep::backend::cpu {

// The integer part of  sum * slope + intercept  within 0 and 255, in float32, each operation
// rounded. All of them are monotonic, and so is the line.
struct StepLine {
  float slope = 0.0f;
  float intercept = 0.0f;

  int32_t operator()(int32_t sum) const {
    const float value = static_cast<float>(sum) * slope + intercept;
    return static_cast<int32_t>(std::clamp(value, 0.0f, 255.0f));
  }
};

// The line that is, for all sums from `lowest` to `highest`, the number of thresholds that the sum
// reaches. Two monotonic functions are the same where both take each step between the same
// neighbours, which is what is compared. None where none was found: engines round more than once,
// so that steps need not be equally long.
std::optional<StepLine> step_line(std::span<const int32_t> thresholds, int32_t lowest,
                                  int32_t highest);

}  // namespace lockstep::backend::cpu
