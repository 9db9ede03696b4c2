// SOFTMAX. Its sums of floats have an order, which leaves nothing for vectors to do at once.
#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "backend/cpu/blockwise_operation.h"
#include "backend/cpu/operations.h"

namespace lockstep::backend::cpu {
namespace {

class Softmax final : public BlockwiseOperation {
 public:
  Softmax(const graph::LoweredSoftmax& softmax, const Target& target)
      : BlockwiseOperation("softmax", target,
                           BlockCut::of_rows(softmax.rows, nanoseconds(softmax), target)),
        softmax_(softmax) {}

  int64_t constant_bytes() const override { return sizeof(softmax_); }

 private:
  static double nanoseconds(const graph::LoweredSoftmax& softmax) {
    constexpr double kForElement = 4.0;
    return kForElement * softmax.rows * softmax.depth;
  }

  // From a probability in units of the output scale to the byte.
  uint8_t quantize(float scaled) const {
    constexpr float kBeyondAnyOutput = 1024.0f;
    const float bounded = std::min(scaled, kBeyondAnyOutput);
    const int32_t value = softmax_.output_is_unsigned ? static_cast<int32_t>(bounded + 0.5f)
                                                      : static_cast<int32_t>(std::round(bounded)) +
                                                            softmax_.output_zero_point + 128;
    return static_cast<uint8_t>(std::clamp(value, 0, 255));
  }

  void compute_row(std::span<const uint8_t> input, uint8_t* output) const {
    const uint8_t maximum = *std::ranges::max_element(input);
    // All that depends on an element's value only, by its distance from the maximum.
    float sum = 0.0f;
    for (const uint8_t x : input) {
      sum += softmax_.exponentials[static_cast<size_t>(maximum - x)];
    }
    const float inverse = 1.0f / (sum * softmax_.output_scale);
    const auto probability = [&](int distance) {
      return quantize(softmax_.exponentials[static_cast<size_t>(distance)] * inverse);
    };
    if (input.size() < 256) {
      std::ranges::transform(input, output, [&](uint8_t x) { return probability(maximum - x); });
      return;
    }
    std::array<uint8_t, 256> probabilities{};
    for (int distance = 0; distance <= maximum; ++distance) {
      probabilities[static_cast<size_t>(distance)] = probability(distance);
    }
    std::ranges::transform(
        input, output, [&](uint8_t x) { return probabilities[static_cast<size_t>(maximum - x)]; });
  }

  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const auto* input = elements<const uint8_t>(tensors, softmax_.input);
    auto* output = elements<uint8_t>(tensors, softmax_.output);
    const auto depth = static_cast<size_t>(softmax_.depth);
    if (depth == 0) return;
    for (int64_t row = block.rows.begin; row < block.rows.end; ++row) {
      const int64_t first = row * softmax_.depth;
      compute_row({input + first, depth}, output + first);
    }
  }

  graph::LoweredSoftmax softmax_;
};

}  // namespace

OperationPointer make_operation(const graph::LoweredSoftmax& softmax, const Target& target) {
  return std::make_unique<Softmax>(softmax, target);
}

}  // namespace lockstep::backend::cpu
