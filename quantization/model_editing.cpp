#include "quantization/model_editing.h"

#include <algorithm>
#include <memory>
#include <type_traits>
#include <utility>

#include "graph/builtin_operators.h"
#include "graph/graph.h"

namespace lockstep::quantization {
namespace {

// Calls visit(index) for every index of a buffer in the network, which may be changed.
template <typename Visit>
void for_each_buffer_index(schema::ModelT& model, Visit&& visit) {
  for (auto& subgraph : model.subgraphs) {
    for (auto& tensor : subgraph->tensors) visit(tensor->buffer);
  }
  for (auto& metadata : model.metadata) visit(metadata->buffer);
  for (auto& buffer : model.metadata_buffer) visit(buffer);
}

// The same for the tensors of one subgraph.
template <typename Visit>
void for_each_tensor_index(schema::ModelT& model, size_t subgraph_index, Visit&& visit) {
  schema::SubGraphT& subgraph = *model.subgraphs[subgraph_index];
  const auto visit_all = [&](std::vector<int32_t>& indices) {
    for (int32_t& index : indices) {
      if (index != graph::kAbsentTensor) visit(index);
    }
  };
  visit_all(subgraph.inputs);
  visit_all(subgraph.outputs);
  for (auto& op : subgraph.operators) {
    visit_all(op->inputs);
    visit_all(op->outputs);
    visit_all(op->intermediates);
  }
  for (auto& signature : model.signature_defs) {
    if (signature->subgraph_index != subgraph_index) continue;
    for (auto* entries : {&signature->inputs, &signature->outputs}) {
      for (auto& entry : *entries) visit(entry->tensor_index);
    }
  }
  // Scales and zero points of other schemes than the affine one are tensors.
  const auto visit_parameters = [&](auto* details) {
    if (details == nullptr) return;
    if (details->scales >= 0) visit(details->scales);
    if (details->zero_points >= 0) visit(details->zero_points);
  };
  for (auto& tensor : subgraph.tensors) {
    if (tensor->quantization == nullptr) continue;
    visit_parameters(tensor->quantization->details.AsBlockwiseQuantization());
    visit_parameters(tensor->quantization->details.AsMultiAxisQuantization());
  }
}

// Keeps the objects of which `visit_indices` visits an index, and changes the indices it visits.
template <typename Object, typename VisitIndices>
void keep_used(std::vector<std::unique_ptr<Object>>& objects, VisitIndices&& visit_indices) {
  std::vector<bool> is_used(objects.size());
  visit_indices([&](auto index) { is_used[static_cast<size_t>(index)] = true; });
  std::vector<size_t> renumbered(objects.size());
  std::vector<std::unique_ptr<Object>> kept;
  for (size_t i = 0; i < objects.size(); ++i) {
    if (!is_used[i]) continue;
    renumbered[i] = kept.size();
    kept.push_back(std::move(objects[i]));
  }
  objects = std::move(kept);
  visit_indices([&](auto& index) {
    using Index = std::remove_cvref_t<decltype(index)>;
    index = static_cast<Index>(renumbered[static_cast<size_t>(index)]);
  });
}

}  // namespace

int32_t builtin_code(const schema::ModelT& model, const schema::OperatorT& op) {
  const schema::OperatorCodeT& code = *model.operator_codes[op.opcode_index];
  return std::max(int32_t{code.deprecated_builtin_code}, static_cast<int32_t>(code.builtin_code));
}

std::string operator_name(const schema::ModelT& model, const schema::OperatorT& op) {
  const int32_t code = builtin_code(model, op);
  if (code == graph::builtin::kCustom) {
    return graph::printable(model.operator_codes[op.opcode_index]->custom_code);
  }
  return graph::builtin_operator_name(code);
}

uint32_t find_or_add_operator_code(schema::ModelT& model, schema::BuiltinOperator code,
                                   int32_t version) {
  const auto value = static_cast<int32_t>(code);
  auto& codes = model.operator_codes;
  for (size_t i = 0; i < codes.size(); ++i) {
    if (std::max(int32_t{codes[i]->deprecated_builtin_code},
                 static_cast<int32_t>(codes[i]->builtin_code)) == value &&
        codes[i]->version == version) {
      return static_cast<uint32_t>(i);
    }
  }
  auto added = std::make_unique<schema::OperatorCodeT>();
  added->builtin_code = code;
  // Old readers look at this byte alone.
  added->deprecated_builtin_code = static_cast<int8_t>(
      std::min(code, schema::BuiltinOperator::PLACEHOLDER_FOR_GREATER_OP_CODES));
  added->version = version;
  codes.push_back(std::move(added));
  return static_cast<uint32_t>(codes.size() - 1);
}

int32_t add_tensor(schema::SubGraphT& subgraph, schema::TensorT tensor) {
  subgraph.tensors.push_back(std::make_unique<schema::TensorT>(std::move(tensor)));
  return static_cast<int32_t>(subgraph.tensors.size() - 1);
}

void replace_tensor(schema::ModelT& model, size_t subgraph, int32_t replaced, int32_t with) {
  for_each_tensor_index(model, subgraph, [&](auto& index) {
    using Index = std::remove_cvref_t<decltype(index)>;
    if (index == static_cast<Index>(replaced)) index = static_cast<Index>(with);
  });
}

TensorUses tensor_uses(const schema::SubGraphT& subgraph) {
  const size_t count = subgraph.tensors.size();
  TensorUses uses{.producers = std::vector<int32_t>(count, -1),
                  .consumers = std::vector<std::vector<size_t>>(count),
                  .is_output = std::vector<bool>(count)};
  for (size_t i = 0; i < subgraph.operators.size(); ++i) {
    for (const int32_t input : subgraph.operators[i]->inputs) {
      if (input != graph::kAbsentTensor) uses.consumers[static_cast<size_t>(input)].push_back(i);
    }
    for (const int32_t output : subgraph.operators[i]->outputs) {
      if (output == graph::kAbsentTensor) continue;
      uses.producers[static_cast<size_t>(output)] = static_cast<int32_t>(i);
    }
  }
  for (const int32_t output : subgraph.outputs) uses.is_output[static_cast<size_t>(output)] = true;
  return uses;
}

bool is_constant(const schema::ModelT& model, const schema::TensorT& tensor) {
  return !model.buffers[tensor.buffer]->data.empty();
}

void set_contents(schema::ModelT& model, schema::TensorT& tensor,
                  std::span<const std::byte> contents) {
  // By place, not by number: a tensor that is yet to be added has no claim to a buffer either.
  const auto is_other = [&](const auto& index) {
    return static_cast<const void*>(&index) != &tensor.buffer &&
           static_cast<uint32_t>(index) == tensor.buffer;
  };
  bool is_shared = false;
  for_each_buffer_index(model, [&](const auto& index) { is_shared |= is_other(index); });
  // Buffer 0 stays empty: it stands for no contents.
  if (is_shared || tensor.buffer == 0) {
    tensor.buffer = static_cast<uint32_t>(model.buffers.size());
    model.buffers.push_back(std::make_unique<schema::BufferT>());
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(contents.data());
  model.buffers[tensor.buffer]->data.assign(bytes, bytes + contents.size());
}

void remove_unused(schema::ModelT& model) {
  for (size_t i = 0; i < model.subgraphs.size(); ++i) {
    keep_used(model.subgraphs[i]->tensors,
              [&](auto&& visit) { for_each_tensor_index(model, i, visit); });
  }
  keep_used(model.operator_codes, [&](auto&& visit) {
    for (auto& subgraph : model.subgraphs) {
      for (auto& op : subgraph->operators) visit(op->opcode_index);
    }
  });
  keep_used(model.buffers, [&](auto&& visit) {
    uint32_t no_contents = 0;
    if (!model.buffers.empty()) visit(no_contents);
    for_each_buffer_index(model, visit);
  });
}

}  // namespace lockstep::quantization
