#include "backend/vulkan/activation_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredGraph;
using graph::LoweredReshape;
using graph::LoweredTable;
using Memory = TensorPlace::Memory;

constexpr int64_t kAlignment = 64;

// A graph of unary operators over tensors of 1x4x4x`channels` elements.
struct Chain {
  LoweredGraph graph;
  std::vector<KernelPlan> plans;

  explicit Chain(int32_t tensors, int32_t channels = 16) {
    graph.name = "chain";
    for (int32_t i = 0; i < tensors; ++i) {
      graph.tensors.push_back(
          {fmt::format("t{}", i), graph::DataType::kInt8, {1, 4, 4, channels}, {}});
    }
  }
  void add_table(int32_t input, int32_t output) {
    graph.operators.push_back({"RELU", index(), LoweredTable{input, output, {}}});
    plans.emplace_back();
  }
  void add_alias(int32_t input, int32_t output) {
    graph.operators.push_back({"RESHAPE", index(), LoweredReshape{input, output}});
    plans.emplace_back().is_alias = true;
  }
  int32_t index() const { return static_cast<int32_t>(graph.operators.size()); }
  Result<ActivationPlan> plan(bool separate_border) const {
    return plan_activations(graph, plans, {kAlignment, separate_border});
  }
};

TEST(PlanActivations, ArenaAlternatesAndTheBorderIsApart) {
  Chain chain(6);
  for (int32_t i = 0; i < 5; ++i) {
    chain.add_table(i, i + 1);
  }
  chain.graph.inputs = {0};
  chain.graph.outputs = {5};
  const auto plan = chain.plan(true);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->places[0].memory, Memory::kBorder);
  EXPECT_EQ(plan->places[5].memory, Memory::kBorder);
  EXPECT_NE(plan->places[0].offset, plan->places[5].offset);
  EXPECT_EQ(plan->border_bytes, 2 * 256);
  EXPECT_EQ(plan->arena_bytes, 2 * 256);
  EXPECT_EQ(plan->places[1].offset, plan->places[3].offset);
  EXPECT_NE(plan->places[1].offset, plan->places[2].offset);
}

TEST(PlanActivations, WithoutABorderInputsAndOutputsShareTheArena) {
  Chain chain(4);
  chain.add_table(0, 1);
  chain.add_table(1, 2);
  chain.add_table(2, 3);
  chain.graph.inputs = {0};
  chain.graph.outputs = {3};
  const auto plan = chain.plan(false);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->border_bytes, 0);
  EXPECT_EQ(plan->arena_bytes, 2 * 256);
  EXPECT_EQ(plan->places[0].memory, Memory::kArena);
}

TEST(PlanActivations, GuardsLieAroundEveryPlaceAndNothingIsShared) {
  Chain chain(6);
  for (int32_t i = 0; i < 5; ++i) {
    chain.add_table(i, i + 1);
  }
  chain.graph.inputs = {0};
  chain.graph.outputs = {5};
  for (const bool separate_border : {false, true}) {
    constexpr int64_t kGuard = 1024;
    const auto plan =
        plan_activations(chain.graph, chain.plans, {kAlignment, separate_border, kGuard});
    ASSERT_TRUE(plan) << plan.error().message;
    for (const Memory memory : {Memory::kArena, Memory::kBorder}) {
      std::vector<int64_t> offsets;
      for (const TensorPlace& place : plan->places) {
        if (place.memory == memory) {
          EXPECT_EQ(place.offset % kAlignment, 0);
          EXPECT_EQ(place.bytes, 256);
          offsets.push_back(place.offset);
        }
      }
      std::ranges::sort(offsets);
      int64_t free_from = 0;
      for (const int64_t offset : offsets) {
        EXPECT_GE(offset - free_from, kGuard);
        free_from = offset + 256;
      }
      const int64_t end = memory == Memory::kArena ? plan->arena_bytes : plan->border_bytes;
      EXPECT_EQ(end - free_from, offsets.empty() ? 0 : kGuard);
    }
  }
}

TEST(PlacementRules, AskForGuardsOnlyWhereTheyAreWanted) {
  Capabilities capabilities;
  capabilities.min_storage_buffer_offset_alignment = 4;
  capabilities.min_texel_buffer_offset_alignment = 64;
  capabilities.unified_memory = true;
  EXPECT_EQ(placement_rules(capabilities, {}).alignment, 64);
  capabilities.min_texel_buffer_offset_alignment = 4;
  PlacementRules rules = placement_rules(capabilities, {});
  EXPECT_EQ(rules.alignment, 16);
  EXPECT_TRUE(rules.separate_border);
  EXPECT_EQ(rules.guard_bytes, 0);
  capabilities.min_storage_buffer_offset_alignment = 256;
  capabilities.unified_memory = false;
  rules = placement_rules(capabilities, {.guard_memory = true});
  EXPECT_EQ(rules.alignment, 256);
  EXPECT_FALSE(rules.separate_border);
  EXPECT_GT(rules.guard_bytes, 0);
  EXPECT_EQ(rules.guard_bytes % 256, 0);
}

TEST(PlanActivations, OutputsInTheMiddleStayUntilTheEnd) {
  Chain chain(4);
  chain.add_table(0, 1);
  chain.add_table(1, 2);
  chain.add_table(2, 3);
  chain.graph.inputs = {0};
  chain.graph.outputs = {1, 3, 1};
  const auto plan = chain.plan(false);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_NE(plan->places[1].offset, plan->places[2].offset);
  EXPECT_NE(plan->places[1].offset, plan->places[3].offset);
}

TEST(PlanActivations, AliasKeepsItsInputsMemoryAliveForItsOwnReaders) {
  Chain chain(6);
  chain.add_table(0, 1);
  chain.add_alias(1, 2);
  chain.add_table(0, 3);
  chain.add_table(3, 4);
  chain.add_table(2, 5);
  chain.graph.inputs = {0};
  chain.graph.outputs = {4, 5};
  const auto plan = chain.plan(true);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->places[2].root, 1);
  EXPECT_EQ(plan->places[1].offset, plan->places[2].offset);
  EXPECT_NE(plan->places[3].offset, plan->places[2].offset);
}

// Two pieces and what they are pieces of: 0 -> 1 -> 2, 0 -> 3, [2, 3] -> 4, 4 -> 5. Tensors are 256
// bytes, 4 of two of them.
struct Joined : Chain {
  Joined() : Chain(6) {
    add_table(0, 1);
    add_table(1, 2);
    add_table(0, 3);
    add_join({2, 3}, 4, {{2, 0}, {3, 256}});
    add_table(4, 5);
    graph.inputs = {0};
    graph.outputs = {5};
  }
  void add_join(std::vector<int32_t> inputs, int32_t output, std::vector<PieceInPlace> pieces) {
    int32_t rows = 0;
    for (const int32_t input : inputs) {
      rows += graph.tensors[static_cast<size_t>(input)].shape[1];
    }
    graph.tensors[static_cast<size_t>(output)].shape[1] = rows;
    graph.operators.push_back({"CONCATENATION", index(),
                               graph::LoweredConcatenation{std::move(inputs), output, 1, {}, {}}});
    plans.emplace_back().pieces_in_place = std::move(pieces);
  }
};

TEST(PlanActivations, PiecesAreInTheirPlaceFromTheFirstOneOn) {
  const Joined joined;
  for (const bool separate_border : {false, true}) {
    const auto plan = joined.plan(separate_border);
    ASSERT_TRUE(plan) << plan.error().message;
    const TensorPlace& whole = plan->places[4];
    EXPECT_EQ(whole.bytes, 512);
    EXPECT_EQ(whole.first, 2);
    EXPECT_EQ(whole.last, 5);
    for (const int32_t piece : {2, 3}) {
      const TensorPlace& place = plan->places[static_cast<size_t>(piece)];
      EXPECT_EQ(place.memory, whole.memory);
      EXPECT_EQ(place.offset, whole.offset + (piece == 2 ? 0 : 256));
      EXPECT_EQ(place.bytes, 256);
      EXPECT_EQ(place.root, 4);
      EXPECT_EQ(place.first, 2);
      EXPECT_EQ(place.last, 5);
    }
    // Nothing else is there meanwhile.
    EXPECT_TRUE(plan->places[1].offset >= whole.offset + 512 ||
                plan->places[1].offset + 256 <= whole.offset);
  }
}

TEST(PlanActivations, PiecesOfPiecesAndTheirAliasesAddUp) {
  Joined joined;
  const auto more = static_cast<int32_t>(joined.graph.tensors.size());
  for (int32_t i = 0; i < 3; ++i) {
    joined.graph.tensors.push_back(joined.graph.tensors[0]);
  }
  joined.add_table(0, more);
  joined.add_alias(3, more + 1);
  joined.add_join({more, 4}, more + 2, {{more, 0}, {4, 256}});
  joined.graph.outputs = {5, more + 1, more + 2};
  const auto plan = joined.plan(true);
  ASSERT_TRUE(plan) << plan.error().message;
  const TensorPlace& whole = plan->places[static_cast<size_t>(more) + 2];
  EXPECT_EQ(whole.memory, Memory::kBorder);
  EXPECT_EQ(whole.bytes, 768);
  EXPECT_EQ(whole.first, 2);
  EXPECT_EQ(plan->places[2].offset, whole.offset + 256);
  EXPECT_EQ(plan->places[3].offset, whole.offset + 512);
  EXPECT_EQ(plan->places[4].offset, whole.offset + 256);
  EXPECT_EQ(plan->places[4].bytes, 512);
  const TensorPlace& alias = plan->places[static_cast<size_t>(more) + 1];
  EXPECT_EQ(alias.offset, whole.offset + 512);
  EXPECT_EQ(alias.bytes, 256);
  EXPECT_EQ(alias.root, more + 2);
}

TEST(PlanActivations, PiecesThatCannotBeInPlaceAreRefused) {
  const auto expect_refused = [](std::vector<PieceInPlace> pieces, auto&& change) {
    Joined joined;
    joined.plans[3].pieces_in_place = std::move(pieces);
    change(joined);
    const auto plan = joined.plan(true);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, ErrorCode::kInternal);
  };
  const auto nothing = [](Joined&) {};
  expect_refused({{1, 0}}, nothing);             // not an input of the operator
  expect_refused({{9, 0}}, nothing);             // not a tensor
  expect_refused({{2, -16}}, nothing);           // in front
  expect_refused({{2, 272}}, nothing);           // behind the end
  expect_refused({{2, 4}}, nothing);             // inside a unit
  expect_refused({{2, 0}, {2, 256}}, nothing);   // twice
  expect_refused({{2, 0}}, [](Joined& joined) {  // an input of the graph
    joined.graph.inputs.push_back(2);
  });
  expect_refused({{2, 0}}, [](Joined& joined) {  // a constant
    joined.graph.tensors[2].constant.resize(256);
  });
  expect_refused({{2, 0}}, [](Joined& joined) {  // an alias
    joined.plans[1].is_alias = true;
  });
  expect_refused({{2, 0}}, [](Joined& joined) {  // a piece of its own piece
    joined.graph.operators[1].operation = graph::LoweredConcatenation{{4}, 2, 1, {}, {}};
    joined.graph.tensors[2].shape = joined.graph.tensors[4].shape;
    joined.plans[1].pieces_in_place = {{4, 0}};
  });
  expect_refused({{2, 0}}, [](Joined& joined) {  // read twice
    std::get<graph::LoweredConcatenation>(joined.graph.operators[3].operation).inputs = {2, 2};
  });
}

TEST(PlanActivations, AliasMustLieAsItsInputDoes) {
  const auto renamed = [](graph::Shape from, graph::Shape to) {
    Chain chain(2);
    chain.graph.tensors[0].shape = std::move(from);
    chain.graph.tensors[1].shape = std::move(to);
    chain.add_alias(0, 1);
    chain.graph.inputs = {0};
    chain.graph.outputs = {1};
    return chain.plan(true).has_value();
  };
  EXPECT_TRUE(renamed({1, 2, 3, 17}, {6, 17}));
  EXPECT_TRUE(renamed({2, 3, 16}, {96}));
  EXPECT_TRUE(renamed({8, 4}, {2, 16}));
  EXPECT_FALSE(renamed({8, 3}, {2, 12}));
  EXPECT_FALSE(renamed({2, 17}, {34}));
  EXPECT_FALSE(renamed({2, 16}, {3, 16}));
}

TEST(PlanActivations, AliasOfAnInputThatIsAnOutputLivesInTheBorder) {
  Chain chain(2);
  chain.add_alias(0, 1);
  chain.graph.inputs = {0};
  chain.graph.outputs = {1, 0};
  const auto plan = chain.plan(true);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->places[0].memory, Memory::kBorder);
  EXPECT_EQ(plan->places[1].memory, Memory::kBorder);
  EXPECT_EQ(plan->border_bytes, 256);
}

TEST(PlanActivations, UnusedInputsAndTensorsTakeNothing) {
  Chain chain(4);
  chain.add_table(0, 2);
  chain.graph.inputs = {0, 1};
  chain.graph.outputs = {2};
  const auto plan = chain.plan(true);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->places[1].memory, Memory::kNone);
  EXPECT_EQ(plan->places[3].memory, Memory::kNone);
  EXPECT_EQ(plan->border_bytes, 2 * 256);
}

TEST(PlanActivations, ConstantsAndTheirAliasesAreNotInTheArena) {
  Chain chain(3);
  chain.graph.tensors[0].constant.resize(256);
  chain.add_alias(0, 1);
  chain.add_table(1, 2);
  chain.graph.outputs = {2};
  const auto plan = chain.plan(false);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->places[1].memory, Memory::kConstants);
  EXPECT_EQ(plan->places[1].root, 0);
  EXPECT_EQ(plan->arena_bytes, 256);
}

TEST(PlanActivations, PlacesArePaddedToSixteenBytes) {
  Chain chain(2, 3);
  chain.graph.tensors[0].shape = {1, 1, 3, 3};
  chain.graph.tensors[1].shape = {1, 1, 3, 3};
  chain.add_table(0, 1);
  chain.graph.inputs = {0};
  chain.graph.outputs = {1};
  const auto plan = chain.plan(true);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->places[0].bytes, 16);
  EXPECT_EQ(plan->places[1].offset % kAlignment, 0);
}

TEST(PlanActivations, BrokenGraphsAreRefusedByName) {
  Chain unwritten(3);
  unwritten.add_table(1, 2);
  unwritten.graph.inputs = {0};
  unwritten.graph.outputs = {2};
  auto plan = unwritten.plan(true);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(plan.error().message, testing::HasSubstr("'t1'"));

  Chain twice(2);
  twice.add_table(0, 1);
  twice.add_table(0, 1);
  twice.graph.inputs = {0};
  twice.graph.outputs = {1};
  EXPECT_FALSE(twice.plan(true));

  Chain range(2);
  range.add_table(0, 7);
  range.graph.inputs = {0};
  EXPECT_FALSE(range.plan(true));

  Chain output(2);
  output.graph.outputs = {-1};
  EXPECT_FALSE(output.plan(true));
}

}  // namespace
}  // namespace lockstep::backend::vulkan
