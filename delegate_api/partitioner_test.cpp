#include "delegate_api/partitioner.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>

#include "delegate_api/testing/fake_device.h"
#include "graph/testing/graph_builder.h"

namespace lockstep::delegate {
namespace {

using graph::testing::GraphBuilder;
using graph::testing::per_tensor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

graph::Quantization scale() { return per_tensor(0.5f); }

// A graph of additions: operator i adds the results of operators pairs[i] (-1: the graph's input).
graph::Graph additions(const std::vector<std::pair<int, int>>& pairs) {
  GraphBuilder builder("additions");
  const int32_t input = builder.input("x", graph::DataType::kInt8, {1, 4}, scale());
  std::vector<int32_t> results;
  for (const auto& [left, right] : pairs) {
    const auto result_of = [&](int index) {
      return index < 0 ? input : results[static_cast<size_t>(index)];
    };
    results.push_back(builder.add(result_of(left), result_of(right), scale()));
  }
  return builder.build({results.back()});
}

testing::FakeDevice device_taking(const std::set<int32_t>& operators) {
  return testing::FakeDevice([operators](const graph::LoweredOperator& op) {
    return operators.contains(op.source_operator);
  });
}

std::vector<std::vector<size_t>> operators_of(const Partitioning& partitioning) {
  std::vector<std::vector<size_t>> operators;
  for (const Partition& partition : partitioning.partitions) {
    operators.push_back(partition.operators);
  }
  return operators;
}

// ---- Brute force --------------------------------------------------------------------------------

// Whether groups (one number an operator; operators with the same number run as one step) can be
// put into an order: the graph of groups has no cycle.
bool can_be_ordered(const std::vector<std::pair<int, int>>& pairs, const std::vector<int>& groups) {
  std::set<int> remaining(groups.begin(), groups.end());
  bool moved = true;
  while (moved) {
    moved = false;
    for (const int group : std::set<int>(remaining)) {
      bool ready = true;
      for (size_t index = 0; index < pairs.size(); ++index) {
        if (groups[index] != group) {
          continue;
        }
        for (const int producer : {pairs[index].first, pairs[index].second}) {
          if (producer >= 0) {
            const int other = groups[static_cast<size_t>(producer)];
            ready = ready && (other == group || !remaining.contains(other));
          }
        }
      }
      if (ready) {
        remaining.erase(group);
        moved = true;
      }
    }
  }
  return remaining.empty();
}

// Groups in which every host operator is alone and partition p is group p.
std::vector<int> groups_of(const Partitioning& partitioning) {
  std::vector<int> groups;
  for (size_t index = 0; index < partitioning.decisions.size(); ++index) {
    const int partition = partitioning.decisions[index].partition;
    groups.push_back(partition >= 0 ? partition : 1000 + static_cast<int>(index));
  }
  return groups;
}

// The smallest number of partitions that hold all `taken` operators, tried one way after another.
int smallest_partition_count(const std::vector<std::pair<int, int>>& pairs,
                             const std::set<int32_t>& taken) {
  std::vector<int> groups(pairs.size());
  int best = static_cast<int>(pairs.size()) + 1;
  const std::function<void(size_t, int)> assign = [&](size_t index, int used) {
    if (used >= best) {
      return;
    }
    if (index == pairs.size()) {
      if (can_be_ordered(pairs, groups)) {
        best = used;
      }
      return;
    }
    if (!taken.contains(static_cast<int32_t>(index))) {
      groups[index] = 1000 + static_cast<int>(index);
      assign(index + 1, used);
      return;
    }
    for (int group = 0; group <= used; ++group) {
      groups[index] = group;
      assign(index + 1, std::max(used, group + 1));
    }
  };
  assign(0, 0);
  return best;
}

TEST(Partitioner, OnRandomGraphsPartitionsAreOrderableMaximalAndAsFewAsPossible) {
  std::mt19937 random(20240521);
  for (int round = 0; round < 300; ++round) {
    const int count = 2 + static_cast<int>(random() % 7);
    std::vector<std::pair<int, int>> pairs;
    std::set<int32_t> taken;
    for (int index = 0; index < count; ++index) {
      const auto earlier = [&] { return static_cast<int>(random() % (index + 1u)) - 1; };
      pairs.emplace_back(earlier(), earlier());
      if (random() % 3 != 0) {
        taken.insert(index);
      }
    }
    const auto device = device_taking(taken);
    const Partitioning partitioning = partition_graph(additions(pairs), device, {});
    SCOPED_TRACE(::testing::PrintToString(pairs) + " taken " + ::testing::PrintToString(taken));

    std::set<int32_t> placed;
    for (const Partition& partition : partitioning.partitions) {
      placed.insert(partition.operators.begin(), partition.operators.end());
    }
    ASSERT_EQ(placed, taken);
    const std::vector<int> groups = groups_of(partitioning);
    ASSERT_TRUE(can_be_ordered(pairs, groups));
    const int partitions = static_cast<int>(partitioning.partitions.size());
    for (int first = 0; first < partitions; ++first) {
      for (int second = first + 1; second < partitions; ++second) {
        std::vector<int> merged = groups;
        std::replace(merged.begin(), merged.end(), second, first);
        ASSERT_FALSE(can_be_ordered(pairs, merged)) << first << " and " << second;
      }
    }
    ASSERT_EQ(partitions, smallest_partition_count(pairs, taken));
  }
}

TEST(Partitioner, LargeRandomGraphsAreOrderable) {
  std::mt19937 random(7);
  for (int round = 0; round < 5; ++round) {
    std::vector<std::pair<int, int>> pairs;
    std::set<int32_t> taken;
    for (int index = 0; index < 150; ++index) {
      const auto recent = [&] { return std::max(-1, index - 1 - static_cast<int>(random() % 8)); };
      pairs.emplace_back(recent(), recent());
      if (random() % 8 != 0) {
        taken.insert(index);
      }
    }
    const auto device = device_taking(taken);
    EXPECT_TRUE(can_be_ordered(pairs, groups_of(partition_graph(additions(pairs), device, {}))));
  }
}

// ---- Single rules -------------------------------------------------------------------------------

TEST(Partitioner, AHostOperatorBesideADeviceChainDoesNotCutIt) {
  // 0 -> 2, 1 -> 2; operator 1 is the host's and waits for nobody.
  const auto graph = additions({{-1, -1}, {-1, -1}, {0, 1}});
  const auto device = device_taking({0, 2});
  const auto partitioning = partition_graph(graph, device, {});
  EXPECT_THAT(operators_of(partitioning), ElementsAre(ElementsAre(0, 2)));
  EXPECT_THAT(partitioning.decisions[1].reason, HasSubstr(testing::FakeDevice::kRefusal));
  EXPECT_EQ(partitioning.decisions[0].reason, "");
}

TEST(Partitioner, ATfliteHostMakesTwoTurnsWhereThePlanBeginsOnTheDevice) {
  const PartitionOptions options{.allow_ops = {}, .deny_ops = {}, .form_as_tflite_does = true};
  const auto graph = additions({{-1, -1}, {-1, -1}, {0, 1}});
  const auto begins_on_device = device_taking({0, 2});
  EXPECT_THAT(operators_of(partition_graph(graph, begins_on_device, options)),
              ElementsAre(ElementsAre(0), ElementsAre(2)));
  const auto begins_on_host = device_taking({1, 2});
  EXPECT_THAT(operators_of(partition_graph(graph, begins_on_host, options)),
              ElementsAre(ElementsAre(1, 2)));
}

TEST(Partitioner, BordersAreWhatCrossesThem) {
  // 0 (device) -> 1 (device) -> 2 (host) and 0 -> 2: results of 0 and 1 leave, x enters.
  const auto graph = additions({{-1, -1}, {0, 0}, {0, 1}});
  const auto device = device_taking({0, 1});
  const auto partitioning = partition_graph(graph, device, {});
  ASSERT_EQ(partitioning.partitions.size(), 1u);
  const Partition& partition = partitioning.partitions[0];
  EXPECT_EQ(partition.inputs, graph.inputs);
  EXPECT_THAT(partition.outputs,
              ElementsAre(graph.operators[0].outputs[0], graph.operators[1].outputs[0]));
}

TEST(Partitioner, ATensorThatNobodyReadsIsAnOutput) {
  const auto graph = additions({{-1, -1}, {-1, -1}});  // only operator 1 is a graph output
  const auto device = device_taking({0, 1});
  const auto partitioning = partition_graph(graph, device, {});
  ASSERT_EQ(partitioning.partitions.size(), 1u);
  EXPECT_THAT(partitioning.partitions[0].outputs,
              UnorderedElementsAre(graph.operators[0].outputs[0], graph.operators[1].outputs[0]));
}

TEST(Partitioner, MinNodesSendsSmallPartitionsBackWithTheirSize) {
  // device, host, device, device
  const auto graph = additions({{-1, -1}, {0, 0}, {1, 1}, {2, 2}});
  const auto device = device_taking({0, 2, 3});
  PartitionOptions options;
  options.min_nodes = 2;
  const auto partitioning = partition_graph(graph, device, options);
  EXPECT_THAT(operators_of(partitioning), ElementsAre(ElementsAre(2, 3)));
  EXPECT_EQ(partitioning.decisions[2].partition, 0);
  EXPECT_THAT(partitioning.decisions[0].reason, HasSubstr("min_nodes 2"));
}

// A fully connected layer, a SOFTMAX that stays with the host, and an addition behind it.
TEST(Partitioner, ALightPartitionBesideAHeavyOneDoesNotPay) {
  GraphBuilder builder("light tail");
  const int32_t input = builder.input("x", graph::DataType::kInt8, {1, 4}, scale());
  const int32_t weights = builder.constant<int8_t>("w", {2, 4}, std::vector<int8_t>(8, 1), scale());
  const int32_t dense =
      builder.fully_connected(input, weights, graph::kAbsentTensor, per_tensor(1.0f));
  const int32_t probabilities = builder.softmax(dense, per_tensor(1.0f / 256.0f, -128));
  const graph::Graph graph =
      builder.build({builder.add(probabilities, probabilities, per_tensor(1.0f / 128.0f, -128))});
  const Partitioning partitioning = partition_graph(graph, device_taking({0, 2}), {});
  EXPECT_THAT(operators_of(partitioning), ElementsAre(ElementsAre(0)));
  EXPECT_THAT(partitioning.decisions[2].reason, HasSubstr("multiplies nothing"));
  PartitionOptions options;
  options.keep_light_partitions = true;
  EXPECT_EQ(partition_graph(graph, device_taking({0, 2}), options).partitions.size(), 2u);
}

TEST(Partitioner, MaxPartitionsKeepsTheOnesWithTheMostWork) {
  GraphBuilder builder;
  const int32_t input = builder.input("x", graph::DataType::kInt8, {1, 4}, scale());
  const auto dense = [&](int32_t from, int32_t columns, int32_t rows) {
    const std::vector<int8_t> values(static_cast<size_t>(columns) * static_cast<size_t>(rows), 1);
    const int32_t weights = builder.constant<int8_t>("w", {rows, columns}, values, scale());
    return builder.fully_connected(from, weights, graph::kAbsentTensor, scale());
  };
  const int32_t small = dense(input, 4, 8);                       // operator 0: 32
  const int32_t first_gap = builder.add(small, small, scale());   // 1: the host's
  const int32_t large = dense(first_gap, 8, 16);                  // 2: 128
  const int32_t second_gap = builder.add(large, large, scale());  // 3: the host's
  const int32_t middle = dense(second_gap, 16, 4);                // 4: 64
  const auto graph = builder.build({middle});
  const auto device = device_taking({0, 2, 4});
  PartitionOptions options;
  options.max_partitions = 2;
  const auto partitioning = partition_graph(graph, device, options);
  EXPECT_THAT(operators_of(partitioning), ElementsAre(ElementsAre(2), ElementsAre(4)));
  EXPECT_THAT(partitioning.decisions[0].reason, HasSubstr("max_partitions 2"));
  EXPECT_THAT(partitioning.decisions[0].reason, HasSubstr("32 multiply-accumulates"));
}

TEST(Partitioner, ListsNameOperatorsOrTheTensorsTheyWrite) {
  auto graph = additions({{-1, -1}, {0, 0}});
  graph.tensors[static_cast<size_t>(graph.operators[1].outputs[0])].name = "scores";
  const testing::FakeDevice device;
  PartitionOptions options;
  options.deny_ops = {"scores"};
  auto partitioning = partition_graph(graph, device, options);
  EXPECT_THAT(operators_of(partitioning), ElementsAre(ElementsAre(0)));
  EXPECT_THAT(partitioning.decisions[1].reason, HasSubstr("deny_ops"));

  options = {};
  options.allow_ops = {"scores"};
  partitioning = partition_graph(graph, device, options);
  EXPECT_THAT(operators_of(partitioning), ElementsAre(ElementsAre(1)));
  EXPECT_THAT(partitioning.decisions[0].reason, HasSubstr("allow_ops"));

  options.allow_ops = {"ADD"};
  options.deny_ops = {"ADD"};
  EXPECT_THAT(operators_of(partition_graph(graph, device, options)), IsEmpty());
}

TEST(Partitioner, AListEntryThatNamesNothingIsAnErrorThatListsOperators) {
  const auto graph = additions({{-1, -1}});
  PartitionOptions options;
  options.deny_ops = {"CONV2D"};
  const auto status = check_partition_options(graph, options);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(status.error().message, HasSubstr("CONV2D"));
  EXPECT_THAT(status.error().message, HasSubstr("DEPTHWISE_CONV_2D"));

  options.deny_ops = {"CONV_2D"};  // known, though this graph has none
  EXPECT_TRUE(check_partition_options(graph, options));
  options.min_nodes = -1;
  EXPECT_FALSE(check_partition_options(graph, options));
}

TEST(Partitioner, WhatCannotBeLoweredIsRefusedWithTheLoweringsReason) {
  GraphBuilder builder;
  const int32_t input = builder.input("x", graph::DataType::kInt8, {1, 4}, scale());
  const int32_t odd =
      builder.opaque("MyOperator", {input}, graph::DataType::kInt8, {1, 4}, scale());
  const int32_t sum = builder.add(odd, odd, scale());
  const testing::FakeDevice device;
  const auto partitioning = partition_graph(builder.build({sum}), device, {});
  EXPECT_THAT(operators_of(partitioning), ElementsAre(ElementsAre(1)));
  EXPECT_EQ(partitioning.decisions[0].reason, "custom operator");
}

TEST(Partitioner, AStatedReasonDoesNotRepeatWhatStandsBesideIt) {
  const auto graph = additions({{-1, -1}});
  const std::string op = graph::describe_operator(graph, 0);
  const auto stated = [&](const std::string& message) {
    return stated_reason(graph, 0, {ErrorCode::kUnsupported, message});
  };
  EXPECT_EQ(stated("additions: " + op + ": too odd"), "too odd");
  EXPECT_EQ(stated("operator 0 (ADD): too odd"), "too odd");
  EXPECT_EQ(stated("too odd: " + op), "too odd: " + op);
}

TEST(Partitioner, TheCallersRefusalsCountFirst) {
  const auto graph = additions({{-1, -1}, {0, 0}});
  const testing::FakeDevice device;
  const std::vector<std::string> refusals = {"not today", ""};
  const auto partitioning = partition_graph(graph, device, {}, refusals);
  EXPECT_THAT(operators_of(partitioning), ElementsAre(ElementsAre(1)));
  EXPECT_EQ(partitioning.decisions[0].reason, "not today");
}

}  // namespace
}  // namespace lockstep::delegate
