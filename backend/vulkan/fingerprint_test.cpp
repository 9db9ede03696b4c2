#include "backend/vulkan/fingerprint.h"

#include <gtest/gtest.h>

namespace lockstep::backend::vulkan {
namespace {

// A 1x1 convolution from 16 to 8 channels, then a table.
graph::LoweredGraph small_graph() {
  graph::LoweredGraph graph;
  for (const int32_t channels : {16, 8, 8}) {
    graph.tensors.push_back({fmt::format("t{}", graph.tensors.size()),
                             graph::DataType::kInt8,
                             {1, 3, 3, channels},
                             {}});
  }
  graph::LoweredConvolution convolution;
  convolution.input = 0;
  convolution.output = 1;
  convolution.input_extent = {1, 3, 3, 16};
  convolution.output_extent = {1, 3, 3, 8};
  convolution.weights.assign(16 * 8, 1);
  convolution.weights_zero_points.assign(8, 0);
  convolution.bias.assign(8, 0);
  convolution.folded_bias.assign(8, 0);
  convolution.output_stage.scales.assign(8, {});
  graph.operators.push_back({"CONV_2D", 0, convolution});
  graph.operators.push_back({"LOGISTIC", 1, graph::LoweredTable{1, 2, {}}});
  graph.inputs = {0};
  graph.outputs = {2};
  return graph;
}

graph::LoweredConvolution& convolution_of(graph::LoweredGraph& graph) {
  return std::get<graph::LoweredConvolution>(graph.operators.front().operation);
}

std::string fingerprint(const graph::LoweredGraph& graph, const Capabilities& capabilities,
                        const CompileOptions& options = {}) {
  std::vector<KernelPlan> plans;
  for (const graph::LoweredOperator& op : graph.operators) {
    auto plan = plan_operator({graph, capabilities, options.kernel}, op);
    EXPECT_TRUE(plan);
    plans.push_back(std::move(*plan));
  }
  const auto text = fingerprint_of(graph, plans, capabilities, options);
  EXPECT_TRUE(text);
  return text.value_or("");
}

Capabilities large_device() {
  Capabilities large;
  large.max_workgroup_invocations = 1024;
  large.max_workgroup_size = {1024, 1024, 64};
  large.min_storage_buffer_offset_alignment = 16;
  large.integer_dot_product = true;
  large.shader_int8 = true;
  large.unified_memory = true;
  large.min_subgroup_size = 4;
  large.max_subgroup_size = 32;
  large.max_workgroup_subgroups = 64;
  return large;
}

Capabilities masked(std::string_view mask) {
  Capabilities capabilities = large_device();
  EXPECT_TRUE(apply_mask(mask, capabilities));
  return capabilities;
}

TEST(Fingerprint, IsTheSameWhereCommandsAre) {
  const graph::LoweredGraph graph = small_graph();
  const std::string own_choice = fingerprint(graph, large_device());
  EXPECT_EQ(fingerprint(graph, large_device()), own_choice);
  // No kernel here uses what these hide, or goes beyond 64 invocations.
  for (const char* mask : {"int8", "timestamps", "invocations=64", "invocations=128"}) {
    EXPECT_EQ(fingerprint(graph, masked(mask)), own_choice) << mask;
  }
  // The device's own choice, and one that no operator has.
  for (const char* kernel : {"convolution_pointwise_int_dot", "table", "pad of rows"}) {
    EXPECT_EQ(fingerprint(graph, large_device(), {.kernel = kernel}), own_choice) << kernel;
  }
  // The fill is nothing without guards.
  EXPECT_EQ(fingerprint(graph, large_device(), {.fill = 9}), own_choice);
  // Runs that are not profiled are those of other programs, however many are under way.
  EXPECT_EQ(fingerprint(graph, large_device(), {.profile = true, .runs_in_flight = 3}), own_choice);
  // Masked, or chosen: the same kernel.
  EXPECT_EQ(fingerprint(graph, masked("int-dot")),
            fingerprint(graph, large_device(), {.kernel = "convolution_pointwise"}));
}

TEST(Fingerprint, DiffersWhereCommandsDo) {
  const graph::LoweredGraph graph = small_graph();
  const std::string own_choice = fingerprint(graph, large_device());
  for (const char* mask :
       {"int-dot", "invocations=32", "subgroup-size=16", "unified-memory", "all"}) {
    EXPECT_NE(fingerprint(graph, masked(mask)), own_choice) << mask;
  }
  for (const char* kernel : {"convolution_row_int_dot", "convolution_words", "convolution"}) {
    EXPECT_NE(fingerprint(graph, large_device(), {.kernel = kernel}), own_choice) << kernel;
  }
  EXPECT_NE(fingerprint(graph, large_device(), {.guard_memory = true}), own_choice);
  EXPECT_NE(fingerprint(graph, large_device(), {.split_everywhere = true}), own_choice);
  EXPECT_NE(fingerprint(graph, large_device(), {.guard_memory = true, .fill = 9}),
            fingerprint(graph, large_device(), {.guard_memory = true}));

  graph::LoweredGraph changed = small_graph();
  convolution_of(changed).weights.back() = 2;  // a constant
  EXPECT_NE(fingerprint(changed, large_device()), own_choice);
  changed = small_graph();
  convolution_of(changed).output_stage.zero_point = 1;  // a push constant
  EXPECT_NE(fingerprint(changed, large_device()), own_choice);
  changed = small_graph();
  convolution_of(changed).output_stage.rounding = numerics::Rounding::kSingle;  // specialization
  EXPECT_NE(fingerprint(changed, large_device()), own_choice);
}

TEST(Fingerprint, FailsForGraphsThatCannotBeCompiled) {
  graph::LoweredGraph graph = small_graph();
  std::swap(graph.operators[0], graph.operators[1]);  // reads what nothing has written
  const KernelPlan plans[2];
  EXPECT_FALSE(fingerprint_of(graph, plans, large_device(), {}));
}

}  // namespace
}  // namespace lockstep::backend::vulkan
