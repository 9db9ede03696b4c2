#include "backend/cpu/testing/small_networks.h"

#include <gtest/gtest.h>

#include <random>
#include <span>
#include <stdexcept>

#include "backend/cpu/testing/operation_runs.h"
#include "backend/testing/random_networks.h"
#include "graph/lowering.h"
#include "graph/testing/graph_builder.h"
#include "host_ref/interpreter.h"

namespace lockstep::backend::cpu::testing {

using graph::DataType;
using graph::kAbsentTensor;
using graph::testing::per_tensor;

graph::LoweredGraph small_network(numerics::Contract contract) {
  graph::testing::GraphBuilder builder("small network");
  const auto weights = [&](const graph::Shape& shape) {
    return builder.constant<int8_t>(
        "weights", shape, random_values(graph::element_count(shape).value(), 2), per_tensor(0.01f));
  };
  const int32_t input = builder.input("x", DataType::kInt8, {1, 6, 6, 5}, per_tensor(0.1f, 3));
  const int32_t features =
      builder.conv_2d(input, weights({20, 3, 3, 5}), kAbsentTensor, per_tensor(0.05f, -7));
  const int32_t filtered = builder.depthwise_conv_2d(features, weights({1, 3, 3, 20}),
                                                     kAbsentTensor, per_tensor(0.02f, 5));
  const int32_t offsets =
      builder.constant<int8_t>("offsets", {20}, random_values(20, 3), per_tensor(0.03f, 1));
  const int32_t sum = builder.add(filtered, offsets, per_tensor(0.04f));
  const int32_t row = builder.reshape(sum, {1, 36 * 20});
  const int32_t classes =
      builder.fully_connected(row, weights({9, 36 * 20}), kAbsentTensor, per_tensor(0.2f));
  const int32_t shares = builder.softmax(classes, per_tensor(1.0f / 256.0f, -128));
  const int32_t floats = builder.dequantize(shares);
  const int32_t bytes = builder.quantize(floats, DataType::kInt8, per_tensor(0.0037f, -100));
  auto lowered = graph::lower(
      builder.build({features, filtered, sum, row, classes, shares, floats, bytes}), contract);
  if (!lowered) throw std::logic_error(lowered.error().message);
  return *std::move(lowered);
}

std::vector<Bytes> random_inputs(const graph::LoweredGraph& graph, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Bytes> inputs;
  for (const int32_t input : graph.inputs) {
    const graph::LoweredTensor& tensor = graph.tensors[static_cast<size_t>(input)];
    const auto count = static_cast<size_t>(graph::element_count(tensor.shape).value());
    inputs.push_back(backend::testing::random_contents(count * graph::data_type_size(tensor.type),
                                                       tensor.type, random));
  }
  return inputs;
}

std::vector<Bytes> reference_outputs(const graph::LoweredGraph& graph,
                                     const std::vector<Bytes>& inputs) {
  auto interpreter = host_ref::Interpreter::create(graph);
  if (!interpreter) throw std::logic_error(interpreter.error().message);
  for (size_t i = 0; i < inputs.size(); ++i) EXPECT_TRUE(interpreter->set_input(i, inputs[i]));
  EXPECT_TRUE(interpreter->run());
  std::vector<Bytes> outputs;
  for (const int32_t output : graph.outputs) {
    outputs.push_back(interpreter->tensor(output).value());
  }
  return outputs;
}

}  // namespace lockstep::backend::cpu::testing
