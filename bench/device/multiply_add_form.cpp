#include "bench/device/multiply_add_form.h"

#include <algorithm>
#include <limits>

namespace lockstep::bench {
namespace {

// As in multiply_add.comp.
constexpr uint32_t kStride = 0x9E3779B9u;
constexpr uint32_t kChange = 0x01030507u;

constexpr int32_t byte_of(uint32_t word, int lane) {
  return static_cast<int8_t>(word >> (8 * lane) & 0xffu);
}

constexpr int32_t dot(uint32_t x, uint32_t w) {
  int32_t sum = 0;
  for (int lane = 0; lane < 4; ++lane) sum += byte_of(x, lane) * byte_of(w, lane);
  return sum;
}

// Sums wrap around, as integers of a shader do.
using Totals = std::array<uint32_t, 16>;

void add(uint32_t& total, int32_t value) { total += static_cast<uint32_t>(value); }

}  // namespace

const MultiplyAddDescription& describe(MultiplyAddForm form) {
  static constexpr std::array kDescriptions = {
      MultiplyAddDescription{"shifts", "multiply_add_shifts",
                             "bytes taken out of words, 32-bit integer multiplications", 64},
      MultiplyAddDescription{"dot", "multiply_add_dot", "OpSDot and an addition", 256},
      MultiplyAddDescription{"dot saturating", "multiply_add_dot_saturating", "OpSDotAccSat", 256},
      MultiplyAddDescription{"float32", "multiply_add_float32",
                             "float32 in sums of at most 1,024 products", 64},
      MultiplyAddDescription{"float32 unpack", "multiply_add_float32_unpack",
                             "the same from bytes that are converted on the way", 64}};
  return kDescriptions[static_cast<size_t>(form)];
}

std::string_view why_unavailable(MultiplyAddForm form,
                                 const backend::vulkan::Capabilities& capabilities) {
  const bool needs_dot = form == MultiplyAddForm::kDot || form == MultiplyAddForm::kDotSaturating;
  return needs_dot && !capabilities.integer_dot_product ? "the device has no integer dot product"
                                                        : "";
}

int32_t expected_sum(MultiplyAddForm form, const Seeds& seeds, uint32_t index, uint32_t steps) {
  Totals totals{};
  std::array<uint32_t, 4> x{};
  std::array<uint32_t, 16> w{};
  for (size_t i = 0; i < x.size(); ++i) x[i] = seeds[i] + index * kStride;
  for (size_t i = 0; i < w.size(); ++i) w[i] = seeds[16 + i] ^ (index * kStride);
  for (uint32_t step = 0; step < steps; ++step) {
    switch (form) {
      case MultiplyAddForm::kShifts:
      case MultiplyAddForm::kFloat32Unpack:
        for (size_t i = 0; i < totals.size(); ++i) add(totals[i], dot(x[i / 4], w[i % 4]));
        for (size_t i = 0; i < 4; ++i) w[i] += kChange;
        break;
      case MultiplyAddForm::kDot:
      case MultiplyAddForm::kDotSaturating:
        for (size_t c = 0; c < w.size(); ++c) {
          for (size_t p = 0; p < x.size(); ++p) {
            uint32_t& total = totals[4 * p + c % 4];
            const int64_t sum = int64_t{static_cast<int32_t>(total)} + dot(x[p], w[c]);
            total = static_cast<uint32_t>(
                form == MultiplyAddForm::kDot
                    ? sum
                    : std::clamp<int64_t>(sum, std::numeric_limits<int32_t>::min(),
                                          std::numeric_limits<int32_t>::max()));
          }
        }
        break;
      case MultiplyAddForm::kFloat32:
        for (size_t c = 0; c < w.size(); ++c) {
          for (size_t p = 0; p < x.size(); ++p) {
            add(totals[4 * p + c % 4], byte_of(x[p], 0) * byte_of(w[c], 0));
          }
        }
        std::rotate(x.begin(), x.begin() + 1, x.end());
        break;
    }
    if (form != MultiplyAddForm::kFloat32) {
      for (uint32_t& word : x) word += kChange;
    }
  }
  uint32_t sum = 0;
  for (const uint32_t total : totals) sum = sum * 31 + total;
  return static_cast<int32_t>(sum);
}

}  // namespace lockstep::bench
