#include <fmt/format.h>

#include <array>
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
using graph::Quantization;
using graph::Shape;
using graph::Tensor;

using Amounts = std::vector<int32_t>;

// --- Generation --------------------------------------------------------------------------------

void add_pad(CaseCollector& cases, std::string_view what, DataType type, const Shape& shape,
             const Amounts& amounts, int32_t zero_point, bool is_quick = false) {
  GraphBuilder builder;
  const int32_t input =
      builder.input("x", type, shape, signed_quantization(type, 0.1f, zero_point));
  const Result<graph::Graph> graph = builder.build({builder.pad(input, amounts)});
  const std::string name = fmt::format("{} {}", what, graph::data_type_name(type));
  std::vector<Bytes> inputs = {every_byte(element_count_of(shape))};
  if (is_quick) {
    cases.add_quick(name, graph, std::move(inputs));
  } else {
    cases.add(name, graph, std::move(inputs));
  }
}

// PADV2, whose constant is a value like the others: the same padding with each of `values`.
void add_pad_with(CaseCollector& cases, std::string_view what, DataType type, const Shape& shape,
                  const Amounts& amounts, const std::vector<int32_t>& values) {
  GraphBuilder builder;
  const Quantization both = signed_quantization(type, 0.1f, -17);
  const int32_t input = builder.input("x", type, shape, both);
  std::vector<int32_t> results;
  for (const int32_t value : values) {
    const int32_t constant = builder.constant_bytes(fmt::format("value{}", results.size()), type,
                                                    {1}, stored_bytes(type, {value}), both);
    results.push_back(builder.pad_with(input, amounts, constant));
  }
  cases.add(fmt::format("{} with values {}", what, graph::data_type_name(type)),
            builder.build(results), {every_byte(element_count_of(shape))});
}

void add_dimensions(CaseCollector& cases) {
  for (const Shape& shape : {Shape{7}, Shape{3, 5}, Shape{2, 3, 5}, Shape{2, 3, 4, 5}}) {
    for (size_t dimension = 0; dimension < shape.size(); ++dimension) {
      const DataType type = k8BitTypes[dimension % 2];
      GraphBuilder builder;
      const int32_t input = builder.input("x", type, shape, signed_quantization(type, 0.1f, 23));
      Amounts before(2 * shape.size(), 0);
      Amounts after = before;
      before[2 * dimension] = 2;
      after[2 * dimension + 1] = 3;
      cases.add(fmt::format("rank {} dimension {} {}", shape.size(), dimension,
                            graph::data_type_name(type)),
                builder.build({builder.pad(input, before), builder.pad(input, after)}),
                {every_byte(element_count_of(shape))});
    }
  }
}

void add_amounts(CaseCollector& cases) {
  const DataType type = DataType::kInt8;
  const Shape image = {2, 3, 4, 5};
  add_pad(cases, "image on every side", type, image, {0, 0, 1, 2, 3, 4, 0, 0}, -128, true);
  add_pad(cases, "every dimension on every side", type, image, {1, 2, 1, 2, 3, 4, 2, 1}, 127, true);
  add_pad(cases, "nothing", type, image, Amounts(8, 0), 0);
  add_pad(cases, "more than the image", type, image, {0, 0, 9, 11, 13, 0, 0, 0}, 0);
  add_pad(cases, "one pixel", DataType::kUint8, {1, 1, 1, 3}, {0, 0, 3, 3, 3, 3, 0, 0}, 5);
  add_pad(cases, "five dimensions", type, {2, 1, 3, 2, 5}, {0, 0, 0, 0, 1, 1, 1, 0, 0, 0}, 5);
}

void add_values(CaseCollector& cases) {
  const Shape image = {1, 3, 4, 5};
  const Amounts around = {0, 0, 1, 2, 3, 1, 0, 0};
  const Amounts channels = {0, 0, 0, 0, 0, 0, 2, 9};
  for (const DataType type : k8BitTypes) {
    add_pad_with(cases, "image", type, image, around, {-128, 0, 127});
  }
  add_pad_with(cases, "channels", DataType::kInt8, image, channels, {-128, 0, 127, 77});
  add_pad_with(cases, "batch", DataType::kInt8, image, {1, 1, 0, 0, 0, 0, 0, 0}, {77});
  add_pad_with(cases, "vector", DataType::kInt8, {9}, {4, 5}, {77});
}

// Around each image, and up to a tail from less than one.
void add_channel_tails(CaseCollector& cases) {
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const int32_t channels : kChannelTails) {
    const Shape shape = {1, 3, 2, channels};
    const int32_t input = builder.input(fmt::format("x{}", channels), DataType::kInt8, shape,
                                        signed_quantization(DataType::kInt8, 0.1f, -5));
    results.push_back(builder.pad(input, {0, 0, 1, 1, 1, 1, 0, 0}));
    results.push_back(builder.pad(input, {0, 0, 0, 0, 0, 0, 1, 2}));
    inputs.push_back(every_byte(element_count_of(shape)));
  }
  cases.add("channel tails", builder.build(results), std::move(inputs));
}

// Engines copy bytes whatever they mean; real zero is the output's.
void add_other_quantization(CaseCollector& cases) {
  for (const DataType type : k8BitTypes) {
    GraphBuilder builder;
    const int32_t input = builder.input("x", type, {4, 5}, signed_quantization(type, 0.1f, -17));
    const int32_t amounts = builder.constant<int32_t>("amounts", {2, 2}, {1, 0, 2, 1});
    const int32_t result = builder.apply(graph::PadAttributes{}, {input, amounts}, type,
                                         signed_quantization(type, 0.2f, 33));
    cases.add(fmt::format("between zero points {}", graph::data_type_name(type)),
              builder.build({result}), {every_byte(20)});
  }
}

void add_wide_amounts(CaseCollector& cases) {
  const DataType type = DataType::kInt8;
  GraphBuilder builder;
  const int32_t input =
      builder.input("x", type, {1, 3, 4, 5}, signed_quantization(type, 0.1f, -17));
  const int32_t amounts = builder.constant<int64_t>("amounts", {4, 2}, {0, 0, 1, 0, 2, 1, 0, 0});
  const int32_t result = builder.apply(graph::PadAttributes{}, {input, amounts}, type,
                                       signed_quantization(type, 0.1f, -17));
  cases.add("int64 amounts", builder.build({result}), {every_byte(60)},
            {{"engine", "reads int64 amounts as int32"}});
}

// --- Measurement -------------------------------------------------------------------------------

void measure_pad(const MeasuredGraph& measured, CoveragePoints& points) {
  for (const Operator& op : measured.graph().operators) {
    if (!std::holds_alternative<graph::PadAttributes>(op.attributes)) {
      continue;
    }
    const Tensor& input = measured.tensor(op.inputs[0]);
    const Tensor& output = measured.tensor(op.outputs[0]);
    const Tensor& operand = measured.tensor(op.inputs[1]);
    const std::vector<int32_t> narrow = graph::constant_values<int32_t>(operand);
    std::vector<int64_t> amounts = graph::constant_values<int64_t>(operand);
    if (amounts.empty()) {
      amounts.assign(narrow.begin(), narrow.end());
    } else {
      points.add("amounts", "int64");
    }
    size_t padded_dimensions = 0;
    for (size_t i = 0; i < input.shape.size(); ++i) {
      if (amounts[2 * i] > 0) {
        points.add("padded", fmt::format("before dimension {} of {}", i, input.shape.size()));
      }
      if (amounts[2 * i + 1] > 0) {
        points.add("padded", fmt::format("after dimension {} of {}", i, input.shape.size()));
      }
      padded_dimensions += input.shape[i] != output.shape[i] ? 1 : 0;
      if (amounts[2 * i] > input.shape[i]) points.add("amounts", "more than the extent");
    }
    points.add("padded", fmt::format("{} dimensions", padded_dimensions));
    if (op.inputs.size() > 2) {
      const int32_t value = measured.values(op.inputs[2])[0];
      const int32_t lowest = input.type == DataType::kUint8 ? 0 : -128;
      points.add("value", value == lowest         ? "lowest"
                          : value == lowest + 128 ? "middle"
                          : value == lowest + 255 ? "highest"
                                                  : "other");
    } else {
      points.add("value", "zero point");
    }
    if (zero_point_of(input) != zero_point_of(output)) {
      points.add("quantization", "differs");
    }
  }
}

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  CaseCollector cases("pad", measure_pad);
  add_dimensions(cases);
  add_amounts(cases);
  add_values(cases);
  add_channel_tails(cases);
  add_other_quantization(cases);
  add_wide_amounts(cases);
  add_random_cases(cases, options, RandomOperator::kPad);
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_coverage() {
  RequiredCoverage padded{"padded",
                          {"0 dimensions", "1 dimensions", "2 dimensions", "4 dimensions"}};
  for (int32_t rank = 1; rank <= 4; ++rank) {
    for (int32_t dimension = 0; dimension < rank; ++dimension) {
      padded.values.push_back(fmt::format("before dimension {} of {}", dimension, rank));
      padded.values.push_back(fmt::format("after dimension {} of {}", dimension, rank));
    }
  }
  return {{"operator", {"PAD", "PADV2"}},
          {"type", {"int8", "uint8"}},
          {"rank", {"1", "2", "3", "4", "5"}},
          {"batch", {"1", "more"}},
          {"channels", tail_names()},
          {"output zero_point", {"lowest", "middle", "highest", "other"}},
          std::move(padded),
          {"amounts", {"int64", "more than the extent"}},
          {"value", {"zero point", "lowest", "middle", "highest", "other"}},
          {"quantization", {"differs"}}};
}

}  // namespace

Generator pad_family() {
  return {.family = "pad",
          .description = "PAD and PADV2: every dimension on either side, values at both ends",
          .generate = generate,
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
