#include "backend/testing/program_runs.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <span>

namespace lockstep::backend::testing {

std::vector<std::vector<std::byte>> run(Program& program, const graph::LoweredGraph& graph,
                                        const std::vector<std::vector<std::byte>>& inputs) {
  std::vector<std::vector<std::byte>> outputs;
  for (const int32_t output : graph.outputs) {
    const graph::LoweredTensor& tensor = graph.tensors[static_cast<size_t>(output)];
    outputs.emplace_back(static_cast<size_t>(graph::element_count(tensor.shape).value()) *
                         graph::data_type_size(tensor.type));
  }
  const std::vector<std::span<const std::byte>> input_spans(inputs.begin(), inputs.end());
  const std::vector<std::span<std::byte>> output_spans(outputs.begin(), outputs.end());
  const Status status = program.run(input_spans, output_spans);
  EXPECT_TRUE(status) << status.error().message;
  return outputs;
}

std::string first_difference(const graph::LoweredGraph& graph,
                             const std::vector<std::vector<std::byte>>& actual,
                             const std::vector<std::vector<std::byte>>& expected) {
  for (size_t output = 0; output < expected.size(); ++output) {
    const auto [a, e] = std::ranges::mismatch(actual[output], expected[output]);
    if (e != expected[output].end()) {
      const auto& tensor = graph.tensors[static_cast<size_t>(graph.outputs[output])];
      return fmt::format("tensor '{}' ({}) byte {}: {} instead of {}", tensor.name,
                         graph::shape_to_string(tensor.shape),
                         std::distance(expected[output].begin(), e), std::to_integer<int>(*a),
                         std::to_integer<int>(*e));
    }
  }
  return "";
}

}  // namespace lockstep::backend::testing
