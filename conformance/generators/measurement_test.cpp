#include "conformance/generators/measurement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "conformance/generators/operand_contents.h"
#include "graph/graph_builder.h"

namespace lockstep::conformance {
namespace {

using graph::Activation;
using graph::DataType;
using graph::GraphBuilder;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

graph::Tensor int8_tensor(int32_t zero_point) {
  graph::Tensor tensor;
  tensor.type = DataType::kInt8;
  tensor.quantization = graph::per_tensor(1.0f, zero_point);
  return tensor;
}

std::vector<CoveragePoint> points_of(const RoundingWatch& watch) {
  CoveragePoints points;
  watch.report(points);
  return points.sorted();
}

TEST(RoundingWatchTest, ExactHalvesAreTiesOfTheirSign) {
  RoundingWatch positive(int8_tensor(0));
  positive.see(3.0, 2.0);
  EXPECT_THAT(points_of(positive), ElementsAre(CoveragePoint{"tie", "positive"}));
  RoundingWatch negative(int8_tensor(0));
  negative.see(-1.0, 2.0);
  EXPECT_THAT(points_of(negative), ElementsAre(CoveragePoint{"tie", "negative"}));
}

TEST(RoundingWatchTest, BesideAHalfIsNoTie) {
  RoundingWatch watch(int8_tensor(0));
  watch.see(std::nextafter(1.5, 2.0), 1.0);
  watch.see(std::nextafter(1.5, 1.0), 1.0);
  watch.see(2.0, 1.0);
  EXPECT_THAT(points_of(watch), IsEmpty());
}

TEST(RoundingWatchTest, SaturationCountsFromTheZeroPoint) {
  RoundingWatch fits(int8_tensor(-28));
  fits.see(155.0, 1.0);
  fits.see(-100.0, 1.0);
  EXPECT_THAT(points_of(fits), IsEmpty());
  RoundingWatch beyond(int8_tensor(-28));
  beyond.see(157.0, 1.0);
  beyond.see(-102.0, 1.0);
  EXPECT_THAT(points_of(beyond), ElementsAre(CoveragePoint{"saturation", "highest"},
                                             CoveragePoint{"saturation", "lowest"}));
}

// x + 0 with the activation's own quantization.
Result<graph::Graph> sum_graph(DataType type, Activation activation) {
  GraphBuilder builder;
  const int32_t left = builder.input("left", type, {4}, activation_quantization(type));
  const int32_t zero = builder.constant_bytes("zero", type, {1}, stored_bytes(type, {0}),
                                              activation_quantization(type));
  return builder.build({builder.add(left, zero, activation_quantization(type), activation)});
}

TEST(MeasuredGraphTest, ValuesAreThoseOfTheModel) {
  const auto graph = sum_graph(DataType::kUint8, Activation::kNone);
  ASSERT_TRUE(graph.has_value());
  const std::vector<Bytes> inputs = {stored_bytes(DataType::kUint8, {-128, -1, 0, 127})};
  const auto measured = MeasuredGraph::compute(*graph, inputs);
  ASSERT_TRUE(measured.has_value());
  EXPECT_THAT(measured->values(graph->outputs[0]), ElementsAre(0, 127, 128, 255));
}

std::vector<CoveragePoint> clipping_of(Activation activation, const std::vector<int32_t>& values) {
  const auto graph = sum_graph(DataType::kInt8, activation);
  EXPECT_TRUE(graph.has_value());
  const std::vector<Bytes> inputs = {stored_bytes(DataType::kInt8, values)};
  const auto measured = MeasuredGraph::compute(*graph, inputs);
  EXPECT_TRUE(measured.has_value());
  CoveragePoints points;
  EXPECT_TRUE(measure_clipping(*measured, inputs, points).has_value());
  return points.sorted();
}

TEST(ClippingTest, IsMeasuredByWhatTheActivationChanges) {
  EXPECT_THAT(clipping_of(Activation::kRelu, {0, 1, 2, 127}),
              ElementsAre(CoveragePoint{"clipping", "relu clips nothing"}));
  EXPECT_THAT(clipping_of(Activation::kRelu6, {0, 96, 97, -1}),
              ElementsAre(CoveragePoint{"clipping", "relu6 clips some"}));
  EXPECT_THAT(clipping_of(Activation::kReluN1To1, {17, -17, 127, -128}),
              ElementsAre(CoveragePoint{"clipping", "relu_n1_to_1 clips all"}));
  EXPECT_THAT(clipping_of(Activation::kNone, {1, 2, 3, 4}), IsEmpty());
}

TEST(MeasureOperatorsTest, ReadsTypeRankChannelsAndZeroPoints) {
  GraphBuilder builder;
  const int32_t input =
      builder.input("x", DataType::kUint8, {2, 3, 4, 17}, graph::per_tensor(0.5f, 255));
  const auto graph =
      builder.build({builder.unary(graph::UnaryKind::kRelu, input, graph::per_tensor(0.5f, 7))});
  ASSERT_TRUE(graph.has_value());
  const std::vector<Bytes> inputs = {Bytes(2 * 3 * 4 * 17)};
  const auto measured = MeasuredGraph::compute(*graph, inputs);
  ASSERT_TRUE(measured.has_value());
  CoveragePoints points;
  measure_operators(*measured, points);
  const std::vector<CoveragePoint> sorted = points.sorted();
  for (const CoveragePoint& expected :
       {CoveragePoint{"operator", "RELU"}, CoveragePoint{"type", "uint8"},
        CoveragePoint{"rank", "4"}, CoveragePoint{"batch", "more"}, CoveragePoint{"channels", "17"},
        CoveragePoint{"input zero_point", "highest"},
        CoveragePoint{"output zero_point", "other"}}) {
    EXPECT_THAT(sorted, Contains(expected)) << expected.dimension;
  }
  EXPECT_THAT(sorted, Not(Contains(CoveragePoint{"batch", "1"})));
}

}  // namespace
}  // namespace lockstep::conformance
