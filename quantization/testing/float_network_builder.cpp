#include "quantization/testing/float_network_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <span>

namespace lockstep::quantization::testing {

using schema::BuiltinOperator;
using schema::BuiltinOptionsUnion;
using schema::TensorType;

FloatNetworkBuilder::FloatNetworkBuilder() {
  model_.version = 3;
  model_.subgraphs.push_back(std::make_unique<schema::SubGraphT>());
  model_.buffers.push_back(std::make_unique<schema::BufferT>());  // by rule empty
}

int32_t FloatNetworkBuilder::activation(std::string name, TensorType type, graph::Shape shape) {
  auto tensor = std::make_unique<schema::TensorT>();
  tensor->name = std::move(name);
  tensor->type = type;
  tensor->shape = std::move(shape);
  subgraph().tensors.push_back(std::move(tensor));
  return static_cast<int32_t>(subgraph().tensors.size() - 1);
}

int32_t FloatNetworkBuilder::input(std::string name, graph::Shape shape) {
  const int32_t tensor = activation(std::move(name), TensorType::FLOAT32, std::move(shape));
  subgraph().inputs.push_back(tensor);
  return tensor;
}

template <typename T>
int32_t FloatNetworkBuilder::constant_of(std::string name, TensorType type, graph::Shape shape,
                                         const std::vector<T>& values) {
  const int32_t tensor = activation(std::move(name), type, std::move(shape));
  auto buffer = std::make_unique<schema::BufferT>();
  buffer->data.resize(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(buffer->data.data(), values.data(), buffer->data.size());
  subgraph().tensors.back()->buffer = static_cast<uint32_t>(model_.buffers.size());
  model_.buffers.push_back(std::move(buffer));
  return tensor;
}

int32_t FloatNetworkBuilder::constant(std::string name, graph::Shape shape,
                                      const std::vector<float>& values) {
  return constant_of(std::move(name), TensorType::FLOAT32, std::move(shape), values);
}

int32_t FloatNetworkBuilder::integers(std::string name, graph::Shape shape,
                                      const std::vector<int32_t>& values) {
  return constant_of(std::move(name), TensorType::INT32, std::move(shape), values);
}

int32_t FloatNetworkBuilder::truths(std::string name, graph::Shape shape,
                                    const std::vector<uint8_t>& values) {
  return constant_of(std::move(name), TensorType::BOOL, std::move(shape), values);
}

int32_t FloatNetworkBuilder::operator_output(BuiltinOperator code, graph::Shape shape) {
  return activation(
      fmt::format("{} {}", schema::EnumNameBuiltinOperator(code), subgraph().tensors.size()),
      TensorType::FLOAT32, std::move(shape));
}

int32_t FloatNetworkBuilder::apply(BuiltinOperator code, std::vector<int32_t> inputs,
                                   graph::Shape output_shape) {
  const int32_t output = operator_output(code, std::move(output_shape));
  add_operator_with(code, {}, std::move(inputs), {output});
  return output;
}

void FloatNetworkBuilder::add_operator_with(BuiltinOperator code, BuiltinOptionsUnion options,
                                            std::vector<int32_t> inputs,
                                            std::vector<int32_t> outputs) {
  auto& codes = model_.operator_codes;
  auto entry = std::find_if(codes.begin(), codes.end(),
                            [&](const auto& existing) { return existing->builtin_code == code; });
  if (entry == codes.end()) {
    auto added = std::make_unique<schema::OperatorCodeT>();
    added->builtin_code = code;
    added->deprecated_builtin_code = static_cast<int8_t>(std::min(static_cast<int32_t>(code), 127));
    // The one version of this operator that TFLite 2.9 knows.
    if (code == BuiltinOperator::BROADCAST_TO) added->version = 2;
    codes.push_back(std::move(added));
    entry = codes.end() - 1;
  }
  auto op = std::make_unique<schema::OperatorT>();
  op->opcode_index = static_cast<uint32_t>(entry - codes.begin());
  op->builtin_options = std::move(options);
  op->inputs = std::move(inputs);
  op->outputs = std::move(outputs);
  subgraph().operators.push_back(std::move(op));
}

schema::ModelT FloatNetworkBuilder::build(std::vector<int32_t> outputs) {
  subgraph().outputs = std::move(outputs);
  return std::exchange(model_, {});
}

std::vector<float> scattered_values(size_t count, float minimum, float maximum, uint32_t seed) {
  std::minstd_rand generator(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    const auto share = static_cast<float>(generator() - generator.min()) /
                       static_cast<float>(generator.max() - generator.min());
    value = minimum + share * (maximum - minimum);
  }
  return values;
}

}  // namespace lockstep::quantization::testing
