// Float networks as object trees, made operator by operator, for tests:
//
//   FloatNetworkBuilder builder;
//   const int32_t input = builder.input("x", {1, 8, 8, 3});
//   const int32_t output = builder.apply(BuiltinOperator::SOFTMAX, SoftmaxOptionsT{}, {input}, {1,
//   8, 8, 3}); schema::ModelT model = builder.build({output});
//
// Nothing is checked or inferred: a test may make any mistake.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "graph/tensor.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization::testing {

class FloatNetworkBuilder {
 public:
  FloatNetworkBuilder();

  // A graph input; each returns the index of its tensor.
  int32_t input(std::string name, graph::Shape shape);
  int32_t constant(std::string name, graph::Shape shape, const std::vector<float>& values);
  int32_t integers(std::string name, graph::Shape shape, const std::vector<int32_t>& values);
  int32_t truths(std::string name, graph::Shape shape, const std::vector<uint8_t>& values);
  int32_t activation(std::string name, schema::TensorType type, graph::Shape shape);

  // Operator with one float32 output, which is named for it: "CONV_2D 3" makes tensor 3.
  template <typename Options>
  int32_t apply(schema::BuiltinOperator code, Options options, std::vector<int32_t> inputs,
                graph::Shape output_shape) {
    const int32_t output = operator_output(code, std::move(output_shape));
    add_operator(code, std::move(options), std::move(inputs), {output});
    return output;
  }
  int32_t apply(schema::BuiltinOperator code, std::vector<int32_t> inputs,
                graph::Shape output_shape);

  // Operator that makes tensors that are already there.
  template <typename Options>
  void add_operator(schema::BuiltinOperator code, Options options, std::vector<int32_t> inputs,
                    std::vector<int32_t> outputs) {
    schema::BuiltinOptionsUnion builtin_options;
    builtin_options.Set(std::move(options));
    add_operator_with(code, std::move(builtin_options), std::move(inputs), std::move(outputs));
  }

  // The builder is empty afterwards.
  schema::ModelT build(std::vector<int32_t> outputs);

 private:
  int32_t operator_output(schema::BuiltinOperator code, graph::Shape shape);
  void add_operator_with(schema::BuiltinOperator code, schema::BuiltinOptionsUnion options,
                         std::vector<int32_t> inputs, std::vector<int32_t> outputs);
  template <typename T>
  int32_t constant_of(std::string name, schema::TensorType type, graph::Shape shape,
                      const std::vector<T>& values);
  schema::SubGraphT& subgraph() { return *model_.subgraphs.front(); }

  schema::ModelT model_;
};

// Values between `minimum` and `maximum` that look like dice and are always the same.
std::vector<float> scattered_values(size_t count, float minimum, float maximum, uint32_t seed = 1);

}  // namespace lockstep::quantization::testing
