#include "conformance/testing/simple_cases.h"

#include <utility>
#include <vector>

#include "graph/graph_builder.h"

namespace lockstep::conformance::testing {
namespace {

using graph::DataType;
using graph::GraphBuilder;
using graph::per_tensor;

std::vector<std::byte> counting_bytes(size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(29 * i + 3);
  return bytes;
}

int32_t add_convolution(GraphBuilder& builder) {
  const int32_t input = builder.input("x", DataType::kInt8, {1, 3, 3, 2}, per_tensor(0.5f, -1));
  const std::vector<int8_t> values = {1,   -2, 3,   -4, 5, -6, 7, -8, 9, 10, -11, 12,
                                      -13, 14, -15, 16, 2, 3,  5, 7,  9, 11, 1,   0};
  const int32_t weights = builder.constant<int8_t>("w", {3, 2, 2, 2}, values, per_tensor(0.25f, 0));
  const int32_t bias = builder.constant<int32_t>("b", {3}, {100, -50, 7}, per_tensor(0.125f));
  return builder.conv_2d(input, weights, bias, per_tensor(2.0f, 3));
}

Case finish_case(const std::string& name, const GraphBuilder& builder, int32_t output,
                 size_t input_bytes) {
  Case result;
  result.name = name;
  result.family = name.substr(0, name.find('/'));
  result.graph = builder.build({output}).value();
  result.inputs = {counting_bytes(input_bytes)};
  return result;
}

}  // namespace

Case convolution_case(const std::string& name) {
  GraphBuilder builder(name);
  const int32_t output = add_convolution(builder);
  return finish_case(name, builder, output, 18);
}

Case relu_case(const std::string& name) {
  GraphBuilder builder(name);
  const int32_t input = builder.input("x", DataType::kInt8, {1, 8}, per_tensor(0.5f, -1));
  const int32_t output = builder.unary(graph::UnaryKind::kRelu, input, per_tensor(0.5f, -1));
  return finish_case(name, builder, output, 8);
}

Case network_case(const std::string& name) {
  GraphBuilder builder(name);
  const int32_t features = add_convolution(builder);
  const int32_t shares = builder.softmax(features, per_tensor(1.0f / 256.0f, -128));
  const int32_t output =
      builder.unary(graph::UnaryKind::kRelu, shares, per_tensor(1.0f / 256.0f, -128));
  return finish_case(name, builder, output, 18);
}

}  // namespace lockstep::conformance::testing
