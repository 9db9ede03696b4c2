// What a comparison found, as text, JSON and page: complete, and believing no name.
#include "tools/comparison_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "conformance/report_testing.h"

namespace lockstep::tools {
namespace {

using conformance::testing::kHostileText;
using conformance::testing::Markup;
using conformance::testing::parse_markup;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

graph::Graph graph_of(const std::string& name, graph::DataType type) {
  graph::Graph graph;
  for (const char* tensor : {"input", "layer", "scores"}) {
    graph::Tensor& added = graph.tensors.emplace_back();
    added.name = name + tensor;
    added.type = type;
    added.shape = {1, 6};
  }
  return graph;
}

void fill(quantization::TensorComparison& comparison, int32_t tensor, float error) {
  comparison.match = {.expected = tensor, .actual = tensor, .kind = quantization::MatchKind::kName};
  const std::vector<float> expected = {1, 0, 0, 0, 0, 0};
  std::vector<float> actual = expected;
  actual[1] += error;
  comparison.error.add(expected, actual);
  comparison.differences.add(std::vector<float>{0, error, 0, 0, 0, 0});
}

// One layer and one output of six classes, which agree on the first of two samples.
ComparisonReport report_of(const std::string& name_prefix = "") {
  ComparisonReport report;
  report.expected = {.path = name_prefix + "float.tflite",
                     .bytes = 4096,
                     .engine = "TFLite 2.9.0",
                     .milliseconds = 2,
                     .graph = graph_of(name_prefix, graph::DataType::kFloat32)};
  report.actual = {.path = name_prefix + "int8.tflite",
                   .bytes = 1024,
                   .engine = "TFLite 2.9.0",
                   .milliseconds = 0.5,
                   .graph = graph_of(name_prefix, graph::DataType::kInt8)};
  quantization::ModelComparison& comparison = report.comparison;
  comparison.samples = 2;
  report.sample_names = {name_prefix + "first.png", name_prefix + "second.png"};
  fill(comparison.inputs.emplace_back(), 0, 0);
  quantization::LayerComparison& layer = comparison.layers.emplace_back();
  fill(layer.tensor, 1, 0.1f);
  layer.operator_name = "CONV_2D";
  layer.input_sqnr = std::numeric_limits<double>::infinity();
  quantization::OutputComparison& output = comparison.outputs.emplace_back();
  fill(output.tensor, 2, 0.5f);
  output.class_count = 6;
  output.agreement.add(std::vector<float>{1, 0, 0, 0, 0, 0}, std::vector<float>{1, 0, 0, 0, 0, 0});
  output.agreement.add(std::vector<float>{1, 0, 0, 0, 0, 0}, std::vector<float>{0, 1, 0, 0, 0, 0});
  output.samples = {{.sample = 0,
                     .sqnr = std::numeric_limits<double>::infinity(),
                     .expected_class = 0,
                     .actual_class = 0},
                    {.sample = 1,
                     .largest_error = 0.5,
                     .l2 = 0.5,
                     .sqnr = 6.02,
                     .expected_class = 0,
                     .actual_class = 1}};
  comparison.matching.only_actual = {1};
  return report;
}

TEST(ComparisonReport, ThresholdsAreForEveryOutput) {
  ComparisonReport report = report_of();
  EXPECT_THAT(missed_thresholds(report), IsEmpty()) << "nothing was asked for";
  report.thresholds = {.minimum_sqnr = 6.0, .maximum_l2 = 0.5, .minimum_top1 = 50.0};
  EXPECT_THAT(missed_thresholds(report), IsEmpty()) << "all of them are just met";
  report.thresholds = {.minimum_sqnr = 7.0, .maximum_l2 = 0.4, .minimum_top1 = 51.0};
  EXPECT_THAT(missed_thresholds(report),
              ElementsAre(HasSubstr("the SQNR is 6.0 dB, at least 7 dB"),
                          HasSubstr("L2 is 0.5, at most 0.4"),
                          HasSubstr("top-1 agrees in 50.00 %, at least 51 %")));
}

TEST(ComparisonReport, ValuesThatCannotBeComparedMissEveryThreshold) {
  ComparisonReport report = report_of();
  report.comparison.outputs[0].tensor.error.add(std::vector<float>{std::nanf("")},
                                                std::vector<float>{1});
  EXPECT_THAT(missed_thresholds(report), IsEmpty());
  report.thresholds.maximum_l2 = 100;
  EXPECT_THAT(missed_thresholds(report), ElementsAre(HasSubstr("1 values are NaN or infinite")));
}

TEST(ComparisonReport, Top1NeedsClasses) {
  ComparisonReport report = report_of();
  report.comparison.outputs[0].class_count = 0;
  report.thresholds.minimum_top1 = 10;
  EXPECT_THAT(missed_thresholds(report), ElementsAre(HasSubstr("no output has classes")));
  EXPECT_EQ(top1_text(report.comparison.outputs[0]), "");
  report.comparison.outputs[0].class_count = 5;
  EXPECT_EQ(top1_text(report.comparison.outputs[0]), "50.00 %");
  EXPECT_EQ(top5_text(report.comparison.outputs[0]), "")
      << "of five classes the best five tell nothing";
}

TEST(ComparisonReport, WorstSamplesComeFirstAndExactOnesNotAtAll) {
  quantization::OutputComparison output;
  output.samples = {{.sample = 0, .largest_error = 1, .sqnr = 20},
                    {.sample = 1, .largest_error = 0, .sqnr = 99},
                    {.sample = 2, .largest_error = 1, .sqnr = 5},
                    {.sample = 3, .largest_error = 1, .sqnr = 12}};
  const auto worst = worst_samples(output, 2);
  ASSERT_EQ(worst.size(), 2u);
  EXPECT_EQ(worst[0].sample, 2u);
  EXPECT_EQ(worst[1].sample, 3u);
  EXPECT_EQ(worst_samples(output, 9).size(), 3u);
}

TEST(ComparisonReport, TextSaysWhatMatters) {
  ComparisonReport report = report_of();
  report.thresholds.minimum_sqnr = 30;
  const std::string text = comparison_text(report);
  EXPECT_THAT(text, HasSubstr("B has 0.25 of the size and takes 0.25 of the time"));
  EXPECT_THAT(text, HasSubstr("Only in B: layer"));
  EXPECT_THAT(text, HasSubstr("Most is lost in CONV_2D 'layer': 28.2 dB, from exact to 20.0 dB"));
  EXPECT_THAT(text, HasSubstr("float32 / int8"));
  EXPECT_THAT(text, HasSubstr("Missed: output 'scores'"));
}

TEST(ComparisonReport, JsonHoldsEverything) {
  const json report = comparison_json(report_of());
  EXPECT_EQ(report.at("expected").at("bytes"), 4096);
  EXPECT_EQ(report.at("actual").at("median_milliseconds"), 0.5);
  EXPECT_EQ(report.at("samples"), 2);
  EXPECT_EQ(report.at("inputs").at(0).at("sqnr"), nullptr) << "infinite";
  const json& layer = report.at("layers").at(0);
  EXPECT_EQ(layer.at("operator"), "CONV_2D");
  EXPECT_EQ(layer.at("matched_by"), "name");
  EXPECT_NEAR(layer.at("sqnr"), 20, 1e-5);
  EXPECT_EQ(report.at("largest_drop"), 0);
  const json& output = report.at("outputs").at(0);
  EXPECT_EQ(output.at("type"), "float32");
  EXPECT_EQ(output.at("actual_type"), "int8");
  EXPECT_EQ(output.at("top1"), 0.5);
  EXPECT_EQ(output.at("top5"), 1.0);
  EXPECT_EQ(output.at("samples").at(1).at("name"), "second.png");
  EXPECT_EQ(output.at("samples").at(1).at("actual_class"), 1);
  EXPECT_THAT(report.at("only_in_actual"), ElementsAre("layer"));
}

TEST(ComparisonReport, ThePageIsWellFormedAndLoadsNothing) {
  ComparisonReport report = report_of(std::string(kHostileText));
  report.thresholds.minimum_sqnr = 30;
  const std::string text = comparison_html(report);
  const Markup page = parse_markup(text, true);
  ASSERT_EQ(page.error, "");
  EXPECT_THAT(text, Not(HasSubstr("http")));
  EXPECT_THAT(page.named("script"), IsEmpty());
  EXPECT_THAT(page.named("img"), IsEmpty());
  // The layers' plot, and the differences of the output and of the worst layer.
  EXPECT_EQ(page.named("svg").size(), 3u);
  EXPECT_EQ(page.named("circle").size(), 1u);
  EXPECT_THAT(text, HasSubstr("Thresholds are missed"));
}

TEST(ComparisonReport, ThePageOfEqualNetworksIsWellFormed) {
  ComparisonReport report = report_of();
  report.comparison.layers.clear();
  report.comparison.outputs[0].tensor = {};
  fill(report.comparison.outputs[0].tensor, 2, 0);
  report.comparison.outputs[0].samples.clear();
  report.thresholds.minimum_sqnr = 30;
  const std::string text = comparison_html(report);
  EXPECT_EQ(parse_markup(text, true).error, "");
  EXPECT_THAT(text, HasSubstr("Every threshold is met"));
  EXPECT_THAT(text, HasSubstr("No sample differs"));
  EXPECT_THAT(text, HasSubstr("exact"));
}

}  // namespace
}  // namespace lockstep::tools
