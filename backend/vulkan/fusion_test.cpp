// Which operators become one, and what is left: graphs only, no device.
#include "backend/vulkan/fusion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace lockstep::backend::vulkan {
namespace {

using graph::Extent4d;
using graph::LoweredConvolution;
using graph::LoweredDepthwiseConvolution;
using graph::LoweredGraph;
using graph::Shape;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int8_t kZeroPoint = -7;

bool takes_all(const LoweredGraph&, const graph::LoweredOperator& op, const Epilogue& epilogue) {
  return !epilogue.adds() || !std::holds_alternative<graph::LoweredAdd>(op.operation);
}

// Operators one by one; tensors are made by whoever writes them.
class Network {
 public:
  int32_t input(Shape shape) {
    graph.inputs.push_back(tensor(std::move(shape)));
    return graph.inputs.back();
  }
  int32_t convolution(int32_t input) { return add_window("CONV_2D", LoweredConvolution{}, input); }
  int32_t depthwise(int32_t input) {
    return add_window("DEPTHWISE_CONV_2D", LoweredDepthwiseConvolution{}, input);
  }
  int32_t sum(int32_t left, int32_t right) {
    graph::LoweredAdd op;
    op.left = left;
    op.right = right;
    op.left_zero_point = 1;
    op.right_zero_point = 2;
    op.output_stage.scales = {{1 << 30, 0}};
    op.output = tensor(shape_of(left));
    add("ADD", op);
    return op.output;
  }
  int32_t pad(int32_t input, Shape before, Shape after, int8_t value = kZeroPoint) {
    graph::LoweredPad op;
    Shape shape = shape_of(input);
    op.input = input;
    op.value = value;
    for (size_t i = 0; i < 4; ++i) {
      op.input_extents[i] = shape[i];
      op.before[i] = before[i];
      shape[i] += before[i] + after[i];
      op.output_extents[i] = shape[i];
    }
    op.output = tensor(shape);
    add("PAD", op);
    return op.output;
  }
  int32_t pool(int32_t input) {
    graph::LoweredPool op;
    op.input = input;
    op.output = tensor(shape_of(input));
    add("MAX_POOL_2D", op);
    return op.output;
  }
  // Adds one, or nothing, to stored values.
  int32_t table(int32_t input, int32_t addend = 1) {
    graph::LoweredTable op;
    op.input = input;
    for (int32_t value = -128; value <= 127; ++value) {
      op.table[static_cast<size_t>(value + 128)] =
          static_cast<int8_t>(std::min(value + addend, 127));
    }
    op.output = tensor(shape_of(input));
    add("QUANTIZE", op);
    return op.output;
  }
  int32_t reshape(int32_t input, Shape shape) {
    const int32_t output = tensor(std::move(shape));
    add("RESHAPE", graph::LoweredReshape{input, output});
    return output;
  }
  // One after another, whatever their shapes.
  int32_t join(std::vector<int32_t> inputs) {
    graph::LoweredConcatenation op;
    for (const int32_t input : inputs) {
      op.axis_sizes.push_back(static_cast<int32_t>(graph::element_count(shape_of(input)).value()));
    }
    op.tables.resize(inputs.size());
    op.inputs = std::move(inputs);
    op.output = tensor({std::accumulate(op.axis_sizes.begin(), op.axis_sizes.end(), 0)});
    const int32_t output = op.output;
    add("CONCATENATION", std::move(op));
    return output;
  }
  int32_t tensor(Shape shape) {
    graph.tensors.push_back({"", graph::DataType::kInt8, std::move(shape), {}});
    return static_cast<int32_t>(graph.tensors.size()) - 1;
  }
  // By value: tensors move when one is added.
  Shape shape_of(int32_t tensor) const { return graph.tensors[static_cast<size_t>(tensor)].shape; }

  // ADD has tables only, convolutions every epilogue, unless they are said not to.
  FusedGraph fused(const TakesEpilogue& takes = takes_all,
                   int64_t max_host_bytes = 1 << 20) const {
    return fuse(graph, {takes, max_host_bytes});
  }

  LoweredGraph graph;

 private:
  // A window that leaves the shape as it is.
  template <typename Convolution>
  int32_t add_window(const char* name, Convolution op, int32_t input) {
    const Shape shape = shape_of(input);
    op.input = input;
    op.input_extent = {shape[0], shape[1], shape[2], shape[3]};
    op.output_extent = op.input_extent;
    op.input_zero_point = kZeroPoint;
    op.output = tensor(shape);
    const int32_t output = op.output;
    add(name, std::move(op));
    return output;
  }
  void add(std::string name, graph::LoweredOperation operation) {
    // Source operators are numbered apart from the graph's.
    const auto index = static_cast<int32_t>(graph.operators.size()) + 10;
    graph.operators.push_back({std::move(name), index, std::move(operation)});
  }
};

std::vector<std::string> names_of(const FusedGraph& fused) {
  std::vector<std::string> names;
  for (const graph::LoweredOperator& op : fused.graph.operators) {
    names.push_back(op.name);
  }
  return names;
}

template <typename Operation>
const Operation& operation(const FusedGraph& fused, size_t index) {
  return std::get<Operation>(fused.graph.operators[index].operation);
}

constexpr Extent4d kImage{2, 5, 6, 8};
Shape image() { return {kImage.batch, kImage.height, kImage.width, kImage.channels}; }

TEST(Fusion, PaddingBecomesPartOfTheWindow) {
  Network network;
  const int32_t input = network.input(image());
  const int32_t padded = network.pad(input, {0, 1, 2, 0}, {0, 3, 0, 0});
  network.graph.outputs = {network.convolution(padded), network.depthwise(padded)};
  const FusedGraph fused = network.fused();
  ASSERT_THAT(names_of(fused), ElementsAre("CONV_2D", "DEPTHWISE_CONV_2D"));
  const auto expect_takes_it = [&](const auto& taker) {
    EXPECT_EQ(taker.input, input);
    EXPECT_EQ(taker.input_extent.height, 5);
    EXPECT_EQ(taker.input_extent.width, 6);
    EXPECT_EQ(taker.output_extent.height, 9);
    EXPECT_EQ(taker.output_extent.width, 8);
    EXPECT_EQ(taker.window.padding_top, 1);
    EXPECT_EQ(taker.window.padding_left, 2);
  };
  expect_takes_it(operation<LoweredConvolution>(fused, 0));
  expect_takes_it(operation<LoweredDepthwiseConvolution>(fused, 1));
}

TEST(Fusion, PaddingsInARowAddUp) {
  Network network;
  const int32_t once = network.pad(network.input(image()), {0, 1, 0, 0}, {0, 0, 4, 0});
  const int32_t twice = network.pad(once, {0, 2, 5, 0}, {0, 0, 0, 0});
  network.graph.outputs = {network.convolution(twice)};
  const FusedGraph fused = network.fused();
  ASSERT_THAT(names_of(fused), ElementsAre("CONV_2D"));
  const auto& taker = operation<LoweredConvolution>(fused, 0);
  EXPECT_EQ(taker.window.padding_top, 3);
  EXPECT_EQ(taker.window.padding_left, 5);
  EXPECT_EQ(taker.input_extent.height, 5);
  EXPECT_EQ(taker.input_extent.width, 6);
  for (const FusedGraph::Given& given : fused.given) {
    EXPECT_EQ(given.computed_by, 0u);
  }
}

TEST(Fusion, PaddingStaysWhereSomebodyNeedsIt) {
  const auto expect_stays = [](auto&& build) {
    Network network;
    build(network, network.input(image()));
    const FusedGraph fused = network.fused();
    EXPECT_EQ(fused.graph.operators.size(), network.graph.operators.size());
    EXPECT_EQ(names_of(fused).front(), "PAD");
  };
  constexpr int32_t kOther = kZeroPoint + 1;
  expect_stays([](Network& network, int32_t input) {  // not a convolution
    const int32_t padded = network.pad(input, {0, 1, 1, 0}, {0, 1, 1, 0});
    network.graph.outputs = {network.convolution(padded), network.pool(padded)};
  });
  expect_stays([](Network& network, int32_t input) {  // an output
    const int32_t padded = network.pad(input, {0, 1, 1, 0}, {0, 1, 1, 0});
    network.graph.outputs = {network.convolution(padded), padded};
  });
  expect_stays([](Network& network, int32_t input) {  // another value
    const int32_t padded = network.pad(input, {0, 1, 1, 0}, {0, 1, 1, 0}, kOther);
    network.graph.outputs = {network.convolution(padded)};
  });
  expect_stays([](Network& network, int32_t input) {  // channels
    network.graph.outputs = {network.convolution(network.pad(input, {0, 1, 0, 1}, {0, 0, 0, 0}))};
  });
  expect_stays([](Network& network, int32_t input) {  // images
    network.graph.outputs = {network.convolution(network.pad(input, {0, 1, 0, 0}, {1, 0, 0, 0}))};
  });
  expect_stays([](Network& network, int32_t input) {  // as rows of a matrix
    const int32_t padded = network.pad(input, {0, 1, 1, 0}, {0, 1, 1, 0});
    network.graph.outputs = {network.convolution(padded)};
    auto& taker = std::get<LoweredConvolution>(network.graph.operators.back().operation);
    taker.input_extent = {
        taker.input_extent.batch * taker.input_extent.height * taker.input_extent.width, 1, 1,
        taker.input_extent.channels};
  });
}

TEST(Fusion, AdditionBecomesTheEndOfItsOperandsConvolution) {
  for (const auto& [is_left, is_depthwise] :
       {std::pair(true, false), std::pair(false, false), std::pair(true, true)}) {
    Network network;
    const int32_t input = network.input(image());
    const int32_t features = is_depthwise ? network.depthwise(input) : network.convolution(input);
    const int32_t sum = is_left ? network.sum(features, input) : network.sum(input, features);
    network.graph.outputs = {sum};
    const FusedGraph fused = network.fused();
    ASSERT_THAT(names_of(fused), ElementsAre(is_depthwise ? "DEPTHWISE_CONV_2D" : "CONV_2D"));
    EXPECT_EQ(graph::operation_output(fused.graph.operators[0].operation), sum);
    ASSERT_TRUE(fused.epilogues[0].adds());
    EXPECT_EQ(fused.epilogues[0].right, input);
    // The convolution's value is always the left operand.
    EXPECT_EQ(fused.epilogues[0].addition.left_zero_point, is_left ? 1 : 2);
    EXPECT_EQ(fused.epilogues[0].addition.right_zero_point, is_left ? 2 : 1);
  }
}

TEST(Fusion, OfTwoConvolutionsTheLaterOneAdds) {
  for (const bool is_left : {true, false}) {
    Network network;
    const int32_t input = network.input(image());
    const int32_t first = network.convolution(input);
    const int32_t second = network.convolution(input);
    network.graph.outputs = {is_left ? network.sum(second, first) : network.sum(first, second)};
    const FusedGraph fused = network.fused();
    ASSERT_THAT(names_of(fused), ElementsAre("CONV_2D", "CONV_2D"));
    EXPECT_FALSE(fused.epilogues[0].adds());
    EXPECT_EQ(fused.epilogues[1].right, first);
    // Unless the device refuses it.
    const FusedGraph other =
        network.fused([](auto&, const auto& op, auto&) { return op.source_operator == 10; });
    ASSERT_THAT(names_of(other), ElementsAre("CONV_2D", "CONV_2D"));
    EXPECT_EQ(other.graph.operators[1].source_operator, 10);  // it waits for its right operand
    EXPECT_EQ(other.epilogues[1].right, second);
  }
}

TEST(Fusion, AdditionsInARowHaveAConvolutionEach) {
  Network network;
  const int32_t input = network.input(image());
  const int32_t sum = network.sum(network.convolution(input), input);
  const int32_t again = network.sum(sum, input);
  network.graph.outputs = {network.sum(network.convolution(again), again)};
  const FusedGraph fused = network.fused();
  ASSERT_THAT(names_of(fused), ElementsAre("CONV_2D", "ADD", "CONV_2D"));
  EXPECT_EQ(fused.epilogues[0].right, input);
  EXPECT_FALSE(fused.epilogues[1].adds());
  EXPECT_EQ(fused.epilogues[2].right, again);
}

TEST(Fusion, AdditionStaysWhereAnOperandIsNeededOrLiesElsewhere) {
  const auto expect_stays = [](auto&& build, TakesEpilogue takes = takes_all) {
    Network network;
    build(network, network.input(image()));
    EXPECT_EQ(network.fused(takes).graph.operators.size(), network.graph.operators.size());
  };
  expect_stays([](Network& network, int32_t input) {  // an output
    const int32_t features = network.convolution(input);
    network.graph.outputs = {features, network.sum(features, input)};
  });
  expect_stays([](Network& network, int32_t input) {  // another reader
    const int32_t features = network.convolution(input);
    network.graph.outputs = {network.sum(features, input), network.pool(features)};
  });
  expect_stays([](Network& network, int32_t input) {  // twice the same
    const int32_t features = network.convolution(input);
    network.graph.outputs = {network.sum(features, features)};
  });
  expect_stays([](Network& network, int32_t input) {  // broadcast
    const int32_t row = network.input({1, 1, 1, kImage.channels});
    network.graph.outputs = {network.sum(network.convolution(input), row)};
  });
  expect_stays([](Network& network, int32_t input) {  // not made by a convolution
    network.graph.outputs = {network.sum(network.pool(input), input)};
  });
  expect_stays(
      [](Network& network, int32_t input) {
        network.graph.outputs = {network.sum(network.convolution(input), input)};
      },
      [](auto&, auto&, auto&) { return false; });
}

TEST(Fusion, TellsOfEveryOperatorThatWasGiven) {
  Network network;
  const int32_t input = network.input(image());
  const int32_t padded = network.pad(input, {0, 1, 0, 0}, {0, 0, 0, 0});          // 10
  const int32_t features = network.convolution(padded);                           // 11
  const int32_t other = network.pool(network.input(network.shape_of(features)));  // 12
  const int32_t sum = network.sum(features, other);                               // 13
  network.graph.outputs = {network.pool(sum)};                                    // 14
  const FusedGraph fused = network.fused();
  ASSERT_THAT(names_of(fused), ElementsAre("MAX_POOL_2D", "CONV_2D", "MAX_POOL_2D"));
  std::vector<std::optional<size_t>> computed_by;
  for (const FusedGraph::Given& given : fused.given) {
    computed_by.push_back(given.computed_by);
  }
  EXPECT_THAT(computed_by, ElementsAre(1, 1, 0, 1, 2));
  EXPECT_THAT(fused.named_after, ElementsAre(2, 1, 4));
  EXPECT_THAT(fused.last_of, ElementsAre(2, 3, 4));
  std::vector<KernelPlan> plans(3);
  plans[0].variant = "pool";
  plans[1].variant = "convolution";
  plans[2].variant = "pool";
  std::vector<std::string> variants;
  std::vector<int32_t> sources;
  for (const OperatorPlacement& placement : placements_of(fused, plans)) {
    variants.push_back(placement.variant);
    sources.push_back(placement.source_operator);
  }
  EXPECT_THAT(variants, ElementsAre("fused into CONV_2D #11", "convolution", "pool",
                                    "fused into CONV_2D #11", "pool"));
  EXPECT_THAT(sources, ElementsAre(10, 11, 12, 13, 14));
}

TEST(Fusion, TablesBecomeTheEndOfTheirConvolution) {
  for (const bool adds : {false, true}) {
    Network network;
    const int32_t input = network.input(image());
    int32_t features = network.convolution(input);
    features = adds ? network.sum(features, input) : features;
    const int32_t result = network.table(features);
    network.graph.outputs = {network.pool(result)};
    const FusedGraph fused = network.fused();
    ASSERT_THAT(names_of(fused), ElementsAre("CONV_2D", "MAX_POOL_2D"));
    EXPECT_EQ(operation<LoweredConvolution>(fused, 0).output, result);
    EXPECT_EQ(fused.epilogues[0].adds(), adds);
    ASSERT_TRUE(fused.epilogues[0].table);
    EXPECT_EQ(fused.epilogues[0].table->front(), -127);
    EXPECT_EQ(fused.last_of.front(), adds ? 2u : 1u);
    // The device refuses tables.
    const FusedGraph other =
        network.fused([](auto&, auto&, const Epilogue& epilogue) { return !epilogue.table; });
    EXPECT_EQ(other.graph.operators.size(), 3u);
  }
}

TEST(Fusion, TablesBecomeTheEndOfOtherOperatorsThatHaveOne) {
  Network network;
  const int32_t input = network.input(image());
  const int32_t filtered = network.table(network.depthwise(input));
  const int32_t sum = network.sum(network.pool(filtered), input);
  network.graph.outputs = {network.pool(network.table(network.table(sum, 0)))};
  const FusedGraph fused = network.fused();
  ASSERT_THAT(names_of(fused),
              ElementsAre("DEPTHWISE_CONV_2D", "MAX_POOL_2D", "ADD", "MAX_POOL_2D"));
  EXPECT_EQ(operation<LoweredDepthwiseConvolution>(fused, 0).output, filtered);
  EXPECT_TRUE(fused.epilogues[0].table);
  EXPECT_EQ(operation<graph::LoweredAdd>(fused, 2).left,
            operation<graph::LoweredPool>(fused, 1).output);
  EXPECT_FALSE(fused.epilogues[2].adds());
  EXPECT_TRUE(fused.epilogues[2].table);
  EXPECT_EQ(operation<graph::LoweredPool>(fused, 3).input,
            operation<graph::LoweredAdd>(fused, 2).output);
}

TEST(Fusion, OneTableAndNoSumBehindIt) {
  Network network;
  const int32_t input = network.input(image());
  const int32_t once = network.table(network.convolution(input));
  const int32_t twice = network.table(once);
  network.graph.outputs = {network.pool(network.sum(twice, input))};
  const FusedGraph fused = network.fused();
  EXPECT_THAT(names_of(fused), ElementsAre("CONV_2D", "QUANTIZE", "ADD", "MAX_POOL_2D"));
}

TEST(Fusion, TablesThatChangeNothingRenameTheResult) {
  Network network;
  const int32_t input = network.input(image());
  const int32_t renamed = network.table(network.convolution(input), 0);
  network.graph.outputs = {network.pool(network.sum(renamed, input))};
  const FusedGraph fused = network.fused();
  ASSERT_THAT(names_of(fused), ElementsAre("CONV_2D", "MAX_POOL_2D"));
  EXPECT_FALSE(fused.epilogues[0].table);
  EXPECT_EQ(fused.epilogues[0].right, input);
}

TEST(Fusion, TheHostComputesTablesAtBothBorders) {
  Network network;
  const int32_t other = network.input(image());
  const int32_t input = network.input(image());
  const int32_t features = network.pool(network.table(input));
  const int32_t result = network.table(features, 0);
  const int32_t other_result = network.table(network.pool(other));
  network.graph.outputs = {result, other_result};
  const FusedGraph fused = network.fused();
  ASSERT_THAT(names_of(fused), ElementsAre("MAX_POOL_2D", "MAX_POOL_2D"));
  const auto& pool = operation<graph::LoweredPool>(fused, 0);
  EXPECT_THAT(fused.graph.inputs, ElementsAre(other, pool.input));
  EXPECT_THAT(fused.graph.outputs,
              ElementsAre(features, operation<graph::LoweredPool>(fused, 1).output));
  ASSERT_EQ(fused.inputs.size(), 2u);
  EXPECT_EQ(fused.inputs[0].given, other);
  EXPECT_FALSE(fused.inputs[0].table);
  EXPECT_EQ(fused.inputs[1].given, input);
  ASSERT_TRUE(fused.inputs[1].table);
  EXPECT_EQ(fused.inputs[1].table->front(), -127);
  ASSERT_EQ(fused.outputs.size(), 2u);
  EXPECT_EQ(fused.outputs[0].given, result);
  EXPECT_FALSE(fused.outputs[0].table) << "it changes nothing";
  EXPECT_EQ(fused.outputs[1].given, other_result);
  EXPECT_TRUE(fused.outputs[1].table);
  EXPECT_NE(describe_borders(fused), "");
  EXPECT_EQ(describe_borders(unfused(network.graph)), "");
  const std::vector<KernelPlan> plans(2);
  EXPECT_EQ(placements_of(fused, plans)[0].variant, "fused into the host's copies");
}

TEST(Fusion, TheHostComputesLargeTablesOnlyIfTheyChangeNothing) {
  for (const int32_t addend : {0, 1}) {
    Network network;
    network.graph.outputs = {network.pool(network.table(network.input(image()), addend))};
    const int64_t bytes = layout_of(image()).bytes();
    EXPECT_EQ(network.fused(takes_all, bytes).graph.operators.size(), 1u);
    EXPECT_EQ(network.fused(takes_all, bytes - 1).graph.operators.size(), addend == 0 ? 1u : 2u);
  }
}

TEST(Fusion, TablesStayThatSomebodyElseNeeds) {
  const auto expect_stays = [](auto&& build) {
    Network network;
    build(network, network.input(image()));
    EXPECT_EQ(network.fused().graph.operators.size(), network.graph.operators.size());
  };
  expect_stays([](Network& network, int32_t input) {  // nothing would be left for the device
    network.graph.outputs = {network.table(input)};
  });
  expect_stays([](Network& network, int32_t input) {  // the input has another reader
    network.graph.outputs = {network.pool(network.table(input)), network.pool(input)};
  });
  expect_stays([](Network& network, int32_t input) {  // it is an output
    network.graph.outputs = {network.pool(network.table(input)), input};
  });
  expect_stays([](Network& network, int32_t input) {  // it is given twice
    network.graph.inputs.push_back(input);
    network.graph.outputs = {network.pool(network.table(input))};
  });
  expect_stays([](Network& network, int32_t input) {  // the result has another reader
    const int32_t result = network.table(network.pool(input));
    network.graph.outputs = {result, network.pool(result)};
  });
  expect_stays([](Network& network, int32_t input) {  // it is asked for twice
    const int32_t result = network.table(network.pool(input));
    network.graph.outputs = {result, result};
  });
  expect_stays([](Network& network, int32_t input) {  // what it is made from is an output too
    const int32_t features = network.pool(input);
    network.graph.outputs = {features, network.table(features)};
  });
}

const std::vector<int32_t>& pieces_of(const FusedGraph& fused, size_t index) {
  return operation<graph::LoweredConcatenation>(fused, index).inputs;
}

TEST(Fusion, ReshapesBecomePartOfTheConcatenationsThatReadThem) {
  Network network;
  const int32_t first = network.pool(network.input(image()));              // 10
  const int32_t second = network.pool(network.input({1, 3, 3, 12}));       // 11
  const int32_t first_rows = network.reshape(first, {1, 120, 4});          // 12
  const int32_t second_rows = network.reshape(second, {1, 27, 4});         // 13
  const int32_t joined = network.join({first_rows, second_rows, first});   // 14
  const int32_t again = network.join({second_rows, joined, second_rows});  // 15
  network.graph.outputs = {again, network.pool(second)};                   // 16
  const FusedGraph fused = network.fused();
  ASSERT_THAT(names_of(fused), ElementsAre("MAX_POOL_2D", "MAX_POOL_2D", "CONCATENATION",
                                           "CONCATENATION", "MAX_POOL_2D"));
  EXPECT_THAT(pieces_of(fused, 2), ElementsAre(first, second, first));
  EXPECT_THAT(pieces_of(fused, 3), ElementsAre(second, joined, second));
  std::vector<std::string> variants;
  for (const OperatorPlacement& placement : placements_of(fused, std::vector<KernelPlan>(5))) {
    variants.push_back(placement.variant);
  }
  EXPECT_THAT(variants, ElementsAre("", "", "fused into CONCATENATION #14",
                                    "fused into CONCATENATION #14", "", "", ""));
}

TEST(Fusion, OfSeveralReshapesInARowNoneOrOneIsLeft) {
  const auto build = [](auto&& finish) {
    Network network;
    const int32_t features = network.pool(network.input({1, 3, 3, 12}));
    const int32_t once = network.reshape(features, {27, 4});
    const int32_t twice = network.reshape(once, {36, 3});
    finish(network, once, twice);
    return network;
  };
  const Network joined = build([](Network& network, int32_t once, int32_t twice) {
    network.graph.outputs = {network.join({twice, once})};
  });
  EXPECT_THAT(names_of(joined.fused()), ElementsAre("MAX_POOL_2D", "CONCATENATION"));
  EXPECT_THAT(pieces_of(joined.fused(), 1), ElementsAre(1, 1));
  const Network joined_twice = build([](Network& network, int32_t once, int32_t twice) {
    network.graph.outputs = {network.join({twice, twice}), network.join({once, once})};
  });
  for (const OperatorPlacement& placement :
       placements_of(joined_twice.fused(), std::vector<KernelPlan>(3))) {
    EXPECT_THAT(placement.variant, AnyOf("", "fused into CONCATENATION #13"));
  }
  const Network pooled = build([](Network& network, int32_t, int32_t twice) {
    network.graph.outputs = {network.pool(twice)};
  });
  const FusedGraph fused = pooled.fused();
  ASSERT_THAT(names_of(fused), ElementsAre("MAX_POOL_2D", "RESHAPE", "MAX_POOL_2D"));
  EXPECT_EQ(operation<graph::LoweredReshape>(fused, 1).input, 1);
  EXPECT_EQ(placements_of(fused, std::vector<KernelPlan>(3))[1].variant, "fused into RESHAPE #12");
}

// Rows of 12 channels once become dense; dense tensors need no copy for another shape.
TEST(Fusion, ReshapesStayWhereThatSavesCopies) {
  Network network;
  const int32_t features = network.pool(network.input({1, 4, 4, 12}));
  const int32_t dense = network.reshape(features, {48, 4});
  network.graph.outputs = {network.pool(network.reshape(dense, {12, 16})),
                           network.pool(network.reshape(dense, {6, 32}))};
  EXPECT_EQ(network.fused().graph.operators.size(), network.graph.operators.size());
}

TEST(Fusion, ReshapesStayThatSomebodyElseNeeds) {
  const auto expect_stays = [](auto&& build) {
    Network network;
    build(network, network.pool(network.input({1, 3, 3, 12})));
    EXPECT_EQ(network.fused().graph.operators.size(), network.graph.operators.size());
  };
  expect_stays([](Network& network, int32_t features) {  // an output
    const int32_t rows = network.reshape(features, {27, 4});
    network.graph.outputs = {network.join({rows, features}), rows};
  });
  expect_stays([](Network& network, int32_t features) {  // another reader
    const int32_t rows = network.reshape(features, {27, 4});
    network.graph.outputs = {network.join({rows, features}), network.pool(rows)};
  });
  expect_stays([](Network& network, int32_t features) {  // nobody reads it
    network.reshape(features, {27, 4});
    network.graph.outputs = {network.pool(features)};
  });
  expect_stays([](Network& network, int32_t features) {  // other elements
    network.graph.outputs = {network.join({network.reshape(features, {28, 4}), features})};
  });
  expect_stays([](Network& network, int32_t features) {  // another type
    const int32_t rows = network.reshape(features, {27, 4});
    network.graph.tensors[static_cast<size_t>(rows)].type = graph::DataType::kUint8;
    network.graph.outputs = {network.join({rows, features})};
  });
}

TEST(Fusion, TheHostReshapesAtBothBorders) {
  Network network;
  const int32_t input = network.input({1, 108});
  const int32_t rows = network.reshape(network.table(input), {1, 3, 3, 12});
  const int32_t features = network.pool(rows);
  const int32_t result = network.reshape(network.table(features), {27, 4});
  network.graph.outputs = {result};
  const FusedGraph fused = network.fused();
  ASSERT_THAT(names_of(fused), ElementsAre("MAX_POOL_2D"));
  EXPECT_THAT(fused.graph.inputs, ElementsAre(rows));
  EXPECT_THAT(fused.graph.outputs, ElementsAre(features));
  EXPECT_EQ(fused.inputs[0].given, input);
  EXPECT_TRUE(fused.inputs[0].table);
  EXPECT_EQ(fused.outputs[0].given, result);
  EXPECT_TRUE(fused.outputs[0].table);
  EXPECT_EQ(placements_of(fused, std::vector<KernelPlan>(1))[1].variant,
            "fused into the host's copies");
  // Too much work: nine rows of 16 bytes are one more than it takes.
  const auto takes_all = [](auto&, auto&, auto&) { return true; };
  EXPECT_EQ(network.fused(takes_all, 9 * 16 - 1).graph.operators.size(), 4u);
  EXPECT_EQ(network.fused(takes_all, 9 * 16).graph.operators.size(), 1u);
}

TEST(Fusion, TheHostComputesOneTable) {
  Network network;
  const int32_t input = network.input(image());
  network.graph.outputs = {
      network.table(network.table(network.pool(network.table(network.table(input)))))};
  EXPECT_THAT(names_of(network.fused()), ElementsAre("QUANTIZE", "MAX_POOL_2D", "QUANTIZE"));
}

TEST(Fusion, BorderReshapesStayThatSomebodyElseNeeds) {
  const auto expect_stays = [](auto&& build) {
    Network network;
    build(network, network.input({1, 3, 3, 12}));
    EXPECT_EQ(network.fused().graph.operators.size(), network.graph.operators.size());
  };
  expect_stays([](Network& network, int32_t input) {  // nothing would be left for the device
    network.graph.outputs = {network.reshape(input, {27, 4})};
  });
  expect_stays([](Network& network, int32_t input) {  // the input has another reader
    network.graph.outputs = {network.pool(network.reshape(input, {27, 4})), network.pool(input)};
  });
  expect_stays([](Network& network, int32_t input) {  // it is an output
    network.graph.outputs = {network.pool(network.reshape(input, {27, 4})), input};
  });
  expect_stays([](Network& network, int32_t input) {  // the result has another reader
    const int32_t rows = network.reshape(network.pool(input), {27, 4});
    network.graph.outputs = {rows, network.pool(rows)};
  });
  expect_stays([](Network& network, int32_t input) {  // what it is made from is an output too
    const int32_t features = network.pool(input);
    network.graph.outputs = {features, network.reshape(features, {27, 4})};
  });
  expect_stays([](Network& network, int32_t) {  // a constant under another name
    const int32_t constant = network.tensor({2, 16});
    network.graph.tensors.back().constant.resize(32);
    network.graph.outputs = {network.reshape(constant, {8, 4})};
  });
}

TEST(Fusion, PiecesOfTheFusedGraphAreComputedInPlace) {
  Network network;
  const int32_t first = network.pool(network.input({4, 16}));
  const int32_t second = network.pool(network.input({4, 16}));
  const int32_t joined = network.join({network.reshape(first, {16, 4}), second});
  network.graph.outputs = {network.pool(joined)};
  const auto takes_none = [](auto&, auto&, auto&) { return false; };
  const FusedGraph fused =
      fuse(network.graph, {.takes_epilogue = takes_none, .offset_alignment = 64});
  ASSERT_THAT(names_of(fused),
              ElementsAre("MAX_POOL_2D", "MAX_POOL_2D", "CONCATENATION", "MAX_POOL_2D"));
  ASSERT_EQ(fused.pieces_in_place.size(), 4u);
  EXPECT_THAT(fused.pieces_in_place[2],
              ElementsAre(PieceInPlace{first, 0}, PieceInPlace{second, 64}));
  EXPECT_THAT(fused.pieces_in_place[3], IsEmpty());
  const auto expect_nothing_in_place = [](const FusedGraph& other) {
    ASSERT_EQ(other.pieces_in_place.size(), other.graph.operators.size());
    for (const std::vector<PieceInPlace>& pieces : other.pieces_in_place) {
      EXPECT_THAT(pieces, IsEmpty());
    }
  };
  expect_nothing_in_place(network.fused());
  expect_nothing_in_place(unfused(network.graph));
}

TEST(Fusion, LeavesGraphsThatContradictThemselvesToPlanning) {
  const auto expect_unchanged = [](auto&& breakage) {
    Network network;
    const int32_t input = network.input(image());
    network.graph.outputs = {network.sum(network.convolution(input), input)};
    breakage(network.graph);
    EXPECT_EQ(network.fused().graph.operators.size(), 2u);
  };
  const auto convolution = [](LoweredGraph& graph) -> LoweredConvolution& {
    return std::get<LoweredConvolution>(graph.operators[0].operation);
  };
  expect_unchanged([&](LoweredGraph& graph) { convolution(graph).input = -1; });
  expect_unchanged([&](LoweredGraph& graph) { convolution(graph).input = 99; });
  expect_unchanged([&](LoweredGraph& graph) { convolution(graph).output = 99; });
  expect_unchanged([&](LoweredGraph& graph) { convolution(graph).output = graph.outputs[0]; });
  expect_unchanged([&](LoweredGraph& graph) { convolution(graph).output = graph.inputs[0]; });
  expect_unchanged([](LoweredGraph& graph) { graph.outputs.push_back(99); });
  expect_unchanged([](LoweredGraph& graph) { graph.inputs.clear(); });
  expect_unchanged([](LoweredGraph& graph) { std::swap(graph.operators[0], graph.operators[1]); });
}

TEST(Fusion, CanBeLeftOut) {
  Network network;
  const int32_t input = network.input(image());
  network.graph.outputs = {network.sum(network.convolution(input), input)};
  const FusedGraph whole = unfused(network.graph);
  EXPECT_THAT(names_of(whole), ElementsAre("CONV_2D", "ADD"));
  EXPECT_THAT(whole.last_of, ElementsAre(0, 1));
}

}  // namespace
}  // namespace lockstep::backend::vulkan
