// The forms in which a device can multiply and add int8 numbers exactly, as shaders
// (multiply_add.comp) and as the host computes the same.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/vulkan/capabilities.h"

namespace lockstep::bench {

enum class MultiplyAddForm : uint8_t {
  kShifts,
  kDot,
  kDotSaturating,
  kFloat32,
  kFloat32Unpack,
};
inline constexpr std::array kAllMultiplyAddForms = {
    MultiplyAddForm::kShifts, MultiplyAddForm::kDot, MultiplyAddForm::kDotSaturating,
    MultiplyAddForm::kFloat32, MultiplyAddForm::kFloat32Unpack};

struct MultiplyAddDescription {
  std::string_view name;    // "dot saturating"
  std::string_view module;  // of bench_modules.h
  std::string_view meaning;
  int64_t multiply_adds_of_step = 0;  // of one invocation
};
const MultiplyAddDescription& describe(MultiplyAddForm form);

// Empty, or why the device does not have the form.
std::string_view why_unavailable(MultiplyAddForm form,
                                 const backend::vulkan::Capabilities& capabilities);

inline constexpr size_t kSeedCount = 32;
using Seeds = std::array<uint32_t, kSeedCount>;

// What invocation `index` of the shader must have written after `steps` steps.
int32_t expected_sum(MultiplyAddForm form, const Seeds& seeds, uint32_t index, uint32_t steps);

}  // namespace lockstep::bench
