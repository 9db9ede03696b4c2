// QUANTIZE, from 8 to 8 bits and from float32, and DEQUANTIZE.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>
#include <set>
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

// --- Generation --------------------------------------------------------------------------------

struct Requantization {
  const char* name;
  float input_scale;
  float output_scale;
  int32_t input_zero_point;  // signed domain
  int32_t output_zero_point;
};

constexpr std::array kRequantizations = {Requantization{"alike", 0.1f, 0.1f, -17, -17},
                                         Requantization{"other zero point", 0.1f, 0.1f, -128, 127},
                                         Requantization{"halves", 0.5f, 1.0f, 0, 0},
                                         Requantization{"quarters", 0.25f, 1.0f, 3, -128},
                                         Requantization{"three halves", 1.5f, 1.0f, 127, -128},
                                         Requantization{"ordinary", 0.1f, 0.37f, -128, -1},
                                         Requantization{"saturating", 0.9f, 0.01f, 0, 127},
                                         Requantization{"vanishing", 0.0001f, 3.0f, -128, 5}};

// Every relation of scales, to both types.
void add_requantizations(CaseCollector& cases) {
  for (const DataType from : k8BitTypes) {
    GraphBuilder builder;
    std::vector<int32_t> results;
    std::vector<Bytes> inputs;
    for (const Requantization& scales : kRequantizations) {
      const int32_t input =
          builder.input(scales.name, from, {1, 8, 8, 4},
                        signed_quantization(from, scales.input_scale, scales.input_zero_point));
      for (const DataType to : k8BitTypes) {
        results.push_back(builder.quantize(
            input, to, signed_quantization(to, scales.output_scale, scales.output_zero_point)));
      }
      inputs.push_back(counting_bytes(256));
    }
    cases.add_quick(fmt::format("from {}", graph::data_type_name(from)), builder.build(results),
                    std::move(inputs));
  }
}

void add_channel_tails(CaseCollector& cases) {
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const int32_t channels : kChannelTails) {
    const Shape shape = {2, 3, channels};
    const int32_t input = builder.input(fmt::format("x{}", channels), DataType::kInt8, shape,
                                        signed_quantization(DataType::kInt8, 0.1f, 5));
    results.push_back(builder.quantize(input, DataType::kUint8,
                                       signed_quantization(DataType::kUint8, 0.17f, -3)));
    inputs.push_back(every_byte(element_count_of(shape)));
  }
  cases.add("channel tails", builder.build(results), std::move(inputs));
}

Bytes float_bytes(const std::vector<float>& values) {
  Bytes bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// Around every half of the scale, right below and above it, and what lies far outside. NaN,
// infinities and quotients beyond int32 are left out: engines leave them undefined.
std::vector<float> real_values(float scale) {
  std::vector<float> values = {0.0f, -0.0f, 1e-40f, -1e-40f, 1e-20f, -1e-20f};
  for (int32_t i = -600; i <= 600; ++i) {
    const float tie = scale * 0.5f * static_cast<float>(i);
    values.insert(values.end(), {tie, std::nextafter(tie, 1e9f), std::nextafter(tie, -1e9f)});
  }
  for (const float far : {1e3f, 1e6f, 1e8f}) {
    values.insert(values.end(), {scale * far, -scale * far});
  }
  return values;
}

void add_real_inputs(CaseCollector& cases) {
  struct RealQuantization {
    float scale;
    int32_t zero_point;
  };
  constexpr std::array kQuantizations = {RealQuantization{0.5f, 0}, RealQuantization{0.1f, -128},
                                         RealQuantization{0.0235294f, 127},
                                         RealQuantization{3.0f, 3}};
  for (const DataType type : k8BitTypes) {
    GraphBuilder builder;
    std::vector<int32_t> results;
    std::vector<Bytes> inputs;
    for (const RealQuantization& quantization : kQuantizations) {
      const std::vector<float> values = real_values(quantization.scale);
      const int32_t input = builder.input(fmt::format("x{}", results.size()), DataType::kFloat32,
                                          {static_cast<int32_t>(values.size())});
      results.push_back(builder.quantize(
          input, type, signed_quantization(type, quantization.scale, quantization.zero_point)));
      inputs.push_back(float_bytes(values));
    }
    cases.add(fmt::format("from float32 to {}", graph::data_type_name(type)),
              builder.build(results), std::move(inputs));
  }
}

void add_dequantizations(CaseCollector& cases) {
  struct Quantization {
    float scale;
    int32_t zero_point;
  };
  constexpr std::array kQuantizations = {Quantization{0.1f, 0}, Quantization{0.0235294f, -128},
                                         Quantization{3.0f, 127}, Quantization{1e-6f, 5}};
  for (const DataType type : k8BitTypes) {
    GraphBuilder builder;
    std::vector<int32_t> results;
    std::vector<Bytes> inputs;
    for (const Quantization& quantization : kQuantizations) {
      const int32_t input =
          builder.input(fmt::format("x{}", results.size()), type, {1, 8, 8, 4},
                        signed_quantization(type, quantization.scale, quantization.zero_point));
      results.push_back(builder.dequantize(input));
      inputs.push_back(counting_bytes(256));
    }
    cases.add_quick(std::string(graph::data_type_name(type)), builder.build(results),
                    std::move(inputs));
  }
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const Shape& shape : {Shape{17}, Shape{3, 5}, Shape{2, 3, 31}}) {
    const int32_t input = builder.input(fmt::format("x{}", results.size()), DataType::kInt8, shape,
                                        signed_quantization(DataType::kInt8, 0.1f, 7));
    results.push_back(builder.dequantize(input));
    inputs.push_back(every_byte(element_count_of(shape)));
  }
  cases.add("shapes", builder.build(results), std::move(inputs));
}

// --- Measurement -------------------------------------------------------------------------------

void measure_all_values(const std::vector<int32_t>& values, CoveragePoints& points) {
  if (std::set<int32_t>(values.begin(), values.end()).size() == 256) {
    points.add("inputs", "all 256 values");
  }
}

void measure_quantize(const MeasuredGraph& measured, CoveragePoints& points) {
  for (const Operator& op : measured.graph().operators) {
    if (!std::holds_alternative<graph::QuantizeAttributes>(op.attributes)) {
      continue;
    }
    const Tensor& input = measured.tensor(op.inputs[0]);
    const Tensor& output = measured.tensor(op.outputs[0]);
    RoundingWatch watch(output);
    if (input.type == DataType::kFloat32) {
      for (const float value : measured.real_values(op.inputs[0])) {
        watch.see(double{value}, double{scale_of(output)});
        if (value == 0.0f && std::signbit(value)) points.add("inputs", "-0.0");
        if (std::fpclassify(value) == FP_SUBNORMAL) points.add("inputs", "subnormal");
      }
    } else {
      const std::vector<int32_t> values = measured.values(op.inputs[0]);
      measure_all_values(values, points);
      for (const int32_t value : values) {
        watch.see((value - zero_point_of(input)) * double{scale_of(input)},
                  double{scale_of(output)});
      }
      if (scale_of(input) == scale_of(output)) points.add("scales", "alike");
      if (scale_of(input) < scale_of(output)) points.add("scales", "coarser");
      if (scale_of(input) > scale_of(output)) points.add("scales", "finer");
    }
    watch.report(points);
  }
}

void measure_dequantize(const MeasuredGraph& measured, CoveragePoints& points) {
  for (const Operator& op : measured.graph().operators) {
    if (std::holds_alternative<graph::DequantizeAttributes>(op.attributes)) {
      measure_all_values(measured.values(op.inputs[0]), points);
    }
  }
}

Result<std::vector<Case>> generate_quantize(const GeneratorOptions& options) {
  CaseCollector cases("quantize", measure_quantize);
  add_requantizations(cases);
  add_channel_tails(cases);
  add_real_inputs(cases);
  add_random_cases(cases, options, RandomOperator::kRequantize);
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_quantize_coverage() {
  return {
      {"type",
       {"int8", "uint8", "int8 to uint8", "uint8 to int8", "float32 to int8", "float32 to uint8"}},
      {"rank", {"1", "3", "4"}},
      {"channels", tail_names()},
      {"input zero_point", {"lowest", "middle", "highest", "other"}},
      {"output zero_point", {"lowest", "middle", "highest", "other"}},
      {"inputs", {"all 256 values", "-0.0", "subnormal"}},
      {"scales", {"alike", "coarser", "finer"}},
      {"tie", {"positive", "negative"}},
      {"saturation", {"lowest", "highest"}}};
}

Result<std::vector<Case>> generate_dequantize(const GeneratorOptions& options) {
  CaseCollector cases("dequantize", measure_dequantize);
  add_dequantizations(cases);
  add_random_cases(cases, options, RandomOperator::kQuantizeDequantize);
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_dequantize_coverage() {
  return {{"type", {"int8 to float32", "uint8 to float32"}},
          {"rank", {"1", "2", "3", "4"}},
          {"input zero_point", {"lowest", "middle", "highest", "other"}},
          {"inputs", {"all 256 values"}}};
}

}  // namespace

Generator quantize_family() {
  return {.family = "quantize",
          .description = "QUANTIZE: all 256 values between types and scales, ties of float32",
          .generate = generate_quantize,
          .required_coverage = required_quantize_coverage};
}

Generator dequantize_family() {
  return {.family = "dequantize",
          .description = "DEQUANTIZE: all 256 values of both types",
          .generate = generate_dequantize,
          .required_coverage = required_dequantize_coverage};
}

}  // namespace lockstep::conformance
