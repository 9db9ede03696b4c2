#include "backend/cpu/operation.h"

#include <new>
#include <variant>

#include "backend/cpu/operations.h"

namespace lockstep::backend::cpu {
namespace {

int64_t element_count(const graph::LoweredGraph& graph, int32_t tensor) {
  return graph::element_count(graph.tensors[static_cast<size_t>(tensor)].shape).value_or(0);
}

struct Maker {
  const graph::LoweredGraph& graph;
  const Target& target;

  OperationPointer operator()(const auto& operation) const {
    return make_operation(operation, target);
  }
  OperationPointer operator()(const graph::LoweredReshape& reshape) const {
    const graph::LoweredTensor& tensor = graph.tensors[static_cast<size_t>(reshape.input)];
    return make_copy(reshape,
                     element_count(graph, reshape.input) *
                         static_cast<int64_t>(graph::data_type_size(tensor.type)),
                     target);
  }
  OperationPointer operator()(const graph::LoweredTable& table) const {
    return make_table(table, element_count(graph, table.input), target);
  }
  OperationPointer operator()(const graph::LoweredQuantize& quantize) const {
    return make_quantize(quantize, element_count(graph, quantize.input), target);
  }
  OperationPointer operator()(const graph::LoweredDequantize& dequantize) const {
    return make_dequantize(dequantize, element_count(graph, dequantize.input), target);
  }
};

}  // namespace

Result<OperationPointer> prepare_operation(const graph::LoweredGraph& graph,
                                           const graph::LoweredOperator& op, const Target& target) {
  try {
    return std::visit(Maker{graph, target}, op.operation);
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kOutOfMemory,
                      "{}: the constants of operator {} ({}) do not fit in memory", graph.name,
                      op.source_operator, op.name);
  }
}

}  // namespace lockstep::backend::cpu
