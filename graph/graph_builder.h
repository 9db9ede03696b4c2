// Networks made operator by operator, for generated cases, tests and tools:
//
//   GraphBuilder builder("two layers");
//   const int32_t input = builder.input("x", DataType::kInt8, {1, 8, 8, 3}, per_tensor(0.5f, -1));
//   const int32_t weights = builder.constant<int8_t>("w", {4, 3, 3, 3}, values, per_tensor(0.25f));
//   const int32_t features = builder.conv_2d(input, weights, kAbsentTensor, per_tensor(0.1f, 3));
//   const int32_t result = builder.softmax(features, per_tensor(1.0f / 256.0f, -128));
//   const Result<Graph> graph = builder.build({result});
//
// Every operator returns the index of its output tensor, whose shape is inferred and whose type is
// its first input's. The first operator that cannot be built is remembered and told by build();
// until then its output is a scalar.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace lockstep::graph {

Quantization per_tensor(float scale, int32_t zero_point = 0);
// Zero points default to 0.
Quantization per_axis(std::vector<float> scales, int32_t axis,
                      std::vector<int32_t> zero_points = {});

class GraphBuilder {
 public:
  explicit GraphBuilder(std::string name = "test");

  // A graph input.
  int32_t input(std::string name, DataType type, Shape shape, Quantization quantization = {});

  // A constant of T's type; T is int8_t, uint8_t, int16_t, int32_t, int64_t or float.
  template <typename T>
  int32_t constant(std::string name, Shape shape, const std::vector<T>& values,
                   Quantization quantization = {}) {
    return constant_bytes(std::move(name), data_type_of<T>(), std::move(shape),
                          std::as_bytes(std::span(values)), std::move(quantization));
  }
  int32_t constant_bytes(std::string name, DataType type, Shape shape,
                         std::span<const std::byte> bytes, Quantization quantization = {});

  // A tensor that nothing fills yet, for tests that make operators or mistakes of their own.
  int32_t tensor(Tensor tensor);

  // Operators. `bias` may be kAbsentTensor.
  int32_t conv_2d(int32_t input, int32_t weights, int32_t bias, Quantization output,
                  Conv2dAttributes attributes = {});
  // depth_multiplier is taken from the shapes.
  int32_t depthwise_conv_2d(int32_t input, int32_t weights, int32_t bias, Quantization output,
                            DepthwiseConv2dAttributes attributes = {});
  int32_t fully_connected(int32_t input, int32_t weights, int32_t bias, Quantization output,
                          FullyConnectedAttributes attributes = {});
  int32_t add(int32_t left, int32_t right, Quantization output,
              Activation activation = Activation::kNone);
  int32_t mul(int32_t left, int32_t right, Quantization output,
              Activation activation = Activation::kNone);
  int32_t pool_2d(int32_t input, Pool2dAttributes attributes, Quantization output);
  int32_t mean(int32_t input, const std::vector<int32_t>& axes, bool keep_dims,
               Quantization output);
  // amounts: before and after, for each dimension. The output has the input's quantization.
  int32_t pad(int32_t input, const std::vector<int32_t>& amounts);
  // PADV2: `value` is a one-element constant.
  int32_t pad_with(int32_t input, const std::vector<int32_t>& amounts, int32_t value);
  int32_t concatenation(const std::vector<int32_t>& inputs, int32_t axis, Quantization output,
                        Activation activation = Activation::kNone);
  // The next six keep the input's quantization.
  int32_t reshape(int32_t input, const std::vector<int32_t>& new_shape);
  int32_t squeeze(int32_t input, const std::vector<int32_t>& axes);
  int32_t expand_dims(int32_t input, int32_t axis);
  int32_t resize(int32_t input, int32_t height, int32_t width, ResizeAttributes attributes);
  int32_t depth_to_space(int32_t input, int32_t block_size);
  int32_t space_to_depth(int32_t input, int32_t block_size);
  int32_t softmax(int32_t input, Quantization output, float beta = 1.0f);
  int32_t unary(UnaryKind kind, int32_t input, Quantization output, float alpha = 0.0f);
  // float32 -> `type`, or 8 bit -> 8 bit.
  int32_t quantize(int32_t input, DataType type, Quantization output);
  int32_t dequantize(int32_t input);

  // Any understood operator.
  int32_t apply(OperatorAttributes attributes, std::vector<int32_t> inputs, DataType output_type,
                Quantization output);
  // An operator that nobody understands; it says its own output shape.
  int32_t opaque(std::string name, std::vector<int32_t> inputs, DataType output_type,
                 Shape output_shape, Quantization output = {});

  const Tensor& tensor_at(int32_t index) const;

  // The graph with these outputs, validated; the first error otherwise. The builder may go on
  // afterwards.
  Result<Graph> build(std::vector<int32_t> outputs) const;
  // The graph as it stands, for tests that break it on purpose.
  Graph build_unchecked(std::vector<int32_t> outputs) const;

 private:
  int32_t finish_operator(Operator op, DataType output_type, Shape output_shape,
                          Quantization output);
  int32_t int32_operand(std::string_view role, Shape shape, const std::vector<int32_t>& values);

  Graph graph_;
  std::optional<Error> error_;  // of the first operator that could not be built
  std::shared_ptr<std::deque<std::vector<std::byte>>> constants_;  // a deque: spans stay valid
};

}  // namespace lockstep::graph
