#include <fmt/format.h>

#include <algorithm>
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

void add_softmax(CaseCollector& cases, std::string_view what, DataType type, const Shape& shape,
                 float scale, float beta, Bytes contents, bool is_quick = false) {
  GraphBuilder builder;
  const int32_t input = builder.input("x", type, shape, signed_quantization(type, scale, 12));
  const Result<graph::Graph> graph =
      builder.build({builder.softmax(input, signed_quantization(type, 1.0f / 256.0f, -128), beta)});
  const std::string name = fmt::format("{} {}", what, graph::data_type_name(type));
  if (is_quick) {
    cases.add_quick(name, graph, {std::move(contents)});
  } else {
    cases.add(name, graph, {std::move(contents)});
  }
}

// Rows in turn: all values alike (at the lowest, middle and highest), one value at the top and the
// rest at the bottom, two at the top, a step of one, a ramp.
Bytes row_kinds(DataType type, int32_t depth) {
  std::vector<int32_t> values;
  const auto row = [&](auto value_of) {
    for (int32_t i = 0; i < depth; ++i) values.push_back(value_of(i));
  };
  for (const int32_t level : {-128, 0, 127}) {
    row([&](int32_t) { return level; });
  }
  row([&](int32_t i) { return i == depth / 2 ? 127 : -128; });
  row([&](int32_t i) { return i == 0 || i == depth - 1 ? 127 : -128; });
  row([&](int32_t i) { return i == depth / 3 ? 1 : 0; });
  row([&](int32_t i) { return -128 + i % 256; });
  return stored_bytes(type, values);
}
constexpr int32_t kRowKinds = 7;

void add_rows(CaseCollector& cases) {
  for (const int32_t depth : {1, 2, 3, 4, 5, 10, 15, 16, 17, 31, 33, 256, 1001}) {
    const DataType type = k8BitTypes[depth % 4 == 2 ? 1 : 0];
    add_softmax(cases, fmt::format("depth {}", depth), type, {kRowKinds, depth}, 0.1f, 1.0f,
                row_kinds(type, depth), depth == 10);
  }
}

void add_scales(CaseCollector& cases) {
  size_t index = 0;
  for (const float beta : {1.0f, 0.5f, 2.0f}) {
    for (const float scale : {0.01f, 0.3f, 1.0f}) {
      const DataType type = k8BitTypes[index++ % 2];
      // 12 rows of 21: a row's maximum is mostly below the highest value.
      add_softmax(cases, fmt::format("scale {} beta {}", scale, beta), type, {12, 21}, scale, beta,
                  every_byte(12 * 21));
    }
  }
}

void add_ranks(CaseCollector& cases) {
  const DataType type = DataType::kInt8;
  add_softmax(cases, "vector", type, {100}, 0.05f, 1.0f, every_byte(100));
  add_softmax(cases, "rank 3", type, {3, 4, 9}, 0.05f, 1.0f, every_byte(108));
  add_softmax(cases, "rank 4", type, {2, 3, 4, 5}, 0.05f, 1.0f, every_byte(120), true);
  add_softmax(cases, "rank 4", DataType::kUint8, {1, 5, 5, 21}, 0.05f, 1.0f, every_byte(525));
}

// --- Measurement -------------------------------------------------------------------------------

void measure_row(const std::vector<int32_t>& input, const std::vector<int32_t>& output,
                 int32_t lowest, CoveragePoints& points) {
  const int32_t maximum = *std::ranges::max_element(input);
  const auto maxima = std::ranges::count(input, maximum);
  if (maxima == 1) points.add("maxima of a row", "one");
  if (maxima > 1) points.add("maxima of a row", "several");
  if (maxima > 1 && maxima == static_cast<std::ptrdiff_t>(input.size())) {
    points.add("maxima of a row", "all");
  }
  for (const int32_t value : output) {
    if (value == lowest) points.add("result", "lowest");
    if (value == lowest + 255) points.add("result", "highest");
  }
}

void measure_softmax(const MeasuredGraph& measured, CoveragePoints& points) {
  for (const Operator& op : measured.graph().operators) {
    const auto* attributes = std::get_if<graph::SoftmaxAttributes>(&op.attributes);
    if (attributes == nullptr) {
      continue;
    }
    points.add("beta", attributes->beta == 1.0f  ? "1"
                       : attributes->beta < 1.0f ? "below 1"
                                                 : "above 1");
    const Tensor& input = measured.tensor(op.inputs[0]);
    points.add("scale", scale_of(input) < 0.05f  ? "flat"
                        : scale_of(input) < 0.5f ? "ordinary"
                                                 : "steep");
    const std::vector<int32_t> values = measured.values(op.inputs[0]);
    const std::vector<int32_t> results = measured.values(op.outputs[0]);
    const auto depth = static_cast<std::ptrdiff_t>(input.shape.back());
    const int32_t lowest = input.type == DataType::kUint8 ? 0 : -128;
    for (std::ptrdiff_t start = 0; start < std::ssize(values); start += depth) {
      measure_row({values.begin() + start, values.begin() + start + depth},
                  {results.begin() + start, results.begin() + start + depth}, lowest, points);
    }
  }
}

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  CaseCollector cases("softmax", measure_softmax);
  add_rows(cases);
  add_scales(cases);
  add_ranks(cases);
  add_random_cases(cases, options, RandomOperator::kSoftmax);
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_coverage() {
  RequiredCoverage depths{"channels", tail_names()};
  depths.values.insert(depths.values.end(), {"2", "10", "256", "1001"});
  return {{"type", {"int8", "uint8"}},
          {"rank", {"1", "2", "3", "4"}},
          {"batch", {"1", "more"}},
          std::move(depths),
          {"beta", {"below 1", "1", "above 1"}},
          {"scale", {"flat", "ordinary", "steep"}},
          {"maxima of a row", {"one", "several", "all"}},
          {"result", {"lowest", "highest"}}};
}

}  // namespace

Generator softmax_family() {
  return {.family = "softmax",
          .description = "SOFTMAX: rows of every kind, depth, scale and beta",
          .generate = generate,
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
