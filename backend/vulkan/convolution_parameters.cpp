#include "backend/vulkan/convolution_parameters.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "backend/vulkan/dispatch_building.h"

namespace lockstep::backend::vulkan {

using graph::LoweredConvolution;

WeightSums sum_weights(const LoweredConvolution& op) {
  WeightSums result;
  const size_t terms = op.weights.size() / op.bias.size();
  for (size_t channel = 0; channel < op.bias.size(); ++channel) {
    int64_t sum = 0;
    int64_t magnitude = 0;
    for (const int8_t weight : std::span(op.weights).subspan(channel * terms, terms)) {
      const int32_t value = weight - op.weights_zero_points[channel];
      sum += value;
      magnitude += std::abs(value);
    }
    result.sums.push_back(sum);
    result.magnitudes.push_back(magnitude);
  }
  return result;
}

WeightSums sum_weights(const graph::LoweredDepthwiseConvolution& op) {
  const size_t channels = op.bias.size();
  WeightSums result{std::vector<int64_t>(channels), std::vector<int64_t>(channels)};
  for (size_t i = 0; i < op.weights.size(); ++i) {
    const size_t channel = i % channels;
    const int32_t value = op.weights[i] - op.weights_zero_points[channel];
    result.sums[channel] += value;
    result.magnitudes[channel] += std::abs(value);
  }
  return result;
}

std::vector<int32_t> bias_in_domain(std::span<const int32_t> folded_bias, const WeightSums& weights,
                                    int32_t domain) {
  std::vector<int32_t> bias(folded_bias.begin(), folded_bias.end());
  for (size_t channel = 0; channel < bias.size(); ++channel) {
    bias[channel] = static_cast<int32_t>(static_cast<uint32_t>(bias[channel]) -
                                         static_cast<uint32_t>(domain * weights.sums[channel]));
  }
  return bias;
}

std::vector<int64_t> accumulator_bounds(std::span<const int32_t> bias, int32_t input_zero_point,
                                        const WeightSums& weights) {
  const int64_t largest_input = std::max(127 - input_zero_point, input_zero_point + 128);
  std::vector<int64_t> bounds;
  for (size_t channel = 0; channel < bias.size(); ++channel) {
    bounds.push_back(std::abs(int64_t{bias[channel]}) +
                     largest_input * weights.magnitudes[channel]);
  }
  return bounds;
}

std::vector<int32_t> channel_parameters(const LoweredConvolution& op, std::span<const int32_t> bias,
                                        int32_t domain, size_t block_channels) {
  const auto channels = static_cast<size_t>(op.output_extent.channels);
  std::vector<int32_t> parameters(divide_up(channels, block_channels) * block_channels * 4);
  for (size_t channel = 0; channel < channels; ++channel) {
    const numerics::ChannelScale scale = scale_of(op.output_stage, channel);
    const std::array<int32_t, 4> words{bias[channel], scale.multiplier, scale.shift,
                                       op.weights_zero_points[channel] + domain};
    std::ranges::copy(words, parameters.begin() + static_cast<std::ptrdiff_t>(channel * 4));
  }
  return parameters;
}

int64_t Steps::weights_bytes(int32_t groups) const {
  return groups * count * group_blocks * tile_channels * kUnitBytes;
}

std::vector<int8_t> pack_weights(const LoweredConvolution& op, const Steps& steps, int32_t domain) {
  const int32_t taps = op.window.kernel_height * op.window.kernel_width;
  const int32_t group_channels = op.input_extent.channels / op.groups;
  const int32_t group_outputs = op.output_extent.channels / op.groups;
  const auto step_bytes = static_cast<size_t>(steps.group_blocks) *
                          static_cast<size_t>(steps.tile_channels) * kUnitBytes;
  std::vector<int8_t> packed(static_cast<size_t>(steps.weights_bytes(op.groups)));
  auto weight = op.weights.begin();
  for (int32_t output = 0; output < op.output_extent.channels; ++output) {
    const auto first_step = static_cast<size_t>(output / group_outputs * steps.count);
    const auto channel_bytes = static_cast<size_t>(output % group_outputs) * kUnitBytes;
    const auto nothing =
        static_cast<int8_t>(op.weights_zero_points[static_cast<size_t>(output)] + domain);
    for (int64_t step = 0; step < steps.count; ++step) {
      std::fill_n(packed.begin() +
                      static_cast<std::ptrdiff_t>(
                          (first_step + static_cast<size_t>(step)) * step_bytes + channel_bytes),
                  kUnitBytes, nothing);
    }
    for (int32_t tap = 0; tap < taps; ++tap) {
      for (int32_t channel = 0, run = 0; channel < group_channels; channel += run) {
        const int32_t place = tap * steps.group_units * steps.unit_bytes + channel;
        const size_t step = first_step + static_cast<size_t>(place / kUnitBytes);
        run = std::min(kUnitBytes - place % kUnitBytes, group_channels - channel);
        std::transform(
            weight, weight + run,
            &packed[step * step_bytes + channel_bytes + static_cast<size_t>(place % kUnitBytes)],
            [domain](int8_t value) { return static_cast<int8_t>(value + domain); });
        weight += run;
      }
    }
  }
  return packed;
}

Status check_packed_weights(const Capabilities& capabilities, int64_t bytes) {
  if (static_cast<uint64_t>(bytes) > capabilities.max_storage_buffer_range) {
    return make_error(ErrorCode::kUnsupported,
                      "its weights take {} bytes; the device binds at most {} at once", bytes,
                      capabilities.max_storage_buffer_range);
  }
  return {};
}

std::vector<uint32_t> specialization_of(const PlanContext& context, uint32_t end,
                                        std::initializer_list<uint32_t> own) {
  std::vector<uint32_t> constants{end};
  const auto of_epilogue = epilogue_constants(context.ends());
  constants.insert(constants.end(), of_epilogue.begin(), of_epilogue.end());
  constants.insert(constants.end(), own.begin(), own.end());
  return constants;
}

bool fits_texel_buffers(const Capabilities& capabilities, int64_t input_texels,
                        int64_t weights_bytes, int64_t parameters_bytes) {
  return std::max({input_texels, weights_bytes / kUnitBytes,
                   parameters_bytes / kUnitBytes + kMaximumEpilogueUnits}) <=
         capabilities.max_texel_buffer_elements;
}

bool saturating_sums_are_exact(int64_t steps) {
  constexpr int64_t kMostTerms = (int64_t{1} << 31) >> 14;
  return steps * kUnitBytes < kMostTerms;
}

bool has_asymmetric_weights(const LoweredConvolution& op) {
  return std::ranges::any_of(op.weights_zero_points,
                             [](int32_t zero_point) { return zero_point != 0; });
}

bool is_matrix_product(const LoweredConvolution& op) {
  const graph::Window2d& window = op.window;
  return op.groups == 1 && window.kernel_height == 1 && window.kernel_width == 1 &&
         window.stride_height == 1 && window.stride_width == 1 && window.padding_top == 0 &&
         window.padding_left == 0 && op.input_extent.height == op.output_extent.height &&
         op.input_extent.width == op.output_extent.width;
}

uint32_t positions_of(const LoweredConvolution& op) {
  return static_cast<uint32_t>(op.output_extent.batch * op.output_extent.height *
                               op.output_extent.width);
}

}  // namespace lockstep::backend::vulkan
