// Which tiles there are for a device, which one an operator gets, and how its weights lie. What the
// kernels compute is tested in kernel_test.cpp, on devices that have cooperative matrices.
#include "backend/vulkan/convolution_cooperative_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace lockstep::backend::vulkan {
namespace {

using graph::DataType;
using graph::LoweredConvolution;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using Scope = CooperativeMatrixShape::Scope;

CooperativeMatrixShape shape(uint32_t rows, uint32_t columns, uint32_t depth) {
  return {.rows = rows, .columns = columns, .depth = depth};
}

Capabilities device_with(std::vector<CooperativeMatrixShape> shapes, uint32_t subgroup_size = 32) {
  Capabilities capabilities;
  capabilities.device_class = DeviceClass::kNvidia;
  capabilities.max_workgroup_invocations = 1024;
  capabilities.max_workgroup_size = {1024, 1024, 64};
  capabilities.max_shared_memory = 49152;
  capabilities.max_storage_buffer_range = uint64_t{1} << 32;
  capabilities.shader_int8 = true;
  capabilities.subgroup_size = subgroup_size;
  capabilities.min_subgroup_size = subgroup_size;
  capabilities.max_subgroup_size = subgroup_size;
  capabilities.cooperative_matrices = std::move(shapes);
  return capabilities;
}

// A matrix product, or a convolution of `kernel` x `kernel` taps, with weights 1, 2, 3, ...
struct Network {
  Network(graph::Extent4d input, int32_t outputs, int32_t kernel = 1) {
    op.input_extent = input;
    op.output_extent = {input.batch, input.height, input.width, outputs};
    op.window = {.kernel_height = kernel,
                 .kernel_width = kernel,
                 .padding_top = kernel / 2,
                 .padding_left = kernel / 2};
    op.input = 0;
    op.output = 1;
    const auto size = static_cast<size_t>(outputs);
    op.weights.resize(size * static_cast<size_t>(kernel * kernel * input.channels));
    for (size_t i = 0; i < op.weights.size(); ++i) {
      op.weights[i] = static_cast<int8_t>(i % 127 + 1);
    }
    op.weights_zero_points.resize(size);
    for (int32_t channel = 0; channel < outputs; ++channel) {
      op.folded_bias.push_back(1000 + channel);
    }
    op.bias = op.folded_bias;
    op.output_stage.scales.resize(size);
    graph.tensors = {
        {"x", DataType::kInt8, {input.batch, input.height, input.width, input.channels}, {}},
        {"y", DataType::kInt8, {input.batch, input.height, input.width, outputs}, {}}};
  }
  std::vector<Alternative> alternatives(const Capabilities& capabilities) {
    context.emplace(PlanContext{graph, capabilities});
    return cooperative_matrix_alternatives(*context, op);
  }

  LoweredConvolution op;
  graph::LoweredGraph graph;
  std::optional<PlanContext> context;
};

TEST(CooperativeMatrixTiles, LargestTileOfLargeSubgroupsIs256x128) {
  const auto tiles = cooperative_matrix_tiles(device_with({shape(16, 16, 32)}));
  ASSERT_THAT(tiles, Not(IsEmpty()));
  EXPECT_EQ(tiles.front(), (CooperativeMatrixTile{.shape = shape(16, 16, 32),
                                                  .subgroup_size = 32,
                                                  .subgroup_rows = 4,
                                                  .subgroup_columns = 2,
                                                  .row_matrices = 4,
                                                  .column_matrices = 4,
                                                  .step_units = 2,
                                                  .buffers = 2}));
}

TEST(CooperativeMatrixTiles, EveryShapeKeepsToTheRulesOfTheShader) {
  struct Case {
    CooperativeMatrixShape shape;
    uint32_t subgroup_size;
  };
  for (const auto& [matrix, subgroup_size] :
       {Case{shape(8, 8, 8), 8}, Case{shape(8, 8, 32), 8}, Case{shape(8, 16, 32), 16},
        Case{shape(16, 16, 16), 32}, Case{shape(16, 16, 16), 64}, Case{shape(16, 8, 32), 32},
        Case{shape(16, 16, 32), 32}, Case{shape(32, 32, 16), 64}, Case{shape(16, 16, 64), 32}}) {
    for (const uint32_t shared_memory : {16384u, 32768u, 49152u, 65536u}) {
      Capabilities capabilities = device_with({matrix}, subgroup_size);
      capabilities.max_shared_memory = shared_memory;
      const auto tiles = cooperative_matrix_tiles(capabilities);
      SCOPED_TRACE(fmt::format("{}, subgroups of {}, {} bytes", to_string(matrix), subgroup_size,
                               shared_memory));
      EXPECT_TRUE(!tiles.empty() || shared_memory < 32768);
      for (const CooperativeMatrixTile& tile : tiles) {
        EXPECT_LE(tile.shared_bytes(true), shared_memory);
        EXPECT_LE(tile.invocations(), 1024u);
        EXPECT_EQ(tile.step_units * 16 % tile.shape.depth, 0u);
        // Each invocation copies whole rows' units, and ends one block of channels.
        EXPECT_EQ(tile.rows() * tile.step_units % tile.invocations(), 0u);
        EXPECT_EQ(tile.columns() * tile.step_units % tile.invocations(), 0u);
        EXPECT_EQ(tile.invocations() % (tile.columns() / 4), 0u);
      }
    }
  }
}

TEST(CooperativeMatrixTiles, NoneForOtherTypesAndScopesAndSmallDevices) {
  CooperativeMatrixShape is_unsigned = shape(16, 16, 32);
  is_unsigned.is_left_signed = false;
  CooperativeMatrixShape of_workgroups = shape(16, 16, 32);
  of_workgroups.scope = Scope::kWorkgroup;
  EXPECT_THAT(cooperative_matrix_tiles(
                  device_with({is_unsigned, of_workgroups, shape(16, 16, 4), shape(16, 6, 32)})),
              IsEmpty());
  EXPECT_THAT(cooperative_matrix_tiles(device_with({})), IsEmpty());

  Capabilities small = device_with({shape(16, 16, 32)});
  small.max_workgroup_invocations = 64;
  EXPECT_THAT(cooperative_matrix_tiles(small), IsEmpty());
  small = device_with({shape(16, 16, 32)});
  small.max_shared_memory = 1024;
  EXPECT_THAT(cooperative_matrix_tiles(small), IsEmpty());
}

TEST(CooperativeMatrixAlternatives, LargeProductsGetLargeTilesAndSmallOnesSmall) {
  const Capabilities capabilities = device_with({shape(16, 16, 32)});
  Network large({1, 64, 64, 4096}, 4096);
  EXPECT_THAT(large.alternatives(capabilities).front().name, HasSubstr("tile_256x128"));
  // Few positions, many channels: enough workgroups go before large ones.
  Network deep({32, 7, 7, 2048}, 512);
  EXPECT_THAT(deep.alternatives(capabilities).front().name, HasSubstr("tile_128x64"));
  Network small({1, 7, 7, 64}, 32);
  EXPECT_THAT(small.alternatives(capabilities).front().name, HasSubstr("tile_32x32"));
}

TEST(CooperativeMatrixAlternatives, NameTheSourceTheShapeAndTheTile) {
  const Capabilities capabilities = device_with({shape(16, 16, 32), shape(16, 8, 32)});
  const auto names = [&](Network network) {
    std::vector<std::string> result;
    for (const Alternative& alternative : network.alternatives(capabilities)) {
      result.push_back(alternative.name);
    }
    return result;
  };
  EXPECT_THAT(names(Network({1, 8, 8, 32}, 32)),
              Each(HasSubstr("convolution_cooperative_matrix_pointwise_16x")));
  EXPECT_THAT(names(Network({1, 8, 8, 3}, 32, 3)),
              Each(HasSubstr("convolution_cooperative_matrix_words_16x")));
  const auto windows = names(Network({1, 8, 8, 32}, 32, 3));
  EXPECT_THAT(windows, ::testing::Contains("convolution_cooperative_matrix_16x16x32_tile_64x64"));
  // Shapes that the driver prefers less have their best tile only.
  EXPECT_EQ(std::ranges::count_if(
                windows, [](const std::string& name) { return name.find("16x8x32") != name.npos; }),
            1);
  EXPECT_EQ(std::set<std::string>(windows.begin(), windows.end()).size(), windows.size());
}

TEST(CooperativeMatrixAlternatives, LeaveGroupsToOthers) {
  const Capabilities capabilities = device_with({shape(16, 16, 32)});
  Network network({1, 8, 8, 32}, 32, 3);
  network.op.groups = 2;
  EXPECT_THAT(network.alternatives(capabilities), IsEmpty());
}

TEST(CooperativeMatrixAlternatives, ComeFirstOnGpusThatHaveThemAndForWorkThatFillsThem) {
  Capabilities capabilities = device_with({shape(16, 16, 32)});
  Network layer({1, 14, 14, 64}, 64);
  Network row({1, 1, 1, 64}, 1000);
  EXPECT_TRUE(prefers_cooperative_matrices({layer.graph, capabilities}, layer.op));
  EXPECT_FALSE(prefers_cooperative_matrices({row.graph, capabilities}, row.op));
  capabilities.device_class = DeviceClass::kCpuLike;
  EXPECT_FALSE(prefers_cooperative_matrices({layer.graph, capabilities}, layer.op));
}

// uvec4 [step][output channel][unit], zeros elsewhere, whatever the tile.
TEST(CooperativeMatrixPlan, PacksEveryWeightIntoItsStep) {
  for (const auto& [channels, kernel] : {std::pair{20, 3}, {3, 3}, {70, 1}, {3, 1}}) {
    const Capabilities capabilities = device_with({shape(16, 16, 32)});
    Network network({1, 5, 5, channels}, 37, kernel);
    for (const Alternative& alternative : network.alternatives(capabilities)) {
      SCOPED_TRACE(fmt::format("{} channels, {}", channels, alternative.name));
      const auto plan = alternative.plan();
      ASSERT_TRUE(plan) << plan.error().message;
      const Dispatch& dispatch = plan->dispatches.at(0);
      const uint32_t padded_columns = dispatch.push_constants[3] * dispatch.specialization[11] *
                                      dispatch.specialization[13] * dispatch.specialization[7];
      const uint32_t step_bytes = dispatch.specialization[14] * 16;
      const uint32_t steps = dispatch.push_constants[9];
      const uint32_t tap_bytes = channels <= 4 ? 4 : static_cast<uint32_t>(channels + 15) / 16 * 16;
      std::vector<std::byte> expected(size_t{steps} * padded_columns * step_bytes);
      size_t weight = 0;
      for (uint32_t output = 0; output < 37; ++output) {
        for (uint32_t tap = 0; tap < static_cast<uint32_t>(kernel * kernel); ++tap) {
          for (uint32_t channel = 0; channel < static_cast<uint32_t>(channels); ++channel) {
            const uint32_t depth = tap * tap_bytes + channel;
            expected.at((depth / step_bytes * padded_columns + output) * step_bytes +
                        depth % step_bytes) = static_cast<std::byte>(network.op.weights[weight++]);
          }
        }
      }
      EXPECT_EQ(plan->constants.at(0), expected);
      ASSERT_THAT(plan->constants.at(1), SizeIs(size_t{padded_columns} * 16));
      int32_t last_bias = 0;
      std::memcpy(&last_bias, plan->constants[1].data() + size_t{36} * 16, sizeof(last_bias));
      EXPECT_EQ(last_bias, 1036);
    }
  }
}

// The matrices belong to one subgroup size; only devices with a choice have to be told.
TEST(CooperativeMatrixPlan, AsksForTheSubgroupSizeWhereThereIsAChoice) {
  Network network({1, 8, 8, 32}, 32);
  Capabilities capabilities = device_with({shape(16, 16, 32)});
  EXPECT_EQ(network.alternatives(capabilities).front().plan()->dispatches[0].subgroup_size, 0u);
  capabilities.max_subgroup_size = 64;
  capabilities.max_workgroup_subgroups = 16;
  EXPECT_EQ(network.alternatives(capabilities).front().plan()->dispatches[0].subgroup_size, 32u);
  capabilities.max_workgroup_subgroups = 2;
  EXPECT_THAT(network.alternatives(capabilities), IsEmpty());
}

TEST(CooperativeMatrixAlternatives, KeepToWhatTheDeviceBindsAndDispatches) {
  Network network({1, 64, 64, 32}, 32);
  Capabilities capabilities = device_with({shape(16, 16, 32)});
  capabilities.max_workgroup_count = {2, 10, 1};
  EXPECT_THAT(network.alternatives(capabilities),
              Each(::testing::Field(&Alternative::name, HasSubstr("tile_256x128"))));
  capabilities.max_workgroup_count = {2, 2, 1};
  EXPECT_THAT(network.alternatives(capabilities), IsEmpty());
  // 32 bytes for each of 32 channels; larger tiles pad more.
  capabilities = device_with({shape(16, 16, 32)});
  capabilities.max_storage_buffer_range = 32 * 64;
  EXPECT_THAT(network.alternatives(capabilities),
              Each(::testing::Field(&Alternative::name, HasSubstr("tile_32x32"))));
}

}  // namespace
}  // namespace lockstep::backend::vulkan
