#include "graph/validation.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace lockstep::graph {
namespace {

template <typename... Args>
tl::unexpected<Error> invalid(const Graph& graph, fmt::format_string<Args...> format,
                              Args&&... args) {
  return make_error(ErrorCode::kInvalidModel, "{}: {}", graph.name,
                    fmt::format(format, std::forward<Args>(args)...));
}

std::string describe_tensor(const Graph& graph, size_t index) {
  const Tensor& tensor = graph.tensors[index];
  return fmt::format("tensor {} ('{}', {} {})", index, printable(tensor.name),
                     data_type_name(tensor.type), shape_to_string(tensor.shape));
}

bool is_tensor_index(const Graph& graph, int32_t index) {
  return index >= 0 && static_cast<size_t>(index) < graph.tensors.size();
}

// nullopt when the parameters can be believed, otherwise what is wrong with them.
std::optional<std::string> quantization_mistake(const Tensor& tensor) {
  const Quantization& quantization = tensor.quantization;
  const size_t count = quantization.scales.size();
  if (quantization.zero_points.size() != count) {
    return fmt::format("{} scales but {} zero points", count, quantization.zero_points.size());
  }
  if (quantization.is_per_axis()) {
    const int32_t axis = quantization.axis;
    if (axis < 0 || static_cast<size_t>(axis) >= tensor.shape.size()) {
      return fmt::format("quantized along axis {} of {} dimensions", axis, tensor.shape.size());
    }
    const int32_t extent = tensor.shape[static_cast<size_t>(axis)];
    if (static_cast<size_t>(extent) != count) {
      return fmt::format("{} scales for the {} indices of axis {}", count, extent, axis);
    }
  }
  for (const float scale : quantization.scales) {
    if (!std::isfinite(scale) || scale <= 0.0f) {
      return fmt::format("scale {} is not a positive number", scale);
    }
  }
  const std::optional<IntegerRange> range = integer_range(tensor.type);
  if (!range) return std::nullopt;
  for (const int32_t zero_point : quantization.zero_points) {
    if (zero_point < range->minimum || zero_point > range->maximum) {
      return fmt::format("zero point {} is outside the type's range", zero_point);
    }
  }
  return std::nullopt;
}

Status validate_tensor(const Graph& graph, size_t index) {
  if (const auto mistake = tensor_mistake(graph.tensors[index])) {
    return invalid(graph, "{}: {}", describe_tensor(graph, index), *mistake);
  }
  return {};
}

// Walks the operators in execution order and keeps the account of which tensors have contents.
class DataFlow {
 public:
  explicit DataFlow(const Graph& graph) : graph_(graph), has_contents_(graph.tensors.size()) {
    for (size_t i = 0; i < graph.tensors.size(); ++i) {
      const Tensor& tensor = graph.tensors[i];
      has_contents_[i] =
          tensor.is_constant() || tensor.is_variable || element_count(tensor.shape) == 0;
    }
  }

  Status check() {
    if (auto status = enter_inputs(); !status) return status;
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      if (auto status = run(i); !status) return status;
    }
    return leave_outputs();
  }

 private:
  Status enter_inputs() {
    std::vector<bool> is_input(graph_.tensors.size());
    for (const int32_t index : graph_.inputs) {
      if (!is_tensor_index(graph_, index)) {
        return invalid(graph_, "graph input {} is not one of the {} tensors", index,
                       graph_.tensors.size());
      }
      const auto tensor = static_cast<size_t>(index);
      if (is_input[tensor]) {
        return invalid(graph_, "{} is a graph input twice", describe_tensor(graph_, tensor));
      }
      if (graph_.tensors[tensor].is_constant()) {
        return invalid(graph_, "{} is a graph input and constant", describe_tensor(graph_, tensor));
      }
      is_input[tensor] = true;
      has_contents_[tensor] = true;
    }
    is_written_ = std::move(is_input);
    return {};
  }

  Status run(size_t operator_index) {
    const Operator& op = graph_.operators[operator_index];
    for (const int32_t index : op.inputs) {
      if (index == kAbsentTensor) continue;
      if (!is_tensor_index(graph_, index)) {
        return invalid(graph_, "{}: input {} is not one of the {} tensors",
                       describe_operator(graph_, operator_index), index, graph_.tensors.size());
      }
      if (!has_contents_[static_cast<size_t>(index)]) {
        return invalid(graph_, "{}: {} is read before any operator has made it",
                       describe_operator(graph_, operator_index),
                       describe_tensor(graph_, static_cast<size_t>(index)));
      }
    }
    for (const int32_t index : op.outputs) {
      if (index == kAbsentTensor) continue;
      if (!is_tensor_index(graph_, index)) {
        return invalid(graph_, "{}: output {} is not one of the {} tensors",
                       describe_operator(graph_, operator_index), index, graph_.tensors.size());
      }
      const auto tensor = static_cast<size_t>(index);
      if (graph_.tensors[tensor].is_constant()) {
        return invalid(graph_, "{}: its output {} is constant",
                       describe_operator(graph_, operator_index), describe_tensor(graph_, tensor));
      }
      if (is_written_[tensor]) {
        return invalid(graph_, "{}: {} is already a graph input or another operator's output",
                       describe_operator(graph_, operator_index), describe_tensor(graph_, tensor));
      }
      is_written_[tensor] = true;
      has_contents_[tensor] = true;
    }
    return {};
  }

  Status leave_outputs() const {
    for (const int32_t index : graph_.outputs) {
      if (!is_tensor_index(graph_, index)) {
        return invalid(graph_, "graph output {} is not one of the {} tensors", index,
                       graph_.tensors.size());
      }
      if (!has_contents_[static_cast<size_t>(index)]) {
        return invalid(graph_, "{} is a graph output that no operator makes",
                       describe_tensor(graph_, static_cast<size_t>(index)));
      }
    }
    return {};
  }

  const Graph& graph_;
  std::vector<bool> has_contents_;
  std::vector<bool> is_written_;  // by the caller or by an operator that already ran
};

// validate_operator() with the bare reason.
Status check_operator(const Graph& graph, const Operator& op) {
  if (std::holds_alternative<OpaqueAttributes>(op.attributes)) return {};
  if (op.outputs.size() != 1 || op.outputs[0] == kAbsentTensor) {
    return make_error(ErrorCode::kInvalidModel, "has {} outputs, needs one", op.outputs.size());
  }
  for (const int32_t input : op.inputs) {
    if (input != kAbsentTensor && graph.tensors[static_cast<size_t>(input)].is_sparse) {
      return make_error(ErrorCode::kUnsupported, "'{}' is in the sparse encoding",
                        printable(graph.tensors[static_cast<size_t>(input)].name));
    }
  }
  const Result<Shape> shape = infer_output_shape(graph, op);
  if (!shape) return tl::unexpected(shape.error());
  const Tensor& output = graph.tensors[static_cast<size_t>(op.outputs[0])];
  if (output.shape != *shape) {
    return make_error(ErrorCode::kInvalidModel, "the output is declared {}, the inputs give {}",
                      shape_to_string(output.shape), shape_to_string(*shape));
  }
  return {};
}

bool is_known_only_at_run_time(const Graph& graph, const std::vector<int32_t>& tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [&](int32_t index) {
    if (index == kAbsentTensor) return false;
    const Shape& signature = graph.tensors[static_cast<size_t>(index)].shape_signature;
    return std::find(signature.begin(), signature.end(), -1) != signature.end();
  });
}

}  // namespace

std::optional<std::string> tensor_mistake(const Tensor& tensor) {
  const std::optional<int64_t> count = element_count(tensor.shape);
  if (!count) return "the shape is negative or too large";
  if (tensor.shape.size() > kMaximumRank) {
    return fmt::format("{} dimensions, at most {} are read", tensor.shape.size(), kMaximumRank);
  }
  if (!tensor.shape_signature.empty()) {
    const bool fits =
        tensor.shape_signature.size() == tensor.shape.size() &&
        std::ranges::all_of(tensor.shape_signature, [](int32_t extent) { return extent >= -1; });
    if (!fits) return "the shape signature does not fit the shape";
  }
  const size_t size = data_type_size(tensor.type);
  if (tensor.is_constant() && !tensor.is_sparse && size != 0 &&
      tensor.data.size() != static_cast<size_t>(*count) * size) {
    return fmt::format("{} bytes of data, the shape needs {}", tensor.data.size(),
                       static_cast<size_t>(*count) * size);
  }
  return quantization_mistake(tensor);
}

Status validate_structure(const Graph& graph) {
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    if (auto status = validate_tensor(graph, i); !status) return status;
  }
  return DataFlow(graph).check();
}

Status validate_operator(const Graph& graph, size_t operator_index) {
  const Status status = check_operator(graph, graph.operators[operator_index]);
  if (status) return status;
  return make_error(status.error().code, "{}: {}: {}", graph.name,
                    describe_operator(graph, operator_index), status.error().message);
}

Status leave_unsupported_operators_opaque(Graph& graph) {
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    Operator& op = graph.operators[i];
    const Status status = check_operator(graph, op);
    if (status) continue;
    const bool may_be_left = status.error().code == ErrorCode::kUnsupported ||
                             is_known_only_at_run_time(graph, op.inputs) ||
                             is_known_only_at_run_time(graph, op.outputs);
    if (!may_be_left) return validate_operator(graph, i);
    op.attributes = OpaqueAttributes{status.error().message};
  }
  return {};
}

Status validate(const Graph& graph) {
  if (auto status = validate_structure(graph); !status) return status;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    if (auto status = validate_operator(graph, i); !status) return status;
  }
  return {};
}

}  // namespace lockstep::graph
