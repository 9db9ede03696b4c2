#include "backend/vulkan/convolution_image.h"

#include <algorithm>

#include "backend/vulkan/convolution_parameters.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredConvolution;

constexpr int32_t kTileChannels = 8;

// The kernel as shaders/CMakeLists.txt compiles it.
struct Tile {
  std::string_view shader;
  int32_t columns;
  bool reads_texels;
};
constexpr Tile kStorageTile{"convolution_image", 2, false};
constexpr Tile kTexelTile{"convolution_image_texel", 8, true};

int32_t taps_of(const LoweredConvolution& op) {
  return op.window.kernel_height * op.window.kernel_width;
}

int32_t channel_blocks_of(const LoweredConvolution& op) {
  return divide_up(op.output_extent.channels, kTileChannels);
}

int64_t weights_bytes(const LoweredConvolution& op) {
  return int64_t{channel_blocks_of(op)} * taps_of(op) * kTileChannels * kWordBytes;
}

// int8 [block of 8 output channels][tap][8][4]: weights + 128. Bytes in between are never
// multiplied, and channels past the end never used.
std::vector<int8_t> pack_weights(const LoweredConvolution& op) {
  const auto taps = static_cast<size_t>(taps_of(op));
  const auto image_channels = static_cast<size_t>(op.input_extent.channels);
  std::vector<int8_t> packed(static_cast<size_t>(weights_bytes(op)));
  auto weight = op.weights.begin();
  for (size_t output = 0; output < static_cast<size_t>(op.output_extent.channels); ++output) {
    for (size_t tap = 0; tap < taps; ++tap) {
      const size_t word =
          (output / kTileChannels * taps + tap) * kTileChannels + output % kTileChannels;
      for (size_t channel = 0; channel < image_channels; ++channel) {
        packed[word * kWordBytes + channel] = static_cast<int8_t>(*weight++ + kUnsignedDomain);
      }
    }
  }
  return packed;
}

bool fits(const PlanContext& context, const LoweredConvolution& op, const Tile& tile) {
  if (op.groups != 1 || op.input_extent.channels > kWordBytes ||
      op.output_extent.channels <= kWordBytes) {
    return false;
  }
  return !tile.reads_texels ||
         fits_texel_buffers(context.capabilities, context.layout(op.input).bytes() / kWordBytes,
                            weights_bytes(op),
                            int64_t{channel_blocks_of(op)} * kTileChannels * kUnitBytes);
}

Result<KernelPlan> plan(const PlanContext& context, const LoweredConvolution& op,
                        const Tile& tile) {
  if (Status status = check_packed_weights(context.capabilities, weights_bytes(op)); !status) {
    return tl::unexpected(status.error());
  }
  const int32_t output_rows = op.output_extent.batch * op.output_extent.height;
  const int32_t column_tiles = divide_up(op.output_extent.width, tile.columns);
  const int32_t channel_blocks = channel_blocks_of(op);
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = tile.shader;
  const WeightSums sums = sum_weights(op);
  dispatch.specialization = specialization_of(
      context,
      end_constant(op.output_stage, accumulator_bounds(op.bias, op.input_zero_point, sums)),
      {static_cast<uint32_t>(op.input_extent.channels)});
  const graph::Window2d& window = op.window;
  dispatch.push_constants = push_constants(
      output_rows, column_tiles, channel_blocks, stride_words(context.layout(op.output)),
      op.input_extent.height, op.input_extent.width, op.output_extent.height,
      op.output_extent.width, window.kernel_height, window.kernel_width, window.stride_height,
      window.stride_width, window.dilation_height, window.dilation_width, window.padding_top,
      window.padding_left, replicate(op.input_zero_point), op.output_stage.zero_point,
      op.output_stage.activation_min, op.output_stage.activation_max,
      division_multiplier(static_cast<uint32_t>(column_tiles)),
      division_multiplier(static_cast<uint32_t>(channel_blocks)),
      division_multiplier(static_cast<uint32_t>(op.output_extent.height)));
  const std::vector<int8_t> weights = pack_weights(op);
  bind_operands(context, op.input,
                tile.reads_texels ? Binding::View::kTexelWords : Binding::View::kStorage,
                std::span<const int8_t>(weights),
                channel_parameters(op, bias_in_domain(op.folded_bias, sums, kUnsignedDomain),
                                   kUnsignedDomain, kTileChannels),
                op.output, plan, dispatch);
  const uint64_t invocations = static_cast<uint64_t>(output_rows) *
                               static_cast<uint64_t>(column_tiles) *
                               static_cast<uint64_t>(channel_blocks);
  return with_dispatch(context, invocations, std::move(dispatch), std::move(plan));
}

}  // namespace

std::vector<Alternative> image_alternatives(const PlanContext& context,
                                            const LoweredConvolution& op) {
  // Of one invocation: see Alternative.
  const int64_t loop_iterations = op.window.kernel_height + int64_t{taps_of(op)};
  std::vector<Tile> tiles{kStorageTile, kTexelTile};
  if (context.capabilities.device_class == DeviceClass::kCpuLike) {
    std::ranges::reverse(tiles);
  }
  std::vector<Alternative> alternatives;
  for (const Tile& tile : tiles) {
    if (fits(context, op, tile)) {
      alternatives.push_back({.name = std::string(tile.shader),
                              .plan = [&context, &op, tile] { return plan(context, op, tile); },
                              .loop_iterations = loop_iterations});
    }
  }
  return alternatives;
}

}  // namespace lockstep::backend::vulkan
