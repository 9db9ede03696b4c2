#include "backend/vulkan/program_checks.h"

#include <algorithm>
#include <limits>

namespace lockstep::backend::vulkan {
namespace {

bool is_8_bit(graph::DataType type) {
  return type == graph::DataType::kInt8 || type == graph::DataType::kUint8;
}

struct StoresAccumulators {
  bool operator()(const graph::LoweredConvolution& op) const {
    return op.output_stage.stores_accumulators;
  }
  bool operator()(const graph::LoweredDepthwiseConvolution& op) const {
    return op.output_stage.stores_accumulators;
  }
  bool operator()(const auto&) const { return false; }
};

bool fits_a_binding(uint64_t bytes, const Capabilities& capabilities) {
  return static_cast<uint64_t>(bound_bytes(static_cast<int64_t>(bytes))) <=
         capabilities.max_storage_buffer_range;
}

}  // namespace

Status check_tensor(const graph::LoweredGraph& graph, int32_t tensor,
                    const Capabilities& capabilities) {
  if (tensor < 0 || static_cast<size_t>(tensor) >= graph.tensors.size()) {
    return make_error(ErrorCode::kInvalidArgument, "{}: there is no tensor {} (of {})", graph.name,
                      tensor, graph.tensors.size());
  }
  const graph::LoweredTensor& checked = graph.tensors[static_cast<size_t>(tensor)];
  if (!is_8_bit(checked.type) && checked.type != graph::DataType::kInt32) {
    return make_error(ErrorCode::kUnsupported,
                      "tensor '{}' is {}; only int8, uint8 and accumulators live on the device",
                      checked.name, graph::data_type_name(checked.type));
  }
  const auto elements = graph::element_count(checked.shape);
  if (!elements || *elements == 0) {
    return make_error(ErrorCode::kUnsupported, "tensor '{}' of shape {} has no elements",
                      checked.name, graph::shape_to_string(checked.shape));
  }
  if (*elements > std::numeric_limits<int32_t>::max()) {
    return make_error(ErrorCode::kUnsupported, "tensor '{}' of shape {} has too many elements",
                      checked.name, graph::shape_to_string(checked.shape));
  }
  const auto bytes = static_cast<uint64_t>(layout_of(checked).bytes());
  if (!fits_a_binding(bytes, capabilities)) {
    return make_error(ErrorCode::kUnsupported,
                      "tensor '{}' takes {} bytes; the device binds at most {} at once",
                      checked.name, bytes, capabilities.max_storage_buffer_range);
  }
  const size_t host_bytes = static_cast<size_t>(*elements) * graph::data_type_size(checked.type);
  if (!checked.constant.empty() && checked.constant.size() != host_bytes) {
    return make_error(ErrorCode::kInvalidArgument, "constant '{}' of shape {} has {} bytes",
                      checked.name, graph::shape_to_string(checked.shape), checked.constant.size());
  }
  return {};
}

Status check_tensors(const graph::LoweredGraph& graph, const graph::LoweredOperator& op,
                     const Capabilities& capabilities) {
  std::vector<int32_t> tensors = graph::operation_inputs(op.operation);
  tensors.push_back(graph::operation_output(op.operation));
  const auto failure = [&](ErrorCode code, std::string_view reason) {
    return make_error(code, "operator {} ({}): {}", op.source_operator, op.name, reason);
  };
  const bool stores_accumulators = std::visit(StoresAccumulators{}, op.operation);
  for (const int32_t tensor : tensors) {
    if (Status status = check_tensor(graph, tensor, capabilities); !status) {
      return failure(status.error().code, status.error().message);
    }
    const graph::LoweredTensor& checked = graph.tensors[static_cast<size_t>(tensor)];
    const bool holds_accumulators =
        stores_accumulators && tensor == graph::operation_output(op.operation);
    if (is_8_bit(checked.type) == holds_accumulators) {
      return failure(ErrorCode::kUnsupported,
                     fmt::format("tensor '{}' is {}, not {}", checked.name,
                                 graph::data_type_name(checked.type),
                                 holds_accumulators ? "int32 for accumulators" : "int8 or uint8"));
    }
  }
  return {};
}

Status check_plan(const KernelPlan& plan, const graph::LoweredOperator& op,
                  const Capabilities& capabilities, const Epilogue& epilogue) {
  const auto failure = [&](ErrorCode code, std::string_view reason) {
    return make_error(code, "operator {} ({}), kernel '{}': {}", op.source_operator, op.name,
                      plan.variant, reason);
  };
  if (plan.is_alias ? !plan.dispatches.empty()
                    : plan.dispatches.empty() && plan.pieces_in_place.empty()) {
    return failure(ErrorCode::kInternal,
                   "a plan either has dispatches, or is an alias, or is made of pieces");
  }
  for (const std::vector<std::byte>& constant : plan.constants) {
    if (constant.empty()) {
      return failure(ErrorCode::kInternal, "a constant block is empty");
    }
    if (!fits_a_binding(constant.size(), capabilities)) {
      return failure(ErrorCode::kUnsupported,
                     fmt::format("a constant block takes {} bytes; the device binds at most {}",
                                 constant.size(), capabilities.max_storage_buffer_range));
    }
  }
  for (const Dispatch& dispatch : plan.dispatches) {
    const auto storage_inputs =
        std::ranges::count(dispatch.inputs, Binding::View::kStorage, &Binding::view);
    if (static_cast<size_t>(storage_inputs) + 1 > kMaximumStorageBuffers) {
      return failure(ErrorCode::kInternal, "too many bindings");
    }
    std::vector<int32_t> readable = graph::operation_inputs(op.operation);
    readable.push_back(epilogue.right);
    for (const Binding& binding : dispatch.inputs) {
      const bool is_constant = binding.kind == Binding::Kind::kConstant;
      if (is_constant && static_cast<size_t>(binding.index) >= plan.constants.size()) {
        return failure(ErrorCode::kInternal, "a binding names a constant that is not there");
      }
      if (!is_constant && std::ranges::find(readable, binding.index) == readable.end()) {
        return failure(ErrorCode::kInternal, "a binding reads a tensor that is not an input");
      }
    }
    if (dispatch.output.kind != Binding::Kind::kTensor ||
        dispatch.output.index != graph::operation_output(op.operation)) {
      return failure(ErrorCode::kInternal, "a dispatch writes something else than the output");
    }
    if (dispatch.push_constants.size() * sizeof(uint32_t) > capabilities.max_push_constants) {
      return failure(ErrorCode::kInternal, "too many push constants");
    }
    for (size_t axis = 0; axis < 3; ++axis) {
      if (dispatch.workgroups[axis] == 0) {
        return failure(ErrorCode::kInternal, "a dispatch is empty");
      }
      if (dispatch.workgroups[axis] > capabilities.max_workgroup_count[axis]) {
        return failure(
            ErrorCode::kUnsupported,
            fmt::format("{} workgroups along axis {}; the device allows {}",
                        dispatch.workgroups[axis], axis, capabilities.max_workgroup_count[axis]));
      }
    }
  }
  return {};
}

}  // namespace lockstep::backend::vulkan
