#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <variant>

#include "conformance/generators/case_collector.h"
#include "conformance/generators/families.h"
#include "conformance/generators/operand_contents.h"
#include "conformance/generators/random_cases.h"

namespace lockstep::conformance {
namespace {

using graph::ConcatenationAttributes;
using graph::DataType;
using graph::GraphBuilder;
using graph::Operator;
using graph::Quantization;
using graph::Shape;
using graph::Tensor;

constexpr const char* kRefusesRequantization =
    "refuses int8 inputs quantized otherwise than the output";

// --- Generation --------------------------------------------------------------------------------

// Joins tensors of `base` with these extents along `axis`, all quantized alike.
void add_concatenation(CaseCollector& cases, std::string_view what, DataType type,
                       const Shape& base, int32_t axis, const std::vector<int32_t>& extents,
                       int32_t zero_point, bool is_quick = false) {
  GraphBuilder builder;
  const Quantization both = signed_quantization(type, 0.1f, zero_point);
  std::vector<int32_t> parts;
  std::vector<Bytes> inputs;
  for (const int32_t extent : extents) {
    Shape shape = base;
    shape[static_cast<size_t>(axis < 0 ? axis + static_cast<int32_t>(base.size()) : axis)] = extent;
    parts.push_back(builder.input(fmt::format("x{}", parts.size()), type, shape, both));
    inputs.push_back(
        every_byte(element_count_of(shape), 41 + 2 * static_cast<uint32_t>(parts.size())));
  }
  const Result<graph::Graph> graph = builder.build({builder.concatenation(parts, axis, both)});
  const std::string name = fmt::format("{} {}", what, graph::data_type_name(type));
  if (is_quick) {
    cases.add_quick(name, graph, std::move(inputs));
  } else {
    cases.add(name, graph, std::move(inputs));
  }
}

void add_axes(CaseCollector& cases) {
  for (const Shape& base :
       {Shape{6}, Shape{3, 5}, Shape{2, 3, 5}, Shape{2, 3, 4, 5}, Shape{2, 1, 3, 2, 3}}) {
    const auto rank = static_cast<int32_t>(base.size());
    for (int32_t axis = 0; axis < rank; ++axis) {
      // Every second one counts from the end, which is the same axis.
      const int32_t written = axis % 2 == 0 ? axis : axis - rank;
      add_concatenation(cases, fmt::format("rank {} axis {}", rank, written),
                        axis % 3 == 2 ? DataType::kUint8 : DataType::kInt8, base, written,
                        {1, 4, 3}, 7, rank == 4 && axis % 2 == 1);
    }
  }
}

void add_counts(CaseCollector& cases) {
  const std::vector<int32_t> extents = {5, 1, 16, 3, 33, 4};
  for (size_t count = 1; count <= extents.size(); ++count) {
    const auto end = extents.begin() + static_cast<std::ptrdiff_t>(count);
    add_concatenation(cases, fmt::format("of {} along channels", count), DataType::kInt8,
                      {1, 3, 3, 1}, 3, {extents.begin(), end}, -128, count == 6);
  }
  add_concatenation(cases, "of 2 along rows", DataType::kUint8, {1, 1, 3, 17}, 1, {5, 1}, 127);
  add_concatenation(cases, "of 6 along rows", DataType::kUint8, {1, 1, 3, 17}, 1, extents, 127);
}

// Each tail beside itself and beside one channel, before and behind it.
void add_channel_tails(CaseCollector& cases) {
  const DataType type = DataType::kInt8;
  const Quantization both = signed_quantization(type, 0.1f, 0);
  GraphBuilder builder;
  const int32_t one = builder.input("one", type, {2, 2, 3, 1}, both);
  std::vector<int32_t> results;
  std::vector<Bytes> inputs = {every_byte(12)};
  for (const int32_t channels : kChannelTails) {
    const Shape shape = {2, 2, 3, channels};
    const int32_t tail = builder.input(fmt::format("x{}", channels), type, shape, both);
    results.push_back(builder.concatenation({one, tail, one, tail}, -1, both));
    results.push_back(builder.concatenation({tail, tail}, 1, both));
    inputs.push_back(every_byte(element_count_of(shape), 41));
  }
  cases.add("channel tails", builder.build(results), std::move(inputs));
}

struct Requantization {
  std::string_view name;
  float input_scale;
  float output_scale;
  int32_t input_zero_point;  // signed domain
  int32_t output_zero_point;
};

// Among them scales whose product with the inverse rounds otherwise than their quotient.
constexpr std::array kRequantizations = {
    Requantization{"finer", 0.04f, 0.1f, 90, -17},
    Requantization{"coarser", 0.3f, 0.1f, -128, 127},
    Requantization{"halves", 0.5f, 1.0f, 0, 0},
    Requantization{"three halves", 1.5f, 1.0f, 127, -128},
    Requantization{"other zero point", 0.1f, 0.1f, 5, -5},
    Requantization{"inverse one", 0.517470002f, 0.550499976f, -106, -17},
    Requantization{"inverse two", 0.426549971f, 0.640929997f, 63, -17},
    Requantization{"inverse three", 0.297699988f, 0.363999993f, -32, -17}};

void add_requantizations(CaseCollector& cases) {
  const Shape shape = {1, 2, 8, 16};
  for (const DataType type : k8BitTypes) {
    GraphBuilder builder;
    std::vector<int32_t> results;
    std::vector<Bytes> inputs;
    for (const Requantization& scales : kRequantizations) {
      const Quantization output =
          signed_quantization(type, scales.output_scale, scales.output_zero_point);
      const int32_t alike =
          builder.input(fmt::format("like the output {}", scales.name), type, shape, output);
      const int32_t other =
          builder.input(std::string(scales.name), type, shape,
                        signed_quantization(type, scales.input_scale, scales.input_zero_point));
      results.push_back(builder.concatenation({alike, other, alike}, 3, output));
      inputs.push_back(every_byte(256));
      inputs.push_back(counting_bytes(256));
    }
    std::vector<CoveragePoint> said;
    if (type == DataType::kInt8) {
      said.push_back({"engine", kRefusesRequantization});
    }
    cases.add_quick(fmt::format("requantized inputs {}", graph::data_type_name(type)),
                    builder.build(results), std::move(inputs), said);
  }
}

void add_operand_kinds(CaseCollector& cases) {
  const DataType type = DataType::kInt8;
  const Quantization both = signed_quantization(type, 0.1f, 3);
  const Shape shape = {1, 4, 4, 6};
  {
    GraphBuilder builder;
    const int32_t input = builder.input("x", type, shape, both);
    cases.add("same tensor four times",
              builder.build({builder.concatenation({input, input, input, input}, 3, both)}),
              {every_byte(element_count_of(shape))});
  }
  GraphBuilder builder;
  const int32_t input = builder.input("x", type, shape, both);
  const int32_t constant = builder.constant_bytes("constant", type, shape,
                                                  every_byte(element_count_of(shape), 59), both);
  cases.add("with a constant",
            builder.build({builder.concatenation({constant, input, constant}, 2, both)}),
            {every_byte(element_count_of(shape))});
}

// --- Measurement -------------------------------------------------------------------------------

void measure_part(const MeasuredGraph& measured, int32_t part, const Tensor& output,
                  CoveragePoints& points) {
  const Tensor& input = measured.tensor(part);
  if (input.is_constant()) points.add("inputs", "constant");
  if (scale_of(input) == scale_of(output) && zero_point_of(input) == zero_point_of(output)) {
    points.add("quantization", "alike");
    return;
  }
  points.add("quantization", "differs");
  const std::vector<int32_t> values = measured.values(part);
  if (std::set<int32_t>(values.begin(), values.end()).size() == 256) {
    points.add("requantized", "all 256 values");
  }
  RoundingWatch watch(output);
  for (const int32_t value : values) {
    watch.see((value - zero_point_of(input)) * double{scale_of(input)}, double{scale_of(output)});
  }
  watch.report(points);
}

void measure_concatenation(const MeasuredGraph& measured, CoveragePoints& points) {
  for (const Operator& op : measured.graph().operators) {
    const auto* attributes = std::get_if<ConcatenationAttributes>(&op.attributes);
    if (attributes == nullptr) {
      continue;
    }
    const Tensor& output = measured.tensor(op.outputs[0]);
    const auto rank = static_cast<int32_t>(output.shape.size());
    const int32_t axis = attributes->axis < 0 ? attributes->axis + rank : attributes->axis;
    points.add("axis", fmt::format("{} of rank {}", axis, rank));
    if (attributes->axis < 0) points.add("axis", "negative");
    points.add("inputs", std::to_string(op.inputs.size()));
    if (std::set<int32_t>(op.inputs.begin(), op.inputs.end()).size() < op.inputs.size()) {
      points.add("inputs", "same tensor twice");
    }
    for (const int32_t part : op.inputs) {
      measure_part(measured, part, output, points);
      if (axis == rank - 1) {
        points.add("joined channels", std::to_string(measured.tensor(part).shape.back()));
      }
    }
  }
}

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  CaseCollector cases("concatenation", measure_concatenation);
  add_axes(cases);
  add_counts(cases);
  add_channel_tails(cases);
  add_requantizations(cases);
  add_operand_kinds(cases);
  add_random_cases(cases, options, RandomOperator::kConcatenation);
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_coverage() {
  RequiredCoverage axes{"axis", {"negative"}};
  for (int32_t rank = 1; rank <= 5; ++rank) {
    for (int32_t axis = 0; axis < rank; ++axis) {
      axes.values.push_back(fmt::format("{} of rank {}", axis, rank));
    }
  }
  return {{"type", {"int8", "uint8"}},
          {"batch", {"1", "more"}},
          {"channels", tail_names()},
          {"joined channels", tail_names()},
          {"input zero_point", {"lowest", "middle", "highest", "other"}},
          {"output zero_point", {"lowest", "middle", "highest", "other"}},
          std::move(axes),
          {"inputs", {"1", "2", "3", "4", "5", "6", "same tensor twice", "constant"}},
          {"quantization", {"alike", "differs"}},
          {"requantized", {"all 256 values"}},
          {"tie", {"positive", "negative"}},
          {"saturation", {"lowest", "highest"}},
          {"engine", {kRefusesRequantization}}};
}

}  // namespace

Generator concatenation_family() {
  return {.family = "concatenation",
          .description = "CONCATENATION: every axis, one to six inputs, requantized inputs",
          .generate = generate,
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
