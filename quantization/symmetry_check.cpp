#include "quantization/symmetry_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "graph/operators.h"
#include "quantization/operator_rules.h"
#include "quantization/weight_places.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;

// Tensors of operators that could as well be int8. Those between QUANTIZEs, at the border of a
// network or around an operator that nobody has for int8, are no matter of its weights.
std::set<int32_t> tensors_of_int8_operators(const schema::ModelT& model,
                                            const schema::SubGraphT& subgraph) {
  std::set<int32_t> tensors;
  for (const auto& op : subgraph.operators) {
    if (find_rule(BuiltinOperator{builtin_code(model, *op)}) == nullptr) continue;
    tensors.insert(op->inputs.begin(), op->inputs.end());
    tensors.insert(op->outputs.begin(), op->outputs.end());
  }
  return tensors;
}

// By tensor: the operator that reads it as weights.
std::map<int32_t, std::string> find_weights(const schema::ModelT& model,
                                            const schema::SubGraphT& subgraph) {
  std::map<int32_t, std::string> weights;
  for (const auto& op : subgraph.operators) {
    const auto places = weight_places(BuiltinOperator{builtin_code(model, *op)});
    if (!places) continue;
    const int32_t index = input_at(*op, places->weights);
    if (index != graph::kAbsentTensor) weights.try_emplace(index, operator_name(model, *op));
  }
  return weights;
}

std::string weights_problem(const schema::ModelT& model, const schema::TensorT& tensor) {
  const bool is_uint8 = tensor.type == TensorType::UINT8;
  std::string problem = is_uint8 ? "uint8" : "";
  const auto add = [&](const std::string& text) {
    if (!problem.empty()) problem += ", ";
    problem += text;
  };
  const auto& zero_points = tensor.quantization->zero_point;
  const int64_t zero = is_uint8 ? 128 : 0;
  const auto off = std::find_if(zero_points.begin(), zero_points.end(),
                                [&](int64_t zero_point) { return zero_point != zero; });
  if (off != zero_points.end()) add(fmt::format("zero point {}", *off));
  const auto& contents = model.buffers[tensor.buffer]->data;
  const auto lowest = std::count(contents.begin(), contents.end(), is_uint8 ? 0 : 0x80);
  if (lowest > 0) add(fmt::format("{} values of {}", lowest, is_uint8 ? "0" : "-128"));
  return problem;
}

}  // namespace

std::vector<Asymmetry> find_asymmetries(const schema::ModelT& model) {
  std::vector<Asymmetry> asymmetries;
  for (const auto& subgraph : model.subgraphs) {
    const auto weights = find_weights(model, *subgraph);
    const auto could_be_int8 = tensors_of_int8_operators(model, *subgraph);
    for (size_t i = 0; i < subgraph->tensors.size(); ++i) {
      const schema::TensorT& tensor = *subgraph->tensors[i];
      const bool is_8_bit = tensor.type == TensorType::UINT8 || tensor.type == TensorType::INT8;
      if (!is_8_bit || tensor.quantization == nullptr || tensor.quantization->scale.empty()) {
        continue;
      }
      const auto index = static_cast<int32_t>(i);
      const auto op = weights.find(index);
      std::string problem;
      if (op != weights.end()) {
        problem = weights_problem(model, tensor);
      } else if (tensor.type == TensorType::UINT8 && could_be_int8.contains(index)) {
        problem = "uint8";
      }
      if (problem.empty()) continue;
      asymmetries.push_back({.name = tensor.name,
                             .op = op != weights.end() ? op->second : "",
                             .problem = std::move(problem)});
    }
  }
  return asymmetries;
}

}  // namespace lockstep::quantization
