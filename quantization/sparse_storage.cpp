#include "quantization/sparse_storage.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "graph/graph.h"
#include "graph/tflite_tensors.h"
#include "quantization/constants.h"
#include "quantization/sparse_encoding.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;

bool is_operator(const schema::ModelT& model, const schema::OperatorT& op, BuiltinOperator code) {
  return builtin_code(model, op) == static_cast<int32_t>(code);
}

schema::TensorT& tensor_at(const schema::SubGraphT& subgraph, int32_t index) {
  return *subgraph.tensors[static_cast<size_t>(index)];
}

tl::unexpected<Error> densify_error(const schema::TensorT& tensor, std::string_view reason) {
  return make_error(ErrorCode::kInvalidModel, "tensor '{}': DENSIFY {}",
                    graph::printable(tensor.name), reason);
}

// Gives the output of a DENSIFY operator the contents of its input, which are dense by now.
Status replace_densify(const schema::SubGraphT& subgraph, const schema::OperatorT& op) {
  const schema::TensorT& input = tensor_at(subgraph, op.inputs[0]);
  schema::TensorT& output = tensor_at(subgraph, op.outputs[0]);
  if (output.type != input.type || output.shape != input.shape) {
    return densify_error(output, "changes its type or shape");
  }
  output.buffer = input.buffer;
  return {};
}

Status remove_densify_operators(const schema::ModelT& model, schema::SubGraphT& subgraph) {
  std::vector<std::unique_ptr<schema::OperatorT>> kept;
  for (auto& op : subgraph.operators) {
    const bool is_densify = is_operator(model, *op, BuiltinOperator::DENSIFY) &&
                            op->inputs.size() == 1 && op->outputs.size() == 1 &&
                            op->inputs[0] != graph::kAbsentTensor &&
                            op->outputs[0] != graph::kAbsentTensor &&
                            is_constant(model, tensor_at(subgraph, op->inputs[0]));
    if (!is_densify) {
      kept.push_back(std::move(op));
    } else if (auto status = replace_densify(subgraph, *op); !status) {
      return status;
    }
  }
  subgraph.operators = std::move(kept);
  return {};
}

// Blocks of one row and so many columns.
bool is_row_block(std::span<const int32_t> block, int32_t columns) {
  return block.size() == 2 && block[0] == 1 && block[1] == columns;
}

// Whether the operator takes its input `position` in this encoding.
bool reads_sparse_input(const schema::ModelT& model, const schema::SubGraphT& subgraph,
                        const schema::OperatorT& op, size_t position,
                        std::span<const int32_t> block) {
  if (is_operator(model, op, BuiltinOperator::DENSIFY)) return true;
  if (!is_operator(model, op, BuiltinOperator::FULLY_CONNECTED) || position != 1 ||
      op.inputs[0] == graph::kAbsentTensor) {
    return false;
  }
  if (tensor_at(subgraph, op.inputs[0]).type != TensorType::FLOAT32) return false;
  switch (tensor_at(subgraph, op.inputs[1]).type) {
    case TensorType::FLOAT32:
      return is_row_block(block, 1) || is_row_block(block, 4);
    case TensorType::INT8:
      return is_row_block(block, 16);
    default:
      return false;
  }
}

// The tensor that a DENSIFY operator makes of `source`, which keeps its name: it is what operators
// read under it.
schema::TensorT densified_tensor(const schema::TensorT& source) {
  schema::TensorT tensor = source;
  tensor.buffer = 0;
  tensor.sparsity.reset();
  return tensor;
}

std::unique_ptr<schema::OperatorT> densify_operator(schema::ModelT& model, int32_t input,
                                                    int32_t output) {
  auto op = std::make_unique<schema::OperatorT>();
  op->opcode_index = find_or_add_operator_code(model, BuiltinOperator::DENSIFY, 1);
  op->inputs = {input};
  op->outputs = {output};
  op->builtin_options.Set(schema::DensifyOptionsT{});
  return op;
}

// At least what one more tensor and operator take of a file.
size_t densify_size(const schema::TensorT& source) {
  constexpr size_t kOperatorAndReferences = 160;
  flatbuffers::FlatBufferBuilder builder;
  const schema::TensorT tensor = densified_tensor(source);
  builder.Finish(schema::Tensor::Pack(builder, &tensor));
  return builder.GetSize() + kOperatorAndReferences;
}

// Puts a DENSIFY operator in front of everything that reads the tensor.
void insert_densify(schema::ModelT& model, schema::SubGraphT& subgraph, int32_t tensor) {
  const int32_t dense = add_tensor(subgraph, densified_tensor(tensor_at(subgraph, tensor)));
  for (auto& op : subgraph.operators) std::ranges::replace(op->inputs, tensor, dense);
  std::ranges::replace(subgraph.outputs, tensor, dense);
  tensor_at(subgraph, tensor).name += "_sparse";
  subgraph.operators.insert(subgraph.operators.begin(), densify_operator(model, tensor, dense));
}

bool is_read_as_it_is(const schema::ModelT& model, const schema::SubGraphT& subgraph,
                      int32_t tensor, std::span<const int32_t> block) {
  if (std::ranges::find(subgraph.outputs, tensor) != subgraph.outputs.end()) return false;
  for (const auto& op : subgraph.operators) {
    for (size_t i = 0; i < op->inputs.size(); ++i) {
      if (op->inputs[i] == tensor && !reads_sparse_input(model, subgraph, *op, i, block)) {
        return false;
      }
    }
  }
  return true;
}

bool densify_knows(TensorType type) {
  return type == TensorType::FLOAT32 || type == TensorType::FLOAT16 || type == TensorType::INT8;
}

}  // namespace

Status densify(schema::ModelT& model) {
  size_t total = 0;
  for (auto& subgraph : model.subgraphs) {
    for (auto& tensor : subgraph->tensors) {
      if (tensor->sparsity == nullptr) continue;
      const auto contents = dense_contents(model, *tensor);
      if (!contents) return tl::unexpected(contents.error());
      total += contents->size();
      if (total > kMostDenseBytes) {
        return make_error(ErrorCode::kUnsupported,
                          "tensor '{}': with it, dense constants are {} bytes, too many for a file",
                          graph::printable(tensor->name), total);
      }
      set_contents(model, *tensor, *contents);
      tensor->sparsity.reset();
    }
    if (auto status = remove_densify_operators(model, *subgraph); !status) return status;
  }
  remove_unused(model);
  return {};
}

Result<bool> store_sparsely(schema::ModelT& model, schema::SubGraphT& subgraph, int32_t tensor,
                            std::span<const int32_t> block) {
  schema::TensorT& source = tensor_at(subgraph, tensor);
  const auto description = graph::read_tensor(model, source);
  if (!description) return tl::unexpected(description.error());
  if (description->is_sparse) return false;
  const bool needs_densify = !is_read_as_it_is(model, subgraph, tensor, block);
  if (needs_densify && !densify_knows(source.type)) {
    return make_error(ErrorCode::kUnsupported,
                      "tensor '{}': TFLite makes no sparse tensors of type {} dense",
                      graph::printable(source.name), schema::EnumNameTensorType(source.type));
  }
  auto sparse = encode_sparse(description->data, graph::data_type_size(description->type),
                              description->shape, block);
  if (!sparse) return tl::unexpected(sparse.error());
  // Contents are aligned: the space in front of others may grow by that.
  constexpr size_t kAlignment = 16;
  const size_t size =
      size_in_file(*sparse) + (needs_densify ? densify_size(source) : 0) + kAlignment;
  if (size >= description->data.size()) return false;
  set_contents(model, source, sparse->stored);
  source.sparsity = std::make_unique<schema::SparsityParametersT>(std::move(sparse->sparsity));
  if (needs_densify) insert_densify(model, subgraph, tensor);
  return true;
}

}  // namespace lockstep::quantization
