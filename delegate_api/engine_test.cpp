#include "delegate_api/engine.h"

#include <gmock/gmock.h>

#include <array>
#include <random>

#include "delegate_api/testing/fake_engine.h"
#include "graph/testing/graph_builder.h"
#include "graph/testing/sample_graphs.h"

namespace lockstep::delegate {
namespace {

using graph::testing::GraphBuilder;
using graph::testing::per_tensor;
using testing::create;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::fake_device;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Bytes = std::vector<std::byte>;

Bytes bytes_of(Result<std::span<const std::byte>> contents) {
  EXPECT_TRUE(contents) << contents.error().message;
  return contents ? Bytes(contents->begin(), contents->end()) : Bytes();
}

void set_random_inputs(Engine& engine, uint32_t seed) {
  std::mt19937 random(seed);
  const graph::Graph& graph = engine.graph();
  for (size_t index = 0; index < graph.inputs.size(); ++index) {
    const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(graph.inputs[index])];
    Bytes bytes(static_cast<size_t>(*graph::element_count(tensor.shape)) *
                graph::data_type_size(tensor.type));
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(random());
    }
    ASSERT_TRUE(engine.set_input(index, bytes));
  }
}

// All tensors that operators write, after one run.
std::vector<Bytes> all_tensors(Engine& engine) {
  set_random_inputs(engine, 5);
  EXPECT_TRUE(engine.run());
  std::vector<Bytes> tensors;
  for (const graph::Operator& op : engine.graph().operators) {
    tensors.push_back(bytes_of(engine.tensor(op.outputs[0])));
  }
  return tensors;
}

const EngineOptions kKeepAll{.partition = {}, .keep_all_tensors = true};

TEST(Engine, EveryDivisionBetweenDeviceAndHostGivesTheSameBits) {
  const graph::Graph graph = graph::testing::sample_network();
  const auto expected = all_tensors(*create(graph, nullptr, kKeepAll));
  for (const int32_t every : {1, 2, 3}) {
    const auto engine = create(graph, fake_device(every), kKeepAll);
    EXPECT_EQ(all_tensors(*engine), expected) << every;
    const EngineStatistics statistics = engine->statistics();
    EXPECT_EQ(statistics.device_operators, (std::ssize(graph.operators) + every - 1) / every);
    EXPECT_EQ(statistics.device_operators + statistics.host_operators, std::ssize(graph.operators));
    EXPECT_EQ(statistics.device.dispatches, statistics.device_operators);
  }
}

TEST(Engine, ReportsSayWhereEachOperatorRunsAndWhy) {
  const graph::Graph graph = graph::testing::sample_network();
  const auto engine = create(graph, fake_device(2));
  const auto reports = engine->operators();
  ASSERT_EQ(reports.size(), graph.operators.size());
  for (size_t index = 0; index < reports.size(); ++index) {
    EXPECT_EQ(reports[index].name, graph.operators[index].name);
    const bool on_device = index % 2 == 0;
    EXPECT_EQ(reports[index].executor, on_device ? Executor::kDevice : Executor::kHost);
    EXPECT_EQ(reports[index].variant == "fake", on_device) << reports[index].variant;
    EXPECT_NE(reports[index].variant, "");
    EXPECT_EQ(reports[index].reason.empty(), on_device);
    ASSERT_GE(reports[index].step, 0);
    EXPECT_THAT(engine->steps()[static_cast<size_t>(reports[index].step)].operators,
                ::testing::Contains(index));
  }
}

TEST(Engine, WithoutADeviceEverythingRunsOnTheHostInOneStep) {
  const auto engine = create(graph::testing::sample_network(), nullptr);
  EXPECT_EQ(engine->steps().size(), 1u);
  EXPECT_EQ(engine->statistics().partitions, 0);
  EXPECT_THAT(engine->operators(), Each(Field(&OperatorReport::executor, Executor::kHost)));
}

TEST(Engine, ADeviceThatCannotCompileLeavesItsWorkToTheHost) {
  const graph::Graph graph = graph::testing::sample_network();
  const auto expected = all_tensors(*create(graph, nullptr, kKeepAll));
  const auto device = fake_device();
  device->fails_to_compile = true;
  const auto engine = create(graph, device, kKeepAll);
  EXPECT_EQ(all_tensors(*engine), expected);
  EXPECT_THAT(engine->problems(), ElementsAre(HasSubstr("has no memory")));
  EXPECT_THAT(engine->operators(),
              Each(Field(&OperatorReport::reason, HasSubstr("has no memory"))));
  EXPECT_EQ(engine->statistics().partitions, 0);
}

TEST(Engine, ADeviceLostWhileRunningChangesNoBit) {
  const graph::Graph graph = graph::testing::sample_network();
  const auto expected = all_tensors(*create(graph, nullptr, kKeepAll));
  const auto device = fake_device();
  const auto engine = create(graph, device, kKeepAll);
  EXPECT_EQ(all_tensors(*engine), expected);
  EXPECT_THAT(engine->problems(), IsEmpty());
  device->fails_to_run = true;
  EXPECT_EQ(all_tensors(*engine), expected);
  EXPECT_THAT(engine->problems(), ElementsAre(HasSubstr("was lost")));
  EXPECT_THAT(engine->operators(), Each(Field(&OperatorReport::executor, Executor::kHost)));
}

TEST(Engine, WhatNobodyComputesIsUnavailableAndTheRestRuns) {
  GraphBuilder builder("half known");
  const auto scale = per_tensor(0.5f);
  const int32_t input = builder.input("x", graph::DataType::kInt8, {1, 4}, scale);
  const int32_t sum = builder.add(input, input, scale);
  const int32_t odd = builder.opaque("MyOperator", {sum}, graph::DataType::kInt8, {1, 4}, scale);
  const int32_t after = builder.add(odd, sum, scale);
  const int32_t beside = builder.add(sum, sum, scale);
  const auto engine = create(builder.build({after, beside}), fake_device());

  const std::array<int8_t, 4> values = {-3, 0, 1, 20};
  ASSERT_TRUE(engine->set_input(0, std::as_bytes(std::span(values))));
  ASSERT_TRUE(engine->run());
  const std::array<int8_t, 4> expected = {-12, 0, 4, 80};
  EXPECT_THAT(bytes_of(engine->output(1)),
              ::testing::ElementsAreArray(std::as_bytes(std::span(expected))));
  const auto missing = engine->output(0);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(missing.error().message, HasSubstr("is not available"));

  const auto reports = engine->operators();
  EXPECT_EQ(reports[0].executor, Executor::kDevice);
  EXPECT_EQ(reports[1].executor, Executor::kNobody);
  EXPECT_EQ(reports[1].reason, "custom operator");
  EXPECT_EQ(reports[2].executor, Executor::kNobody);
  EXPECT_EQ(reports[2].step, -1);
  EXPECT_EQ(reports[3].executor, Executor::kDevice);
  EXPECT_EQ(engine->statistics().unavailable_operators, 2);
}

TEST(Engine, WithoutKeepingOnlyBordersAreReadable) {
  const graph::Graph graph = graph::testing::sample_network();
  const auto engine = create(graph, fake_device());
  ASSERT_TRUE(engine->run());
  EXPECT_TRUE(engine->tensor(graph.inputs[0]));
  EXPECT_TRUE(engine->tensor(graph.outputs[0]));
  const auto inside = engine->tensor(graph.operators[0].outputs[0]);
  ASSERT_FALSE(inside);
  EXPECT_EQ(inside.error().code, ErrorCode::kInvalidArgument);
  for (size_t index = 0; index < graph.tensors.size(); ++index) {
    if (graph.tensors[index].is_constant()) {
      const auto constant = engine->tensor(static_cast<int32_t>(index));
      ASSERT_TRUE(constant);
      EXPECT_EQ(constant->size(), graph.tensors[index].data.size());
    }
  }
}

TEST(Engine, ABatchIsTheSameAsItsImagesOneByOne) {
  graph::Graph graph = graph::testing::sample_network();
  const auto single = create(graph, fake_device());
  graph::Shape shape = graph.tensors[static_cast<size_t>(graph.inputs[0])].shape;
  shape[0] = 3;
  ASSERT_TRUE(graph::resize_input(graph, graph.inputs[0], shape));
  const auto batched = create(graph, fake_device());

  set_random_inputs(*batched, 11);
  ASSERT_TRUE(batched->run());
  const Bytes inputs = bytes_of(batched->tensor(graph.inputs[0]));
  const Bytes outputs = bytes_of(batched->output(0));
  Bytes expected;
  for (size_t image = 0; image < 3; ++image) {
    const size_t bytes = inputs.size() / 3;
    ASSERT_TRUE(single->set_input(0, std::span(inputs).subspan(image * bytes, bytes)));
    ASSERT_TRUE(single->run());
    const Bytes one = bytes_of(single->output(0));
    expected.insert(expected.end(), one.begin(), one.end());
  }
  EXPECT_EQ(outputs, expected);
}

TEST(Engine, ATensorWithoutElementsIsThereAndEmpty) {
  GraphBuilder builder("empty");
  const int32_t input = builder.input("x", graph::DataType::kInt8, {0, 4}, per_tensor(0.5f));
  const auto engine = create(builder.build({input}), fake_device());
  ASSERT_TRUE(engine);
  EXPECT_TRUE(engine->set_input(0, {}));
  ASSERT_TRUE(engine->run());
  const auto output = engine->output(0);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_TRUE(output->empty());
}

TEST(Engine, WrongSizesAndIndicesAreRefused) {
  const auto engine = create(graph::testing::sample_network(), nullptr);
  EXPECT_FALSE(engine->set_input(0, Bytes(3)));
  EXPECT_FALSE(engine->set_input(9, {}));
  EXPECT_FALSE(engine->output(9));
  EXPECT_FALSE(engine->tensor(-1));
  EXPECT_FALSE(engine->tensor(10000));
}

TEST(Engine, AListThatNamesNothingIsRefused) {
  EngineOptions options;
  options.partition.allow_ops = {"NOTHING"};
  const auto engine = Engine::create(graph::testing::sample_network(), nullptr, options);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace lockstep::delegate
