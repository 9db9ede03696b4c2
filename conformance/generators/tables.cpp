// Element-wise functions of one tensor: LOGISTIC, TANH, RELU, RELU6, RELU_N1_TO_1, HARD_SWISH,
// LEAKY_RELU. A family each; all of them compute 256 results, so all 256 inputs are in every case.
#include <fmt/format.h>

#include <cmath>
#include <set>
#include <span>
#include <string>
#include <variant>

#include "conformance/generators/case_collector.h"
#include "conformance/generators/families.h"
#include "conformance/generators/operand_contents.h"
#include "conformance/generators/random_cases.h"

namespace lockstep::conformance {
namespace {

using graph::DataType;
using graph::GraphBuilder;
using graph::Operator;
using graph::Shape;
using graph::Tensor;
using graph::UnaryKind;

// --- Generation --------------------------------------------------------------------------------

struct TableScales {
  const char* name;
  float input;
  float output;
  int32_t input_zero_point;  // signed domain
  int32_t output_zero_point;
  float alpha = 0.0f;
};

constexpr const char* kRefusesOutput = "refuses LOGISTIC with an output scale other than 1/256";

struct TableFamily {
  const char* family;
  UnaryKind kind;
  std::vector<TableScales> scales;
  std::vector<TableScales> refused_scales;  // by engines, not by the contracts
  RandomOperator random;
};

// One operator for each relation of scales, all 256 values into each.
void add_scales(CaseCollector& cases, std::string_view name, DataType type, UnaryKind kind,
                const std::vector<TableScales>& relations, bool is_quick,
                const std::vector<CoveragePoint>& said) {
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const TableScales& scales : relations) {
    const int32_t input =
        builder.input(scales.name, type, {1, 8, 8, 4},
                      signed_quantization(type, scales.input, scales.input_zero_point));
    results.push_back(builder.unary(
        kind, input, signed_quantization(type, scales.output, scales.output_zero_point),
        scales.alpha));
    inputs.push_back(counting_bytes(256));
  }
  if (is_quick) {
    cases.add_quick(name, builder.build(results), std::move(inputs), said);
  } else {
    cases.add(name, builder.build(results), std::move(inputs), said);
  }
}

void add_shapes(CaseCollector& cases, UnaryKind kind, const TableScales& scales) {
  const DataType type = DataType::kInt8;
  std::vector<Shape> shapes = {{256}, {17, 16}, {2, 9, 15}};
  for (const int32_t channels : kChannelTails) {
    shapes.push_back({2, 3, 3, channels});
  }
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const Shape& shape : shapes) {
    const int32_t input =
        builder.input(graph::shape_to_string(shape), type, shape,
                      signed_quantization(type, scales.input, scales.input_zero_point));
    results.push_back(builder.unary(
        kind, input, signed_quantization(type, scales.output, scales.output_zero_point),
        scales.alpha));
    inputs.push_back(every_byte(element_count_of(shape)));
  }
  cases.add("shapes", builder.build(results), std::move(inputs));
}

Result<std::vector<Case>> generate(const TableFamily& family, const GeneratorOptions& options,
                                   Measure measure) {
  CaseCollector cases(family.family, measure);
  for (const DataType type : k8BitTypes) {
    const std::string_view type_name = graph::data_type_name(type);
    add_scales(cases, fmt::format("scales {}", type_name), type, family.kind, family.scales,
               type == DataType::kInt8, {});
    if (!family.refused_scales.empty()) {
      add_scales(cases, fmt::format("other outputs {}", type_name), type, family.kind,
                 family.refused_scales, false, {{"engine", kRefusesOutput}});
    }
  }
  add_shapes(cases, family.kind, family.scales.front());
  add_random_cases(cases, options, family.random);
  return std::move(cases).finish();
}

constexpr float k256th = 1.0f / 256.0f;
constexpr float k128th = 1.0f / 128.0f;

// The last four scales put a result exactly half way between two integers, or so close to it that
// the form in which the function is computed decides.
const TableFamily& logistic() {
  static const TableFamily kFamily = {
      "logistic",
      UnaryKind::kLogistic,
      {{"sixteenths", 0.0625f, k256th, 0, -128},
       {"fine", 0.01f, k256th, 127, -128},
       {"steep", 3.0f, k256th, -128, -128},
       {"half way one", 0.0142179998f, k256th, -128, -128},
       {"half way two", 0.00637399964f, k256th, 127, -128},
       {"half way three", 0.0649619997f, k256th, 5, -128},
       {"half way four", 0.100468002f, k256th, 0, -128}},
      {{"other output", 0.05f, 0.01f, 5, 17}, {"highest output", 0.05f, 0.001f, 5, 127}},
      RandomOperator::kLogistic};
  return kFamily;
}

const TableFamily& tanh_function() {
  static const TableFamily kFamily = {"tanh",
                                      UnaryKind::kTanh,
                                      {{"ordinary", 0.03f, k128th, 0, 0},
                                       {"fine", 0.001f, k128th, 127, 0},
                                       {"steep", 3.0f, k128th, -128, 0},
                                       {"other output", 0.05f, 0.02f, 5, -128},
                                       {"saturating output", 0.05f, 0.001f, 5, 127}},
                                      {},
                                      RandomOperator::kTanh};
  return kFamily;
}

// Relations of scales that make ties, saturate at both ends, or leave nothing.
std::vector<TableScales> relu_scales() {
  return {{"halves", 0.5f, 1.0f, 0, -128},          {"quarters", 0.0625f, 0.25f, -128, 0},
          {"three halves", 0.375f, 0.25f, 5, -100}, {"alike", 0.04f, 0.04f, -7, -7},
          {"ordinary", 0.1f, 0.037f, 127, 5},       {"saturating", 0.5f, 0.01f, 1, -128},
          {"vanishing", 0.001f, 9.0f, -128, 127}};
}

const TableFamily& relu() {
  static const TableFamily kFamily = {
      "relu", UnaryKind::kRelu, relu_scales(), {}, RandomOperator::kRelu};
  return kFamily;
}

const TableFamily& relu6() {
  static const TableFamily kFamily = {
      "relu6", UnaryKind::kRelu6, relu_scales(), {}, RandomOperator::kRelu6};
  return kFamily;
}

const TableFamily& relu_n1_to_1() {
  static const TableFamily kFamily = {
      "relu_n1_to_1", UnaryKind::kReluN1To1, relu_scales(), {}, RandomOperator::kReluN1To1};
  return kFamily;
}

// Engines take it while 128 input units are below one output unit.
const TableFamily& hard_swish() {
  static const TableFamily kFamily = {"hard_swish",
                                      UnaryKind::kHardSwish,
                                      {{"ordinary", 0.047f, 0.031f, 0, -116},
                                       {"quarters", 0.25f, 0.25f, -128, -128},
                                       {"steep gate", 1.0f, 0.5f, 127, 127},
                                       {"fine", 0.001f, 0.001f, 5, 0},
                                       {"highest ratio", 0.1f, 0.0008f, -128, -128},
                                       {"vanishing", 0.01f, 3.0f, 0, 5}},
                                      {},
                                      RandomOperator::kHardSwish};
  return kFamily;
}

const TableFamily& leaky_relu() {
  static const TableFamily kFamily = {"leaky_relu",
                                      UnaryKind::kLeakyRelu,
                                      {{"halves slope 0.5", 0.5f, 1.0f, 0, 0, 0.5f},
                                       {"alike slope 0.1", 0.04f, 0.04f, -7, -7, 0.1f},
                                       {"negative slope", 0.25f, 0.5f, 127, -128, -0.5f},
                                       {"no slope", 0.25f, 0.25f, 5, -100, 0.0f},
                                       {"steep slope", 0.1f, 0.05f, 20, 127, 1.5f},
                                       {"saturating slope 0.25", 0.5f, 0.01f, -128, 5, 0.25f},
                                       {"vanishing slope 0.25", 0.001f, 9.0f, 0, 5, 0.25f}},
                                      {},
                                      RandomOperator::kLeakyRelu};
  return kFamily;
}

// --- Measurement -------------------------------------------------------------------------------

// A result that float32's errors could take to either side of a half.
bool is_beside_half(double value) {
  const double distance = std::abs(value - std::floor(value) - 0.5);
  return distance < 1e-4;
}

void measure_real_function(UnaryKind kind, double real, const Tensor& output,
                           CoveragePoints& points) {
  if (kind == UnaryKind::kLogistic || kind == UnaryKind::kTanh) {
    const double result =
        kind == UnaryKind::kLogistic ? 1.0 / (1.0 + std::exp(-real)) : std::tanh(real);
    if (is_beside_half(result / double{scale_of(output)})) points.add("tie", "near");
  }
  if (kind == UnaryKind::kHardSwish) {
    points.add("gate", real <= -3.0 ? "closed" : real >= 3.0 ? "open" : "between");
  }
}

// Scalings only: RELU and its kin, and both sides of LEAKY_RELU.
void measure_scaling(const graph::UnaryAttributes& attributes, int32_t centered,
                     const Tensor& input, const Tensor& output, RoundingWatch& watch) {
  const bool is_leaky = attributes.kind == UnaryKind::kLeakyRelu;
  const float slope = is_leaky && centered < 0 ? attributes.alpha : 1.0f;
  // The engines' own float32 product and quotient: 24 bits, so that times a value it stays exact.
  const float scale = slope == 1.0f ? scale_of(input) / scale_of(output)
                                    : scale_of(input) * slope / scale_of(output);
  watch.see(double{scale} * centered, 1.0);
}

void measure_table(const MeasuredGraph& measured, CoveragePoints& points) {
  for (const Operator& op : measured.graph().operators) {
    const auto* attributes = std::get_if<graph::UnaryAttributes>(&op.attributes);
    if (attributes == nullptr) {
      continue;
    }
    const Tensor& input = measured.tensor(op.inputs[0]);
    const Tensor& output = measured.tensor(op.outputs[0]);
    const std::vector<int32_t> values = measured.values(op.inputs[0]);
    if (std::set<int32_t>(values.begin(), values.end()).size() == 256) {
      points.add("inputs", "all 256 values");
    }
    RoundingWatch watch(output);
    const bool is_scaling =
        attributes->kind == UnaryKind::kRelu || attributes->kind == UnaryKind::kRelu6 ||
        attributes->kind == UnaryKind::kReluN1To1 || attributes->kind == UnaryKind::kLeakyRelu;
    for (const int32_t value : values) {
      const int32_t centered = value - zero_point_of(input);
      measure_real_function(attributes->kind, double{scale_of(input)} * centered, output, points);
      if (is_scaling) {
        measure_scaling(*attributes, centered, input, output, watch);
      }
    }
    watch.report(points);
    const int32_t lowest = output.type == DataType::kUint8 ? 0 : -128;
    for (const int32_t value : measured.values(op.outputs[0])) {
      if (value == lowest) points.add("result", "lowest");
      if (value == lowest + 255) points.add("result", "highest");
    }
    if (attributes->kind == UnaryKind::kLeakyRelu) {
      points.add("slope", attributes->alpha < 0.0f    ? "negative"
                          : attributes->alpha == 0.0f ? "zero"
                          : attributes->alpha < 1.0f  ? "below 1"
                                                      : "above 1");
    }
    if (attributes->kind == UnaryKind::kLogistic) {
      points.add("litert arithmetic", scale_of(output) == k256th && zero_point_of(output) == lowest
                                          ? "XNNPACK's"
                                          : "builtin");
    }
  }
}

std::vector<RequiredCoverage> required_table_coverage() {
  return {{"type", {"int8", "uint8"}},
          {"rank", {"1", "2", "3", "4"}},
          {"batch", {"1", "more"}},
          {"channels", tail_names()},
          {"input zero_point", {"lowest", "middle", "highest", "other"}},
          {"inputs", {"all 256 values"}},
          {"result", {"lowest", "highest"}}};
}

std::vector<RequiredCoverage> with(std::vector<RequiredCoverage> further) {
  std::vector<RequiredCoverage> required = required_table_coverage();
  for (RequiredCoverage& dimension : further) {
    required.push_back(std::move(dimension));
  }
  return required;
}

std::vector<RequiredCoverage> required_scaling_coverage() {
  return with({{"output zero_point", {"lowest", "middle", "highest", "other"}},
               {"tie", {"positive", "negative"}},
               {"saturation", {"lowest", "highest"}}});
}

}  // namespace

Generator logistic_family() {
  return {.family = "logistic",
          .description = "LOGISTIC: all 256 values, results beside ties",
          .generate =
              [](const GeneratorOptions& options) {
                return generate(logistic(), options, measure_table);
              },
          .required_coverage =
              [] {
                return with({{"output zero_point", {"lowest", "highest", "other"}},
                             {"tie", {"near"}},
                             {"litert arithmetic", {"XNNPACK's", "builtin"}}});
              }};
}

Generator tanh_family() {
  return {.family = "tanh",
          .description = "TANH: all 256 values",
          .generate =
              [](const GeneratorOptions& options) {
                return generate(tanh_function(), options, measure_table);
              },
          .required_coverage =
              [] {
                return with({{"output zero_point", {"lowest", "middle", "highest"}}});
              }};
}

Generator relu_family() {
  return {
      .family = "relu",
      .description = "RELU between scales: all 256 values, ties, saturation",
      .generate =
          [](const GeneratorOptions& options) { return generate(relu(), options, measure_table); },
      .required_coverage = required_scaling_coverage};
}

Generator relu6_family() {
  return {
      .family = "relu6",
      .description = "RELU6 between scales: all 256 values, ties, saturation",
      .generate =
          [](const GeneratorOptions& options) { return generate(relu6(), options, measure_table); },
      .required_coverage = required_scaling_coverage};
}

Generator relu_n1_to_1_family() {
  return {.family = "relu_n1_to_1",
          .description = "RELU_N1_TO_1 between scales: all 256 values, ties, saturation",
          .generate =
              [](const GeneratorOptions& options) {
                return generate(relu_n1_to_1(), options, measure_table);
              },
          .required_coverage = required_scaling_coverage};
}

Generator hard_swish_family() {
  return {.family = "hard_swish",
          .description = "HARD_SWISH: all 256 values, the gate closed, open and between",
          .generate =
              [](const GeneratorOptions& options) {
                return generate(hard_swish(), options, measure_table);
              },
          .required_coverage =
              [] {
                return with({{"output zero_point", {"lowest", "middle", "highest", "other"}},
                             {"gate", {"closed", "between", "open"}}});
              }};
}

Generator leaky_relu_family() {
  return {.family = "leaky_relu",
          .description = "LEAKY_RELU: all 256 values, slopes of either sign, ties",
          .generate =
              [](const GeneratorOptions& options) {
                return generate(leaky_relu(), options, measure_table);
              },
          .required_coverage =
              [] {
                std::vector<RequiredCoverage> required = required_scaling_coverage();
                required.push_back({"slope", {"negative", "zero", "below 1", "above 1"}});
                return required;
              }};
}

}  // namespace lockstep::conformance
