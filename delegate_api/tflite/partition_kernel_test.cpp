#include "delegate_api/tflite/partition_kernel.h"

#include <gmock/gmock.h>

#include <array>

#include "delegate_api/testing/fake_device.h"
#include "graph/testing/graph_builder.h"

namespace lockstep::delegate {
namespace {

using graph::testing::GraphBuilder;
using graph::testing::per_tensor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// y = a + b with a and b [1, 4]; scales are equal, so values just add.
graph::Graph sum() {
  GraphBuilder builder("sum");
  const auto scale = per_tensor(0.5f);
  const int32_t a = builder.input("a", graph::DataType::kInt8, {1, 4}, scale);
  const int32_t b = builder.input("b", graph::DataType::kInt8, {1, 4}, scale);
  return builder.build({builder.add(a, b, scale)});
}

std::vector<int8_t> run(PartitionKernel& kernel, const std::vector<int8_t>& a,
                        const std::vector<int8_t>& b) {
  std::vector<int8_t> result(a.size());
  const std::array inputs = {std::as_bytes(std::span(a)), std::as_bytes(std::span(b))};
  const std::array outputs = {std::as_writable_bytes(std::span(result))};
  const Status done = kernel.run(inputs, outputs);
  EXPECT_TRUE(done) << done.error().message;
  return result;
}

const std::array<graph::Shape, 2> kSmall = {{{1, 4}, {1, 4}}};
const std::array<graph::Shape, 2> kLarge = {{{2, 4}, {2, 4}}};

TEST(PartitionKernel, CompilesOnlyWhenShapesChange) {
  const auto device = std::make_shared<testing::FakeDevice>();
  PartitionKernel kernel(sum(), device, numerics::Contract::kTflite);
  ASSERT_TRUE(kernel.prepare(kSmall));
  ASSERT_TRUE(kernel.prepare(kSmall));
  EXPECT_EQ(device->compiled_programs, 1);
  EXPECT_THAT(run(kernel, {1, 2, 3, 4}, {5, 5, 5, 5}), ElementsAre(6, 7, 8, 9));
  ASSERT_TRUE(kernel.prepare(kLarge));
  EXPECT_EQ(device->compiled_programs, 2);
  EXPECT_THAT(run(kernel, {1, 2, 3, 4, 5, 6, 7, 8}, {1, 1, 1, 1, 2, 2, 2, 2}),
              ElementsAre(2, 3, 4, 5, 7, 8, 9, 10));
}

TEST(PartitionKernel, InputsChangeTheirShapesTogether) {
  auto graph = sum();
  const std::array<graph::Shape, 2> two = {{{2, 4}, {2, 4}}};
  const std::array<graph::Shape, 2> three = {{{3, 4}, {3, 4}}};
  ASSERT_TRUE(propagate_shapes(graph, two));
  ASSERT_TRUE(propagate_shapes(graph, three));  // 3 and 2 would not broadcast
  EXPECT_THAT(graph.tensors[static_cast<size_t>(graph.outputs[0])].shape, ElementsAre(3, 4));
  const std::array<graph::Shape, 2> clash = {{{3, 4}, {2, 4}}};
  EXPECT_FALSE(propagate_shapes(graph, clash));
}

TEST(PartitionKernel, AFailedPrepareCanBeFollowedByAGoodOne) {
  PartitionKernel kernel(sum(), std::make_shared<testing::FakeDevice>(),
                         numerics::Contract::kTflite);
  const std::array<graph::Shape, 2> clash = {{{3, 4}, {2, 4}}};
  EXPECT_FALSE(kernel.prepare(clash));
  EXPECT_FALSE(kernel.run({}, {}));
  ASSERT_TRUE(kernel.prepare(kSmall));
  EXPECT_THAT(run(kernel, {1, 2, 3, 4}, {0, 0, 0, 0}), ElementsAre(1, 2, 3, 4));
}

TEST(PartitionKernel, ADeviceThatCannotCompileIsGivenUp) {
  const auto device = std::make_shared<testing::FakeDevice>();
  device->fails_to_compile = true;
  PartitionKernel kernel(sum(), device, numerics::Contract::kTflite);
  ASSERT_TRUE(kernel.prepare(kSmall));
  EXPECT_THAT(kernel.device_failure(), HasSubstr("no memory"));
  EXPECT_THAT(run(kernel, {1, 2, 3, 4}, {1, 1, 1, 1}), ElementsAre(2, 3, 4, 5));
}

TEST(PartitionKernel, ADeviceLostInARunIsGivenUpAndTheRunSucceeds) {
  const auto device = std::make_shared<testing::FakeDevice>();
  PartitionKernel kernel(sum(), device, numerics::Contract::kTflite);
  ASSERT_TRUE(kernel.prepare(kSmall));
  EXPECT_EQ(kernel.device_failure(), "");
  EXPECT_EQ(kernel.placements().at(0).variant, "fake");
  device->fails_to_run = true;
  EXPECT_THAT(run(kernel, {1, 2, 3, 4}, {1, 1, 1, 1}), ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(kernel.device_failure(), HasSubstr("was lost"));
  EXPECT_THAT(kernel.placements().at(0).variant, ::testing::StartsWith("add "));
  ASSERT_TRUE(kernel.prepare(kLarge));
  EXPECT_EQ(device->compiled_programs, 1);
}

}  // namespace
}  // namespace lockstep::delegate
