#include "quantization/testing/network_text.h"

#include <fmt/format.h>

#include <vector>

#include "graph/operators.h"

namespace lockstep::quantization::testing {
namespace {

// The activations of a list, comma-separated, with their types where asked for.
std::string listed(const schema::ModelT& model, const std::vector<int32_t>& indices,
                   bool with_types) {
  std::string text;
  for (const int32_t index : indices) {
    if (index == graph::kAbsentTensor) continue;
    const schema::TensorT& tensor = *model.subgraphs.front()->tensors[static_cast<size_t>(index)];
    if (is_constant(model, tensor)) continue;
    if (!text.empty()) text += ", ";
    text += tensor.name;
    if (with_types) text += fmt::format(":{}", schema::EnumNameTensorType(tensor.type));
  }
  return text;
}

}  // namespace

std::string network_text(const schema::ModelT& model) {
  const schema::SubGraphT& subgraph = *model.subgraphs.front();
  std::string text = listed(model, subgraph.inputs, true) + "\n";
  for (const auto& op : subgraph.operators) {
    text += fmt::format("{} = {}({})\n", listed(model, op->outputs, true),
                        operator_name(model, *op), listed(model, op->inputs, false));
  }
  return text + "-> " + listed(model, subgraph.outputs, false) + "\n";
}

}  // namespace lockstep::quantization::testing
