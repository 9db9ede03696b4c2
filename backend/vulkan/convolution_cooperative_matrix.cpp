#include "backend/vulkan/convolution_cooperative_matrix.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "backend/vulkan/convolution_parameters.h"
#include "backend/vulkan/device_class.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredConvolution;

// How an input is read: the variants of the shader.
enum class Source : uint8_t {
  kPointwise,  // 1x1: rows of a matrix
  kUnits,      // 16 channels of a tap at a time
  kWords,      // up to four channels: four taps at a time
};

std::string_view shader_name(Source source) {
  switch (source) {
    case Source::kPointwise:
      return "convolution_cooperative_matrix_pointwise";
    case Source::kUnits:
      break;
    case Source::kWords:
      return "convolution_cooperative_matrix_words";
  }
  return "convolution_cooperative_matrix";
}

Source source_of(const LoweredConvolution& op) {
  if (op.input_extent.channels <= kWordBytes) {
    return Source::kWords;
  }
  return is_matrix_product(op) ? Source::kPointwise : Source::kUnits;
}

// Workgroups from the largest to the smallest: a grid of subgroups, and how much of the output each
// of them computes. The first two move least memory for a product on subgroups of 32: 64 x 64
// results are 128 accumulators an invocation, as many as leave registers for operands.
struct Grid {
  uint32_t subgroup_rows;
  uint32_t subgroup_columns;
  uint32_t rows;
  uint32_t columns;
};
constexpr Grid kGrids[] = {
    {4, 2, 64, 64}, {2, 2, 64, 64}, {4, 1, 32, 64}, {2, 2, 32, 32}, {2, 2, 16, 16},
};

// Of one invocation. Subgroups of eight are the vectors of a processor, which has few of them.
uint32_t maximum_accumulators(uint32_t subgroup_size) { return subgroup_size <= 8 ? 32 : 128; }

struct Staging {
  uint32_t step_units;
  uint32_t buffers;
};
// Best first: long steps have fewer barriers, a second buffer halves what is left of them.
constexpr Staging kStagings[] = {{4, 2}, {2, 2}, {1, 2}, {4, 1}, {2, 1}, {1, 1}};

bool is_supported(const CooperativeMatrixShape& shape) {
  return shape.is_left_signed && shape.is_right_signed &&
         shape.scope == CooperativeMatrixShape::Scope::kSubgroup && shape.rows > 0 &&
         shape.columns > 0 && shape.columns % kWordBytes == 0 &&
         (shape.depth == 8 || (shape.depth > 0 && shape.depth % kUnitBytes == 0));
}

// Every invocation copies whole units of both operands, and ends the same block of four channels in
// every row.
bool divides_evenly(const CooperativeMatrixTile& tile) {
  const uint32_t step_bytes = tile.step_units * kUnitBytes;
  const uint32_t invocations = tile.invocations();
  if (step_bytes % tile.shape.depth != 0 || invocations % tile.step_units != 0) {
    return false;
  }
  const uint32_t pass_rows = invocations / tile.step_units;
  return tile.rows() % pass_rows == 0 && tile.columns() % pass_rows == 0 &&
         invocations % (tile.columns() / kWordBytes) == 0;
}

bool fits(const CooperativeMatrixTile& tile, const Capabilities& capabilities) {
  const bool asks = capabilities.min_subgroup_size != capabilities.max_subgroup_size;
  const uint32_t subgroups = tile.subgroup_rows * tile.subgroup_columns;
  return tile.invocations() <= capabilities.max_workgroup_invocations &&
         tile.invocations() <= capabilities.max_workgroup_size[0] &&
         (!asks || subgroups <= capabilities.max_workgroup_subgroups) &&
         tile.shared_bytes(true) <= capabilities.max_shared_memory;
}

std::optional<CooperativeMatrixTile> tile_of(const Grid& grid, const CooperativeMatrixShape& shape,
                                             const Capabilities& capabilities) {
  uint32_t row_matrices = std::max(1u, grid.rows / shape.rows);
  uint32_t column_matrices = std::max(1u, grid.columns / shape.columns);
  const uint32_t accumulators = shape.rows * shape.columns / capabilities.subgroup_size;
  const uint32_t limit = maximum_accumulators(capabilities.subgroup_size);
  while (row_matrices * column_matrices * accumulators > limit &&
         row_matrices * column_matrices > 1) {
    uint32_t& larger =
        row_matrices * shape.rows >= column_matrices * shape.columns && row_matrices > 1
            ? row_matrices
            : column_matrices;
    larger = std::max(1u, larger / 2);
  }
  for (const Staging& staging : kStagings) {
    const CooperativeMatrixTile tile{.shape = shape,
                                     .subgroup_size = capabilities.subgroup_size,
                                     .subgroup_rows = grid.subgroup_rows,
                                     .subgroup_columns = grid.subgroup_columns,
                                     .row_matrices = row_matrices,
                                     .column_matrices = column_matrices,
                                     .step_units = staging.step_units,
                                     .buffers = staging.buffers};
    if (divides_evenly(tile) && fits(tile, capabilities)) {
      return tile;
    }
  }
  return std::nullopt;
}

// What the shader walks through for one operator with one tile.
struct Extents {
  Source source;
  uint32_t positions;
  uint32_t row_tiles;
  uint32_t column_tiles;
  int64_t unit_bytes;  // what one load of the input brings
  int64_t tap_units;   // loads for one tap
  int64_t steps;

  int64_t padded_columns(const CooperativeMatrixTile& tile) const {
    return int64_t{column_tiles} * tile.columns();
  }
  int64_t weights_bytes(const CooperativeMatrixTile& tile) const {
    return steps * tile.step_units * kUnitBytes * padded_columns(tile);
  }
};

Extents extents_of(const LoweredConvolution& op, const CooperativeMatrixTile& tile) {
  Extents extents{};
  extents.source = source_of(op);
  extents.positions = positions_of(op);
  extents.row_tiles = divide_up(extents.positions, tile.rows());
  extents.column_tiles =
      divide_up(static_cast<uint32_t>(op.output_extent.channels), tile.columns());
  extents.unit_bytes = extents.source == Source::kWords ? kWordBytes : kUnitBytes;
  extents.tap_units = divide_up(int64_t{op.input_extent.channels}, extents.unit_bytes);
  const int64_t depth = int64_t{op.window.kernel_height} * op.window.kernel_width *
                        extents.tap_units * extents.unit_bytes;
  extents.steps = divide_up(depth, int64_t{tile.step_units} * kUnitBytes);
  return extents;
}

// Of one invocation; see Alternative.
int64_t loop_iterations(const LoweredConvolution& op, const CooperativeMatrixTile& tile) {
  const Extents extents = extents_of(op, tile);
  const int64_t matrices =
      tile.column_matrices + int64_t{tile.row_matrices} * (int64_t{tile.column_matrices} + 1);
  const int64_t copies =
      2 * int64_t{tile.rows() + tile.columns()} * tile.step_units / tile.invocations();
  const int64_t depths =
      std::max(int64_t{1}, int64_t{tile.step_units} * kUnitBytes / tile.shape.depth);
  const int64_t taps_reached = tile.step_units;
  return extents.steps * (1 + copies + depths * matrices + taps_reached);
}

// uvec4 [step][output channel][unit of the step], zeros in between.
std::vector<int8_t> pack_weights(const LoweredConvolution& op, const Extents& extents,
                                 const CooperativeMatrixTile& tile) {
  const int32_t taps = op.window.kernel_height * op.window.kernel_width;
  const auto step_bytes = int64_t{tile.step_units} * kUnitBytes;
  const int64_t columns = extents.padded_columns(tile);
  std::vector<int8_t> packed(static_cast<size_t>(extents.weights_bytes(tile)));
  auto weight = op.weights.begin();
  for (int32_t output = 0; output < op.output_extent.channels; ++output) {
    for (int32_t tap = 0; tap < taps; ++tap) {
      // As many channels at once as lie in one step.
      int64_t run = 0;
      for (int64_t channel = 0; channel < op.input_extent.channels; channel += run) {
        const int64_t place = tap * extents.tap_units * extents.unit_bytes + channel;
        const int64_t row = place / step_bytes * columns + output;
        run = std::min(step_bytes - place % step_bytes, op.input_extent.channels - channel);
        std::copy_n(weight, run,
                    &packed[static_cast<size_t>(row * step_bytes + place % step_bytes)]);
        weight += run;
      }
    }
  }
  return packed;
}

// Workgroups in x and y.
std::array<uint64_t, 2> workgroups_of(const Extents& extents, const Capabilities& capabilities) {
  const uint64_t tiles = uint64_t{extents.row_tiles} * extents.column_tiles;
  const uint64_t columns = std::min<uint64_t>(tiles, capabilities.max_workgroup_count[0]);
  return {columns, divide_up(tiles, columns)};
}

bool is_within_limits(const LoweredConvolution& op, const CooperativeMatrixTile& tile,
                      const Capabilities& capabilities) {
  const Extents extents = extents_of(op, tile);
  return static_cast<uint64_t>(extents.weights_bytes(tile)) <=
             capabilities.max_storage_buffer_range &&
         workgroups_of(extents, capabilities)[1] <= capabilities.max_workgroup_count[1];
}

KernelPlan plan(const PlanContext& context, const LoweredConvolution& op,
                const CooperativeMatrixTile& tile) {
  const Capabilities& capabilities = context.capabilities;
  const Extents extents = extents_of(op, tile);
  // Among the workgroups that a large GPU runs at once, about as many rows as columns.
  constexpr uint32_t kBandRows = 8;

  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  const graph::Window2d& window = op.window;
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = shader_name(extents.source);
  dispatch.specialization = specialization_of(
      context,
      end_constant(op.output_stage,
                   accumulator_bounds(op.bias, op.input_zero_point, sum_weights(op))),
      {has_asymmetric_weights(op) ? 1u : 0u, tile.shape.rows, tile.shape.columns, tile.shape.depth,
       tile.subgroup_size, tile.subgroup_rows, tile.subgroup_columns, tile.row_matrices,
       tile.column_matrices, tile.step_units, tile.buffers});
  dispatch.specialization.insert(dispatch.specialization.begin(), tile.invocations());
  if (capabilities.min_subgroup_size != capabilities.max_subgroup_size) {
    dispatch.subgroup_size = tile.subgroup_size;
  }
  dispatch.push_constants = push_constants(
      extents.positions, row_words(output), extents.row_tiles, extents.column_tiles, kBandRows,
      input.channel_stride / extents.unit_bytes, stride_words(output), extents.tap_units,
      op.input_extent.channels, extents.steps, op.input_extent.height, op.input_extent.width,
      op.output_extent.height, op.output_extent.width, window.kernel_height, window.kernel_width,
      window.stride_height, window.stride_width, window.dilation_height, window.dilation_width,
      window.padding_top, window.padding_left, replicate(op.input_zero_point),
      op.output_stage.zero_point, op.output_stage.activation_min, op.output_stage.activation_max);
  const std::vector<int8_t> weights = pack_weights(op, extents, tile);
  bind_operands(context, op.input, Binding::View::kStorage, std::span<const int8_t>(weights),
                channel_parameters(op, op.folded_bias, 0, tile.columns()), op.output, plan,
                dispatch);
  const auto [workgroup_columns, workgroup_rows] = workgroups_of(extents, capabilities);
  dispatch.workgroups = {static_cast<uint32_t>(workgroup_columns),
                         static_cast<uint32_t>(workgroup_rows), 1};
  plan.dispatches.push_back(std::move(dispatch));
  return plan;
}

// How long a tile is likely to take for an operator, in any unit: each processor computes whole
// tiles one after the other, and waits for its matrix units or for its share of the cache,
// whichever is slower.
double estimated_time(const LoweredConvolution& op, const CooperativeMatrixTile& tile) {
  // Of a large GPU; Vulkan does not tell. A product of 256 x 128 keeps both about equally busy.
  constexpr uint64_t kProcessors = 128;
  constexpr double kProductsPerByte = 96;
  const Extents extents = extents_of(op, tile);
  const double rows = tile.rows();
  const double columns = tile.columns();
  const uint64_t rounds =
      divide_up(uint64_t{extents.row_tiles} * extents.column_tiles, kProcessors);
  return static_cast<double>(rounds) *
         std::max(rows * columns, kProductsPerByte * (rows + columns));
}

std::string name_of(const LoweredConvolution& op, const CooperativeMatrixTile& tile) {
  return fmt::format("{}_{}x{}x{}_tile_{}x{}", shader_name(source_of(op)), tile.shape.rows,
                     tile.shape.columns, tile.shape.depth, tile.rows(), tile.columns());
}

}  // namespace

uint32_t CooperativeMatrixTile::shared_bytes(bool has_asymmetric_weights) const {
  const uint32_t unit_slots = shape.depth == 8 ? 2 : 1;
  const uint32_t row_slots = step_units * unit_slots + 1;
  const uint32_t operand_slots = buffers * (rows() + columns()) * row_slots;
  const uint32_t result_slots = subgroup_rows * shape.rows * (columns() / 4 + 2);
  const uint32_t input_sums = has_asymmetric_weights ? rows() * step_units : 1;
  return std::max(operand_slots, result_slots) * kUnitBytes + input_sums * 4;
}

std::vector<CooperativeMatrixTile> cooperative_matrix_tiles(const Capabilities& capabilities) {
  std::vector<CooperativeMatrixTile> tiles;
  for (const CooperativeMatrixShape& shape : capabilities.cooperative_matrices) {
    if (!is_supported(shape)) {
      continue;
    }
    for (const Grid& grid : kGrids) {
      const auto tile = tile_of(grid, shape, capabilities);
      if (tile && std::ranges::find(tiles, *tile) == tiles.end()) {
        tiles.push_back(*tile);
      }
    }
  }
  return tiles;
}

std::vector<Alternative> cooperative_matrix_alternatives(const PlanContext& context,
                                                         const LoweredConvolution& op) {
  std::vector<CooperativeMatrixTile> tiles = cooperative_matrix_tiles(context.capabilities);
  std::erase_if(tiles, [&](const CooperativeMatrixTile& tile) {
    return !is_within_limits(op, tile, context.capabilities);
  });
  if (op.groups != 1 || tiles.empty()) {
    return {};
  }
  const CooperativeMatrixShape first_shape = tiles.front().shape;
  std::ranges::stable_sort(
      tiles, {}, [&](const CooperativeMatrixTile& tile) { return estimated_time(op, tile); });
  std::vector<CooperativeMatrixShape> other_shapes;
  std::vector<Alternative> alternatives;
  for (const CooperativeMatrixTile& tile : tiles) {
    if (tile.shape != first_shape) {
      if (std::ranges::find(other_shapes, tile.shape) != other_shapes.end()) {
        continue;
      }
      other_shapes.push_back(tile.shape);
    }
    alternatives.push_back({.name = name_of(op, tile),
                            .plan = [&context, &op, tile] { return plan(context, op, tile); },
                            .loop_iterations = loop_iterations(op, tile)});
  }
  return alternatives;
}

bool prefers_cooperative_matrices(const PlanContext& context, const LoweredConvolution& op) {
  if (!preferences_of(context.capabilities.device_class).cooperative_matrix) {
    return false;
  }
  // Below a matrix or two, most of what it computes is thrown away.
  constexpr int64_t kWorthwhilePositions = 16;
  constexpr int32_t kWorthwhileChannels = 16;
  const graph::Extent4d& output = op.output_extent;
  return int64_t{output.batch} * output.height * output.width >= kWorthwhilePositions &&
         output.channels >= kWorthwhileChannels;
}

}  // namespace lockstep::backend::vulkan
