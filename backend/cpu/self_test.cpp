#include "backend/cpu/self_test.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "backend/cpu/aligned_memory.h"
#include "backend/cpu/panels.h"
#include "numerics/requantization.h"

namespace lockstep::backend::cpu {
namespace {

constexpr std::array<uint8_t, 5> kInputs = {255, 255, 254, 1, 0};
constexpr std::array<int8_t, 5> kWeights = {-128, 127, -127, 126, -1};

// Long runs of the extremes, then every pair of them.
uint8_t input_at(size_t index) { return index % 97 < 48 ? 255 : kInputs[index % kInputs.size()]; }
int8_t weight_at(size_t channel, size_t k) {
  if (channel % 4 == 0) return -128;
  if (channel % 4 == 1) return 127;
  return kWeights[(k * 3 + channel) % kWeights.size()];
}

}  // namespace

bool computes_exactly(const GemmKernel& kernel) {
  constexpr size_t kDepth = 203;
  const auto channels = static_cast<size_t>(kernel.panel_channels * kernel.tile_panels);
  std::vector<int8_t> weights;
  for (size_t channel = 0; channel < channels; ++channel) {
    for (size_t k = 0; k < kDepth; ++k) weights.push_back(weight_at(channel, k));
  }
  const Panels panels(kernel, weights, channels, kDepth);
  const auto rows = static_cast<size_t>(kernel.tile_rows);
  const size_t stride = panels.depth();
  AlignedArray<uint8_t> bytes(rows * stride);
  AlignedArray<uint16_t> words(rows * stride);
  for (size_t i = 0; i < rows * stride; ++i) {
    bytes.data()[i] = input_at(i);
    words.data()[i] = input_at(i);
  }
  AlignedArray<int32_t> sums(rows * channels);
  if (kernel.enter != nullptr) kernel.enter();
  // A whole tile, and one of which a row is left over.
  bool exact = true;
  for (const size_t count : {rows, rows - 1, size_t{1}}) {
    kernel.accumulate(kernel.takes_words ? static_cast<const void*>(words.data()) : bytes.data(),
                      kernel.takes_words ? stride * sizeof(uint16_t) : stride, count,
                      panels.panel(0), panels.panel_bytes(), panels.count(), panels.depth(),
                      sums.data());
    for (size_t row = 0; row < count; ++row) {
      for (size_t channel = 0; channel < channels; ++channel) {
        int32_t sum = 0;
        for (size_t k = 0; k < kDepth; ++k) {
          sum +=
              (bytes.data()[row * stride + k] - kernel.row_offset) * weights[channel * kDepth + k];
        }
        exact &= sums.data()[row * channels + channel] == sum;
      }
    }
  }
  if (kernel.leave != nullptr) kernel.leave();
  return exact;
}

bool computes_exactly(const DepthwiseKernel& kernel) {
  constexpr size_t kOutputs = 5;
  constexpr size_t kTaps = 3;
  constexpr size_t kColumns = kOutputs + kTaps - 1;
  const size_t rows = kernel.interleaved_rows;
  std::vector<uint8_t> pixels(kMostInterleavedRows * kColumns * kernel.lanes + kernel.lanes);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = input_at(i * 7);
  InterleavedRows input;
  for (size_t row = 0; row < rows; ++row) {
    input.rows[row] = pixels.data() + row * kColumns * kernel.lanes;
    input.steps[row] = kernel.lanes;
  }
  AlignedArray<std::byte> strip(kColumns * kernel.vector_bytes());
  kernel.interleave(input, kColumns, strip.data());
  AlignedArray<std::byte> weights(kTaps * kernel.vector_bytes());
  const auto weight = [&](size_t tap, size_t lane, size_t row) {
    return weight_at(lane + tap, lane * rows + row);
  };
  size_t offsets[kTaps];
  for (size_t tap = 0; tap < kTaps; ++tap) {
    offsets[tap] = tap * kernel.vector_bytes();
    for (size_t lane = 0; lane < kernel.lanes; ++lane) {
      for (size_t row = 0; row < rows; ++row) {
        const size_t index = (tap * kernel.lanes + lane) * rows + row;
        const int16_t word = weight(tap, lane, row);
        const auto byte = static_cast<int8_t>(word);
        if (kernel.takes_words) {
          std::memcpy(weights.data() + index * sizeof(word), &word, sizeof(word));
        } else {
          std::memcpy(weights.data() + index, &byte, sizeof(byte));
        }
      }
    }
  }
  Requantization none;
  none.form = ScaleForm::kNone;
  none.bias.assign(kernel.lanes + kConstantPadding, 0);
  std::vector<int32_t> sums(kOutputs * kernel.lanes);
  kernel.compute_row({.strips = strip.data(),
                      .offsets = offsets,
                      .weights = weights.data(),
                      .taps = kTaps,
                      .step = kernel.vector_bytes(),
                      .outputs = kOutputs,
                      .requantization = &none,
                      .channel = 0,
                      .channels = kernel.lanes,
                      .output = sums.data(),
                      .output_step = kernel.lanes});
  for (size_t output = 0; output < kOutputs; ++output) {
    for (size_t lane = 0; lane < kernel.lanes; ++lane) {
      int32_t sum = 0;
      for (size_t tap = 0; tap < kTaps; ++tap) {
        for (size_t row = 0; row < rows; ++row) {
          sum += input.rows[row][(output + tap) * kernel.lanes + lane] * weight(tap, lane, row);
        }
      }
      if (sums[output * kernel.lanes + lane] != sum) return false;
    }
  }
  return true;
}

bool computes_exactly(const GemmTileKernels& kernels) {
  constexpr size_t kChannels = 67;
  constexpr size_t kRows = 9;
  constexpr std::array<double, 5> kScales = {0.5, 0.25, 0.3, 0.00390625, 0.0017};
  for (const numerics::Rounding rounding : numerics::kAllRoundings) {
    graph::OutputStage stage;
    stage.rounding = rounding;
    stage.zero_point = 3;
    stage.activation_min = -120;
    for (size_t channel = 0; channel < kChannels; ++channel) {
      stage.scales.push_back(numerics::channel_scale(kScales[channel % kScales.size()], rounding));
    }
    const std::vector<int32_t> bias(kChannels, 1);
    const Requantization requantization = make_requantization(
        stage, bias, std::vector<AccumulatorRange>(kChannels, {-(1 << 20), 1 << 20}));
    std::vector<int32_t> accumulators(kRows * kChannels);
    for (size_t i = 0; i < accumulators.size(); ++i) {
      accumulators[i] = static_cast<int32_t>(i) - 300;
      if (i % 11 == 0) accumulators[i] *= 2003;
    }
    // Vectors read beyond the last row, as they may.
    std::vector<int32_t> padded = accumulators;
    padded.resize(padded.size() + kConstantPadding);
    std::vector<uint8_t> output(kRows * kChannels);
    kernels.requantize(requantization, 0, padded.data(), kChannels, kRows, kChannels, nullptr,
                       nullptr, output.data(), kChannels);
    for (size_t i = 0; i < output.size(); ++i) {
      const int32_t expected =
          numerics::requantize(accumulators[i] + 1, stage.scales[i % kChannels], rounding,
                               stage.zero_point, stage.activation_min, stage.activation_max);
      if (output[i] != expected + 128) return false;
    }
  }
  return true;
}

bool computes_exactly(Isa isa) {
  constexpr int64_t kManyRows = 1000;
  constexpr int64_t kDepth = 1000;
  return computes_exactly(gemm_kernel(isa, kManyRows, kDepth)) &&
         computes_exactly(gemm_kernel(isa, 1, kDepth)) &&
         computes_exactly(gemm_tile_kernels(isa)) &&
         computes_exactly(depthwise_kernel(isa, /*weights_are_bytes=*/true)) &&
         computes_exactly(depthwise_kernel(isa, /*weights_are_bytes=*/false));
}

}  // namespace lockstep::backend::cpu
