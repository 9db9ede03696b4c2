#include "conformance/editable_case.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

namespace lockstep::conformance {
namespace {

using Bytes = std::vector<std::byte>;

// Old tensor index -> new one, kAbsentTensor for tensors that nothing refers to.
std::vector<int32_t> renumber(const graph::Graph& graph) {
  std::vector<bool> is_used(graph.tensors.size());
  const auto use = [&](const std::vector<int32_t>& tensors) {
    for (const int32_t tensor : tensors) {
      if (tensor != graph::kAbsentTensor) is_used[static_cast<size_t>(tensor)] = true;
    }
  };
  use(graph.inputs);
  use(graph.outputs);
  for (const graph::Operator& op : graph.operators) {
    use(op.inputs);
    use(op.outputs);
  }
  std::vector<int32_t> numbers(graph.tensors.size(), graph::kAbsentTensor);
  int32_t next = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (is_used[i]) numbers[i] = next++;
  }
  return numbers;
}

void replace_indices(std::vector<int32_t>& tensors, const std::vector<int32_t>& numbers) {
  for (int32_t& tensor : tensors) {
    if (tensor != graph::kAbsentTensor) tensor = numbers[static_cast<size_t>(tensor)];
  }
}

}  // namespace

EditableCase::EditableCase(const Case& source)
    : name(source.name), family(source.family), graph(source.graph) {
  contents.resize(graph.tensors.size());
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    graph::Tensor& tensor = graph.tensors[i];
    contents[i].assign(tensor.data.begin(), tensor.data.end());
    tensor.data = {};
    // Which extents may be resized says nothing about this one run.
    tensor.shape_signature.clear();
  }
  for (size_t i = 0; i < std::min(source.inputs.size(), graph.inputs.size()); ++i) {
    contents[static_cast<size_t>(graph.inputs[i])] = source.inputs[i];
  }
  graph.storage.reset();
}

Result<Case> EditableCase::finish() && {
  Case result;
  result.name = std::move(name);
  result.family = std::move(family);
  for (const int32_t input : graph.inputs) {
    Bytes& bytes = contents[static_cast<size_t>(input)];
    const graph::Tensor& input_tensor = tensor(input);
    const auto count = graph::element_count(input_tensor.shape);
    if (!count ||
        bytes.size() != static_cast<size_t>(*count) * graph::data_type_size(input_tensor.type)) {
      return make_error(ErrorCode::kInvalidModel, "input '{}' has {} bytes for the shape {}",
                        graph::printable(input_tensor.name), bytes.size(),
                        graph::shape_to_string(input_tensor.shape));
    }
    result.inputs.push_back(std::move(bytes));
    bytes.clear();
  }
  const std::vector<int32_t> numbers = renumber(graph);
  const auto storage = std::make_shared<std::vector<Bytes>>();
  std::vector<graph::Tensor> tensors;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] == graph::kAbsentTensor) continue;
    tensors.push_back(std::move(graph.tensors[i]));
    storage->push_back(std::move(contents[i]));
  }
  // Only now, when the vectors no longer move.
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].data = (*storage)[i];
  graph.tensors = std::move(tensors);
  graph.storage = storage;
  replace_indices(graph.inputs, numbers);
  replace_indices(graph.outputs, numbers);
  for (graph::Operator& op : graph.operators) {
    replace_indices(op.inputs, numbers);
    replace_indices(op.outputs, numbers);
  }
  if (Status status = graph::validate(graph); !status) return tl::unexpected(status.error());
  result.graph = std::move(graph);
  return result;
}

bool is_structural_operand(const graph::Operator& op, size_t operand) {
  const bool has_shape_operand = std::holds_alternative<graph::MeanAttributes>(op.attributes) ||
                                 std::holds_alternative<graph::PadAttributes>(op.attributes) ||
                                 std::holds_alternative<graph::ReshapeAttributes>(op.attributes) ||
                                 std::holds_alternative<graph::ResizeAttributes>(op.attributes);
  return has_shape_operand && operand == 1;
}

}  // namespace lockstep::conformance
