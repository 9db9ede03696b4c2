#include "backend/vulkan/program_checks.h"

#include <algorithm>

namespace lockstep::backend::vulkan {

Status check_tensor(const graph::LoweredGraph& graph, int32_t tensor,
                    const Capabilities& capabilities) {
  if (tensor < 0 || static_cast<size_t>(tensor) >= graph.tensors.size()) {
    return make_error(ErrorCode::kInvalidArgument, "{}: there is no tensor {} (of {})", graph.name,
                      tensor, graph.tensors.size());
  }
  const graph::LoweredTensor& checked = graph.tensors[static_cast<size_t>(tensor)];
  if (checked.type != graph::DataType::kInt8 && checked.type != graph::DataType::kUint8) {
    return make_error(ErrorCode::kUnsupported,
                      "tensor '{}' is {}; only int8 and uint8 live on the device", checked.name,
                      graph::data_type_name(checked.type));
  }
  const auto elements = graph::element_count(checked.shape);
  if (!elements || *elements == 0) {
    return make_error(ErrorCode::kUnsupported, "tensor '{}' of shape {} has no elements",
                      checked.name, graph::shape_to_string(checked.shape));
  }
  const auto bytes = static_cast<uint64_t>(layout_of(checked.shape).bytes());
  if (bytes > capabilities.max_storage_buffer_range) {
    return make_error(ErrorCode::kUnsupported,
                      "tensor '{}' takes {} bytes; the device binds at most {} at once",
                      checked.name, bytes, capabilities.max_storage_buffer_range);
  }
  if (!checked.constant.empty() && checked.constant.size() != static_cast<size_t>(*elements)) {
    return make_error(ErrorCode::kInvalidArgument, "constant '{}' of shape {} has {} bytes",
                      checked.name, graph::shape_to_string(checked.shape), checked.constant.size());
  }
  return {};
}

Status check_tensors(const graph::LoweredGraph& graph, const graph::LoweredOperator& op,
                     const Capabilities& capabilities) {
  std::vector<int32_t> tensors = graph::operation_inputs(op.operation);
  tensors.push_back(graph::operation_output(op.operation));
  for (const int32_t tensor : tensors) {
    if (Status status = check_tensor(graph, tensor, capabilities); !status) {
      return make_error(status.error().code, "operator {} ({}): {}", op.source_operator, op.name,
                        status.error().message);
    }
  }
  return {};
}

Status check_plan(const KernelPlan& plan, const graph::LoweredOperator& op,
                  const Capabilities& capabilities) {
  const auto failure = [&](ErrorCode code, std::string_view reason) {
    return make_error(code, "operator {} ({}), kernel '{}': {}", op.source_operator, op.name,
                      plan.variant, reason);
  };
  if (plan.is_alias != plan.dispatches.empty()) {
    return failure(ErrorCode::kInternal, "a plan either has dispatches or is an alias");
  }
  for (const std::vector<std::byte>& constant : plan.constants) {
    if (constant.empty()) {
      return failure(ErrorCode::kInternal, "a constant block is empty");
    }
    if (constant.size() > capabilities.max_storage_buffer_range) {
      return failure(ErrorCode::kUnsupported,
                     fmt::format("a constant block takes {} bytes; the device binds at most {}",
                                 constant.size(), capabilities.max_storage_buffer_range));
    }
  }
  for (const Dispatch& dispatch : plan.dispatches) {
    if (dispatch.inputs.size() + 1 > kMaximumBindings) {
      return failure(ErrorCode::kInternal, "too many bindings");
    }
    std::vector<int32_t> readable = graph::operation_inputs(op.operation);
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
