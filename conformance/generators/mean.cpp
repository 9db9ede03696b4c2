#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
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
using graph::MeanAttributes;
using graph::Operator;
using graph::Shape;
using graph::Tensor;

// --- Generation --------------------------------------------------------------------------------

struct MeanScales {
  const char* name;
  float input;
  float output;
  int32_t input_zero_point;  // signed domain
  int32_t output_zero_point;
};

// XNNPACK takes input / output in [2^-8, 2^8).
constexpr std::array kScales = {
    MeanScales{"quantized alike", 0.02f, 0.02f, 3, 3},
    MeanScales{"other zero point", 0.02f, 0.02f, -7, 8},
    MeanScales{"halves", 0.5f, 1.0f, 0, -128},
    MeanScales{"ordinary", 0.02f, 0.013f, -128, -128},
    MeanScales{"coarser", 0.02f, 0.05f, 127, -77},
    MeanScales{"highest zero points", 0.02f, 0.03f, -27, 127},
    MeanScales{"smallest ratio of XNNPACK's range", 0.00390625f, 1.0f, -100, 0},
    MeanScales{"below XNNPACK's range", 0.02f, 9.0f, -100, 8},
    MeanScales{"above XNNPACK's range", 0.02f, 0.00005f, -7, 8}};

// Whether one MEAN keeps its dimensions, or two do and do not.
enum class KeptDimensions : uint8_t { kYes, kNo, kBoth };

std::string axes_name(const std::vector<int32_t>& axes) {
  return fmt::format("axes {}", fmt::join(axes, ","));
}

void add_mean(CaseCollector& cases, std::string_view what, DataType type, const Shape& shape,
              const std::vector<int32_t>& axes, KeptDimensions kept, const MeanScales& scales,
              Bytes contents, bool is_quick = false) {
  GraphBuilder builder;
  const int32_t input = builder.input(
      "x", type, shape, signed_quantization(type, scales.input, scales.input_zero_point));
  std::vector<int32_t> results;
  for (const bool keep_dims : {true, false}) {
    if (kept == KeptDimensions::kBoth || keep_dims == (kept == KeptDimensions::kYes)) {
      results.push_back(
          builder.mean(input, axes, keep_dims,
                       signed_quantization(type, scales.output, scales.output_zero_point)));
    }
  }
  const Result<graph::Graph> graph = builder.build(results);
  const std::string name = fmt::format("{} {}", what, graph::data_type_name(type));
  if (is_quick) {
    cases.add_quick(name, graph, {std::move(contents)});
  } else {
    cases.add(name, graph, {std::move(contents)});
  }
}

// Every set of axes of every rank.
void add_axis_sets(CaseCollector& cases) {
  const std::vector<Shape> shapes = {{256}, {6, 16}, {3, 4, 10}, {2, 3, 4, 5}};
  for (const Shape& shape : shapes) {
    const uint32_t sets = 1u << shape.size();
    for (uint32_t set = 1; set < sets; ++set) {
      std::vector<int32_t> axes;
      for (size_t axis = 0; axis < shape.size(); ++axis) {
        if ((set >> axis & 1u) != 0) {
          axes.push_back(static_cast<int32_t>(axis));
        }
      }
      // Whether dimensions are kept, and the quantization, take turns.
      const KeptDimensions kept = set % 2 == 0 ? KeptDimensions::kYes : KeptDimensions::kNo;
      const MeanScales& scales = kScales[set % 4];
      add_mean(cases, fmt::format("rank {} {}", shape.size(), axes_name(axes)), DataType::kInt8,
               shape, axes, kept, scales, every_byte(element_count_of(shape)));
    }
  }
  // A dimension of one element between reduced ones does not part them; axes may count from the
  // end, and come in any order.
  const Shape image = {2, 3, 4, 5};
  const Bytes contents = every_byte(element_count_of(image));
  add_mean(cases, "axes 1,3 around a dimension of 1", DataType::kInt8, {2, 3, 1, 5}, {1, 3},
           KeptDimensions::kYes, kScales[1], every_byte(30));
  add_mean(cases, axes_name({2, 1}), DataType::kInt8, image, {2, 1}, KeptDimensions::kYes,
           kScales[1], contents);
  add_mean(cases, axes_name({-3, -2}), DataType::kInt8, image, {-3, -2}, KeptDimensions::kYes,
           kScales[1], contents);
  add_mean(cases, axes_name({-1}), DataType::kUint8, image, {-1}, KeptDimensions::kNo, kScales[1],
           contents);
}

// A base value for each channel, one more in every second column: the mean lies exactly half way
// between two integers, for bases of both signs.
Bytes half_way_images(DataType type, const Shape& shape) {
  std::vector<int32_t> values;
  for (int32_t pixel = 0; pixel < shape[0] * shape[1] * shape[2]; ++pixel) {
    for (int32_t c = 0; c < shape[3]; ++c) {
      values.push_back(-128 + c * 97 % 255 + pixel % 2);
    }
  }
  return stored_bytes(type, values);
}

// Every relation of scales through every formula.
void add_scales(CaseCollector& cases) {
  const Shape shape = {1, 4, 6, 64};
  for (const MeanScales& scales : kScales) {
    for (const DataType type : k8BitTypes) {
      const bool is_quick = type == DataType::kInt8 && &scales - kScales.data() < 3;
      add_mean(cases, fmt::format("image {}", scales.name), type, shape, {1, 2},
               KeptDimensions::kBoth, scales, half_way_images(type, shape), is_quick);
    }
  }
  for (const MeanScales& scales : {kScales[0], kScales[1], kScales[4]}) {
    for (const DataType type : k8BitTypes) {
      add_mean(cases, fmt::format("columns {}", scales.name), type, shape, {2}, KeptDimensions::kNo,
               scales, half_way_images(type, shape));
    }
  }
}

void add_extents(CaseCollector& cases) {
  GraphBuilder builder;
  std::vector<int32_t> results;
  std::vector<Bytes> inputs;
  for (const int32_t channels : kChannelTails) {
    const Shape shape = {2, 3, 4, channels};
    const int32_t input =
        builder.input(fmt::format("x{}", channels), DataType::kInt8, shape,
                      graph::per_tensor(kScales[1].input, kScales[1].input_zero_point));
    results.push_back(
        builder.mean(input, {1, 2}, channels % 2 == 0,
                     graph::per_tensor(kScales[1].output, kScales[1].output_zero_point)));
    inputs.push_back(every_byte(element_count_of(shape)));
  }
  cases.add("channel tails", builder.build(results), std::move(inputs));
  const Shape last = {1, 7, 7, 128};
  add_mean(cases, "image 7x7", DataType::kInt8, last, {1, 2}, KeptDimensions::kYes, kScales[3],
           every_byte(element_count_of(last)), true);
  const Shape large = {1, 48, 48, 8};
  for (const int32_t value : {-128, 127}) {
    add_mean(cases, fmt::format("large image all {}", value), DataType::kInt8, large, {1, 2},
             KeptDimensions::kYes, kScales[5],
             Bytes(element_count_of(large), stored_byte(DataType::kInt8, value)));
  }
  add_mean(cases, "image of one pixel", DataType::kInt8, {1, 1, 1, 256}, {1, 2},
           KeptDimensions::kYes, kScales[3], counting_bytes(256));
}

// --- Measurement -------------------------------------------------------------------------------

struct Reduction {
  std::vector<int32_t> axes;  // as the operator gives them
  std::vector<bool> is_reduced;
  int32_t count = 1;
};

Reduction reduction_of(const MeasuredGraph& measured, const Operator& op) {
  Reduction reduction;
  const Shape& shape = measured.tensor(op.inputs[0]).shape;
  reduction.axes = graph::constant_values<int32_t>(measured.tensor(op.inputs[1]));
  reduction.is_reduced.resize(shape.size(), false);
  for (const int32_t axis : reduction.axes) {
    const auto index =
        static_cast<size_t>(axis < 0 ? axis + static_cast<int32_t>(shape.size()) : axis);
    reduction.is_reduced[index] = true;
  }
  for (size_t i = 0; i < shape.size(); ++i) {
    reduction.count *= reduction.is_reduced[i] ? shape[i] : 1;
  }
  return reduction;
}

// The sum behind every output element.
std::vector<int32_t> sums_of(const Shape& shape, const Reduction& reduction,
                             const std::vector<int32_t>& values) {
  size_t outputs = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    outputs *= reduction.is_reduced[i] ? 1 : static_cast<size_t>(shape[i]);
  }
  std::vector<int32_t> sums(outputs, 0);
  for (size_t element = 0; element < values.size(); ++element) {
    size_t rest = element;
    size_t output = 0;
    size_t stride = 1;
    for (size_t i = shape.size(); i-- > 0;) {
      const size_t coordinate = rest % static_cast<size_t>(shape[i]);
      rest /= static_cast<size_t>(shape[i]);
      if (!reduction.is_reduced[i]) {
        output += coordinate * stride;
        stride *= static_cast<size_t>(shape[i]);
      }
    }
    sums[output] += values[element];
  }
  return sums;
}

bool is_quantized_alike(const Tensor& a, const Tensor& b) {
  return scale_of(a) == scale_of(b) && zero_point_of(a) == zero_point_of(b);
}

// Which of docs/numerics.md's formulae the builtin kernel computes, and whether XNNPACK has its
// own.
void measure_formula(const Tensor& input, const Tensor& output, const Reduction& reduction,
                     bool keep_dims, CoveragePoints& points) {
  const bool is_image = input.shape.size() == 4 && (reduction.axes == std::vector{1, 2} ||
                                                    reduction.axes == std::vector{2, 1});
  const float ratio = scale_of(input) / scale_of(output);
  if (is_image && keep_dims) {
    points.add("formula", fmt::format("image {}", graph::data_type_name(input.type)));
  } else if (is_quantized_alike(input, output)) {
    points.add("formula", "integer division");
  } else {
    points.add("formula", "float32");
  }
  if (is_image) {
    points.add("litert ratio", ratio < 1.0f / 256.0f ? "below"
                               : ratio >= 256.0f     ? "above"
                                                     : "inside");
  }
}

void measure_mean(const MeasuredGraph& measured, CoveragePoints& points) {
  for (const Operator& op : measured.graph().operators) {
    const auto* attributes = std::get_if<MeanAttributes>(&op.attributes);
    if (attributes == nullptr) {
      continue;
    }
    const Tensor& input = measured.tensor(op.inputs[0]);
    const Tensor& output = measured.tensor(op.outputs[0]);
    const Reduction reduction = reduction_of(measured, op);
    std::string reduced;
    for (size_t i = 0; i < input.shape.size(); ++i) {
      if (reduction.is_reduced[i]) reduced += std::to_string(i);
    }
    points.add("axes", fmt::format("{} of rank {}", reduced, input.shape.size()));
    points.add("keep_dims", attributes->keep_dims ? "yes" : "no");
    if (std::ranges::any_of(reduction.axes, [](int32_t axis) { return axis < 0; })) {
      points.add("axes", "negative");
    }
    if (!std::ranges::is_sorted(reduction.axes)) points.add("axes", "unsorted");
    measure_formula(input, output, reduction, attributes->keep_dims, points);
    const std::vector<int32_t> values = measured.values(op.inputs[0]);
    if (measured.values(op.outputs[0]).empty()) {
      points.add("lowering", "refuses axes that are not neighbours");
      continue;
    }
    RoundingWatch watch(output);
    for (const int32_t sum : sums_of(input.shape, reduction, values)) {
      const int64_t centered = sum - int64_t{reduction.count} * zero_point_of(input);
      watch.see(static_cast<double>(centered) * double{scale_of(input)},
                double{scale_of(output)} * reduction.count);
      if (is_quantized_alike(input, output) &&
          2 * (std::abs(sum) % reduction.count) == reduction.count) {
        points.add("truncated half", sum > 0 ? "positive" : "negative");
      }
    }
    watch.report(points);
  }
}

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  CaseCollector cases("mean", measure_mean);
  add_axis_sets(cases);
  add_scales(cases);
  add_extents(cases);
  add_random_cases(cases, options, RandomOperator::kMean);
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_coverage() {
  RequiredCoverage axes{"axes", {"negative", "unsorted"}};
  for (uint32_t rank = 1; rank <= 4; ++rank) {
    for (uint32_t set = 1; set < (1u << rank); ++set) {
      std::string reduced;
      for (uint32_t axis = 0; axis < rank; ++axis) {
        if ((set >> axis & 1u) != 0) reduced += std::to_string(axis);
      }
      axes.values.push_back(fmt::format("{} of rank {}", reduced, rank));
    }
  }
  return {{"type", {"int8", "uint8"}},
          {"batch", {"1", "more"}},
          {"channels", tail_names()},
          {"input zero_point", {"lowest", "highest", "middle", "other"}},
          {"output zero_point", {"lowest", "highest", "middle", "other"}},
          std::move(axes),
          {"keep_dims", {"yes", "no"}},
          {"formula", {"image int8", "image uint8", "integer division", "float32"}},
          {"litert ratio", {"below", "inside", "above"}},
          {"tie", {"positive", "negative"}},
          {"truncated half", {"positive", "negative"}},
          {"saturation", {"lowest", "highest"}},
          {"lowering", {"refuses axes that are not neighbours"}}};
}

}  // namespace

Generator mean_family() {
  return {.family = "mean",
          .description = "MEAN: every set of axes, every formula, ties and truncated halves",
          .generate = generate,
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
