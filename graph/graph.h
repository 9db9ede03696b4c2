// The quantized network as data. A Graph that validate() accepted may be believed by everyone
// above.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/operators.h"
#include "graph/status.h"
#include "graph/tensor.h"

namespace lockstep::graph {

struct Graph {
  std::string name;  // for messages: the file, or the host's name for the network
  std::vector<Tensor> tensors;
  std::vector<Operator> operators;  // in execution order: producers before consumers
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::shared_ptr<const void> storage;  // keeps alive what Tensor::data points to
};

// Checks everything the structure says: indices, one producer a tensor, execution order, data sizes
// against shapes, quantization (axis, counts, scale > 0 and finite, zero-point range of the type),
// window parameters, weight and bias shapes, and that each understood operator's declared output
// shape is the one its inputs give. The error names graph, operator and tensor.
Status validate(const Graph& graph);

// The output shape of an understood operator from its inputs' shapes (and constant operands). The
// operator need not be part of the graph. kInvalidModel when its inputs contradict each other;
// kUnsupported when it is opaque, or the shape is known only at run time, or out of our bounds. The
// message does not name the operator.
Result<Shape> infer_output_shape(const Graph& graph, const Operator& op);

// Gives graph input `tensor` a new shape and carries it through all understood operators. Extents
// may change where shape_signature has -1, and the outermost (batch) extent always may. On failure
// (kInvalidArgument) the graph is as it was.
Status resize_input(Graph& graph, int32_t tensor, const Shape& shape);

// The same for several inputs at once, where operators need them to agree.
struct ResizedInput {
  int32_t tensor = 0;
  Shape shape;
};
Status resize_inputs(Graph& graph, std::span<const ResizedInput> inputs);

// "operator 12 (CONV_2D, output 'MobilenetV2/Conv/Relu6')": how messages name an operator.
std::string describe_operator(const Graph& graph, size_t operator_index);

// Multiply-accumulate operations of one run of the operator; 0 where that has no meaning. Below
// 2^62: a sum over the operators of a file that nobody has checked can leave 64 bits.
int64_t multiply_accumulates(const Graph& graph, const Operator& op);

}  // namespace lockstep::graph
