#include "backend/cpu/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "backend/cpu/operation.h"
#include "backend/testing/random_values.h"

namespace lockstep::backend::cpu {
namespace {

using graph::LoweredGraph;
using ::testing::ElementsAre;

constexpr int64_t aligned(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// Graphs of operators that planning does not look into.
class Network {
 public:
  int32_t tensor(int32_t elements) {
    graph_.tensors.push_back({.name = "t", .shape = {elements}, .constant = {}});
    return static_cast<int32_t>(graph_.tensors.size()) - 1;
  }
  int32_t input(int32_t elements) {
    const int32_t index = tensor(elements);
    graph_.inputs.push_back(index);
    return index;
  }
  int32_t constant(int32_t elements) {
    const int32_t index = tensor(elements);
    graph_.tensors.back().constant.resize(static_cast<size_t>(elements));
    return index;
  }
  int32_t join(std::vector<int32_t> inputs, int32_t elements) {
    graph::LoweredConcatenation concatenation;
    concatenation.inputs = std::move(inputs);
    const int32_t output = concatenation.output = tensor(elements);
    return add(std::move(concatenation), output);
  }
  int32_t reshape(int32_t input) {
    graph::LoweredReshape reshape;
    reshape.input = input;
    reshape.output = tensor(graph_.tensors[static_cast<size_t>(input)].shape.front());
    return add(reshape, reshape.output);
  }
  void output(int32_t tensor) { graph_.outputs.push_back(tensor); }

  const LoweredGraph& graph() const { return graph_; }
  int32_t size() const { return static_cast<int32_t>(graph_.tensors.size()); }

 private:
  int32_t add(graph::LoweredOperation operation, int32_t output) {
    graph_.operators.push_back({"", 0, std::move(operation)});
    return output;
  }

  LoweredGraph graph_;
};

bool live_together(const MemoryPlan& plan, size_t left, size_t right) {
  return plan.first_steps[left] <= plan.last_steps[right] &&
         plan.first_steps[right] <= plan.last_steps[left];
}

// What every plan promises, from its own lifetimes.
void expect_sound(const LoweredGraph& graph, const MemoryPlan& plan) {
  int64_t sum = 0;
  for (size_t i = 0; i < plan.roots.size(); ++i) {
    const auto root = static_cast<size_t>(plan.roots[i]);
    ASSERT_EQ(plan.offsets[i], plan.offsets[root]);
    ASSERT_EQ(plan.roots[root], plan.roots[i]) << "a root is its own";
    if (plan.offsets[i] < 0 || root != i) continue;
    ASSERT_EQ(plan.offsets[i] % kAlignment, 0);
    const int64_t end = plan.offsets[i] + plan.bytes[i] + kReadSlack;
    ASSERT_LE(end, plan.arena_bytes);
    sum += aligned(plan.bytes[i] + kReadSlack);
    for (size_t other = 0; other < i; ++other) {
      if (plan.offsets[other] < 0 || plan.roots[other] != static_cast<int32_t>(other) ||
          !live_together(plan, i, other)) {
        continue;
      }
      const int64_t other_end = plan.offsets[other] + plan.bytes[other] + kReadSlack;
      ASSERT_TRUE(end <= plan.offsets[other] || other_end <= plan.offsets[i])
          << "tensors " << i << " and " << other;
    }
  }
  EXPECT_LE(plan.arena_bytes, sum);
  EXPECT_GE(plan.arena_bytes, plan.arena_lower_bound);
  // Lifetimes reach from what fills a tensor to whoever reads it.
  const auto expect_live = [&](int32_t tensor, size_t step) {
    if (!graph.tensors[static_cast<size_t>(tensor)].constant.empty()) return;
    const auto root = static_cast<size_t>(plan.roots[static_cast<size_t>(tensor)]);
    ASSERT_GE(plan.offsets[root], 0);
    EXPECT_LE(plan.first_steps[root], static_cast<int32_t>(step));
    EXPECT_GE(plan.last_steps[root], static_cast<int32_t>(step));
  };
  for (const int32_t input : graph.inputs) expect_live(input, 0);
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    expect_live(graph::operation_output(graph.operators[i].operation), i + 1);
    for (const int32_t input : graph::operation_inputs(graph.operators[i].operation)) {
      expect_live(input, i + 1);
    }
  }
  for (const int32_t output : graph.outputs) expect_live(output, graph.operators.size() + 1);
}

TEST(MemoryPlan, GivesMemoryOfDeadTensorsToOthers) {
  Network network;
  int32_t last = network.input(1000);
  for (int i = 0; i < 6; ++i) last = network.join({last}, 1000);
  network.output(last);
  const MemoryPlan plan = plan_memory(network.graph(), false);
  expect_sound(network.graph(), plan);
  EXPECT_EQ(plan.arena_bytes, 2 * aligned(1000 + kReadSlack));
  EXPECT_EQ(plan.arena_lower_bound, plan.arena_bytes);
}

TEST(MemoryPlan, KeepsOutputsAndWhatIsReadLate) {
  Network network;
  const int32_t input = network.input(100);
  const int32_t first = network.join({input}, 100);
  network.output(first);
  int32_t last = first;
  for (int i = 0; i < 3; ++i) last = network.join({last}, 100);
  network.output(network.join({last, input}, 200));
  const MemoryPlan plan = plan_memory(network.graph(), false);
  expect_sound(network.graph(), plan);
  EXPECT_EQ(plan.last_steps[static_cast<size_t>(input)], 5);
  EXPECT_EQ(plan.last_steps[static_cast<size_t>(first)], 6);
}

TEST(MemoryPlan, ReshapedTensorsAreTheSameMemory) {
  Network network;
  const int32_t input = network.input(64);
  const int32_t once = network.reshape(input);
  const int32_t twice = network.reshape(once);
  network.output(network.join({twice}, 64));
  const MemoryPlan plan = plan_memory(network.graph(), false);
  expect_sound(network.graph(), plan);
  EXPECT_THAT(plan.roots, ElementsAre(input, input, input, 3));
  EXPECT_EQ(plan.offsets[0], plan.offsets[2]);
  EXPECT_EQ(plan.last_steps[0], 3) << "what reads it under another name keeps it";
  EXPECT_TRUE(plan.is_root(0));
  EXPECT_FALSE(plan.is_root(2));
}

TEST(MemoryPlan, ReshapedConstantsAreCopied) {
  Network network;
  const int32_t reshaped = network.reshape(network.constant(64));
  network.output(reshaped);
  const MemoryPlan plan = plan_memory(network.graph(), false);
  expect_sound(network.graph(), plan);
  EXPECT_TRUE(plan.is_root(reshaped));
  EXPECT_EQ(plan.offsets[0], -1);
  EXPECT_GE(plan.offsets[1], 0);
}

TEST(MemoryPlan, HasNoPlaceForWhatNobodyFills) {
  Network network;
  network.output(network.join({network.input(10)}, 10));
  const int32_t untouched = network.tensor(10);
  network.output(untouched);
  const MemoryPlan plan = plan_memory(network.graph(), false);
  EXPECT_EQ(plan.offsets[static_cast<size_t>(untouched)], -1);
}

TEST(MemoryPlan, SeparateTensorsShareNothing) {
  Network network;
  int32_t last = network.input(1000);
  for (int i = 0; i < 4; ++i) last = network.join({last}, 1000);
  const int32_t reshaped = network.reshape(last);
  network.output(reshaped);
  const MemoryPlan plan = plan_memory(network.graph(), true);
  EXPECT_TRUE(plan.is_root(reshaped));
  EXPECT_EQ(plan.arena_bytes, network.size() * aligned(1000 + kReadSlack));
  std::vector<int64_t> offsets = plan.offsets;
  std::ranges::sort(offsets);
  for (size_t i = 1; i < offsets.size(); ++i) {
    EXPECT_GE(offsets[i], offsets[i - 1] + 1000 + kReadSlack);
  }
}

TEST(MemoryPlan, IsSoundForAnyGraph) {
  backend::testing::RandomValues random(41);
  for (int i = 0; i < 200; ++i) {
    SCOPED_TRACE(i);
    Network network;
    const auto elements = [&] { return random.pick({0, 1, 63, 64, random.between(1, 5000)}); };
    for (int count = random.between(1, 3); count > 0; --count) network.input(elements());
    const auto any = [&] { return random.between(0, network.size() - 1); };
    for (int count = random.between(0, 25); count > 0; --count) {
      switch (random.between(0, 5)) {
        case 0:
          network.reshape(any());
          break;
        case 1:
          network.constant(1 + elements());
          break;
        default:
          network.join({any(), any()}, elements());
      }
    }
    for (int count = random.between(1, 3); count > 0; --count) network.output(any());
    expect_sound(network.graph(), plan_memory(network.graph(), false));
    expect_sound(network.graph(), plan_memory(network.graph(), true));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace lockstep::backend::cpu
