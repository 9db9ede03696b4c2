// What changes to the objects of a network need again and again (graph/editable_model.h). Indices
// of codes, tensors and buffers must lead somewhere, as they do in every network that was read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/editable_model.h"
#include "graph/tensor.h"

namespace lockstep::quantization {

namespace schema = graph::schema;

// ---- Operators ----

int32_t builtin_code(const schema::ModelT& model, const schema::OperatorT& op);

// "CONV_2D", or the name of a custom operator.
std::string operator_name(const schema::ModelT& model, const schema::OperatorT& op);

// Index of the entry for a builtin operator and its version, which is added where there is none.
uint32_t find_or_add_operator_code(schema::ModelT& model, schema::BuiltinOperator code,
                                   int32_t version);

// ---- Tensors ----

// Index of the tensor, which is put behind the others.
int32_t add_tensor(schema::SubGraphT& subgraph, schema::TensorT tensor);

// Lets everything in the subgraph, and the signatures that belong to it, mention `with` where it
// mentioned `replaced`.
void replace_tensor(schema::ModelT& model, size_t subgraph, int32_t replaced, int32_t with);

// Who makes and who reads each tensor of a subgraph, by position of the operator. Those that an
// operator reads twice list it twice.
struct TensorUses {
  std::vector<int32_t> producers;              // -1: graph input, constant or nobody's
  std::vector<std::vector<size_t>> consumers;  // in order of execution
  std::vector<bool> is_output;                 // of the subgraph
};
TensorUses tensor_uses(const schema::SubGraphT& subgraph);

// ---- Constants ----

bool is_constant(const schema::ModelT& model, const schema::TensorT& tensor);

// Gives the tensor these contents. Where its buffer has other users, it gets one of its own.
void set_contents(schema::ModelT& model, schema::TensorT& tensor,
                  std::span<const std::byte> contents);

// ---- The whole ----

// Removes tensors that no operator, signature, input or output mentions, then buffers and operator
// codes that nobody uses, and renumbers the rest.
void remove_unused(schema::ModelT& model);

}  // namespace lockstep::quantization
