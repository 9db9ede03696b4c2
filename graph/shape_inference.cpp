#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "graph/graph.h"

namespace lockstep::graph {
namespace {

// Bounds every extent, stride, dilation and dilated window of an operator with a window, so that
// positions such as y * stride + ky * dilation fit int32 everywhere above.
constexpr int64_t kMaximumWindowExtent = int64_t{1} << 28;

using Tensors = std::vector<const Tensor*>;  // nullptr for an absent optional input

Result<Tensors> resolve_inputs(const Graph& graph, const Operator& op, size_t minimum,
                               size_t maximum) {
  if (op.inputs.size() < minimum || op.inputs.size() > maximum) {
    return make_error(ErrorCode::kInvalidModel, "has {} inputs, needs {} to {}", op.inputs.size(),
                      minimum, maximum);
  }
  Tensors tensors(maximum, nullptr);
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    const int32_t index = op.inputs[i];
    if (index == kAbsentTensor && i >= minimum) continue;
    if (index < 0 || static_cast<size_t>(index) >= graph.tensors.size()) {
      return make_error(ErrorCode::kInvalidModel, "input {} is tensor {} of {}", i, index,
                        graph.tensors.size());
    }
    tensors[i] = &graph.tensors[static_cast<size_t>(index)];
  }
  return tensors;
}

Status require_elements(const Tensor& tensor) {
  const std::optional<int64_t> count = element_count(tensor.shape);
  if (!count || *count == 0) {
    return make_error(ErrorCode::kUnsupported, "'{}' has the shape {}: no elements or too many",
                      printable(tensor.name), shape_to_string(tensor.shape));
  }
  return {};
}

Status require_rank(const Tensor& tensor, size_t rank, std::string_view role) {
  if (tensor.shape.size() != rank) {
    return make_error(ErrorCode::kInvalidModel, "{} '{}' has the shape {}, needs {} dimensions",
                      role, printable(tensor.name), shape_to_string(tensor.shape), rank);
  }
  return require_elements(tensor);
}

Status require_bias(const Tensor* bias, int32_t output_channels) {
  if (bias == nullptr) return {};
  if (element_count(bias->shape) != int64_t{output_channels}) {
    return make_error(ErrorCode::kInvalidModel,
                      "bias '{}' has the shape {}, needs {} values: one an output channel",
                      printable(bias->name), shape_to_string(bias->shape), output_channels);
  }
  return {};
}

// Number of positions of a window along one dimension.
//   SAME: ceil(input / stride).  VALID: (input - dilated window) / stride + 1.
Result<int32_t> window_positions(Padding padding, int64_t input, int64_t window, int64_t stride,
                                 int64_t dilation) {
  if (window < 1 || stride < 1 || dilation < 1) {
    return make_error(ErrorCode::kInvalidModel,
                      "window {}, stride {}, dilation {} must be positive", window, stride,
                      dilation);
  }
  const int64_t dilated_window = (window - 1) * dilation + 1;
  if (std::max({input, dilated_window, stride, dilation}) > kMaximumWindowExtent) {
    return make_error(ErrorCode::kUnsupported,
                      "window {}, stride {}, dilation {} over extent {} is too large", window,
                      stride, dilation, input);
  }
  if (padding == Padding::kSame) return static_cast<int32_t>((input + stride - 1) / stride);
  if (input < dilated_window) {
    return make_error(ErrorCode::kInvalidModel, "a VALID window of {} does not fit an extent of {}",
                      dilated_window, input);
  }
  return static_cast<int32_t>((input - dilated_window) / stride + 1);
}

// The output shape [batch, rows, columns, channels] of a window over an NHWC image.
template <typename Window>
Result<Shape> slide_window(const Shape& input, const Window& attributes, int32_t window_height,
                           int32_t window_width, int32_t dilation_height, int32_t dilation_width,
                           int32_t channels) {
  const auto rows = window_positions(attributes.padding, input[1], window_height,
                                     attributes.stride_height, dilation_height);
  if (!rows) return tl::unexpected(rows.error());
  const auto columns = window_positions(attributes.padding, input[2], window_width,
                                        attributes.stride_width, dilation_width);
  if (!columns) return tl::unexpected(columns.error());
  return Shape{input[0], *rows, *columns, channels};
}

// Index of a dimension, where negative ones count from the end.
Result<size_t> resolve_axis(int64_t axis, size_t rank) {
  const int64_t resolved = axis < 0 ? axis + static_cast<int64_t>(rank) : axis;
  if (resolved < 0 || resolved >= static_cast<int64_t>(rank)) {
    return make_error(ErrorCode::kInvalidModel, "axis {} is outside the {} dimensions", axis, rank);
  }
  return static_cast<size_t>(resolved);
}

// A pair of numbers for each dimension is the most that an operand which decides the shape can
// mean. Longer ones are not copied: a file may give one of them to many operators.
constexpr size_t kMaximumOperandValues = 2 * kMaximumRank;

// The numbers of a constant operand that decides the shape; a run-time operand is beyond us.
Result<std::vector<int64_t>> constant_operand(const Tensor& tensor) {
  if (tensor.type != DataType::kInt32 && tensor.type != DataType::kInt64) {
    return make_error(ErrorCode::kUnsupported, "operand '{}' is {}, int32 or int64 is needed",
                      printable(tensor.name), data_type_name(tensor.type));
  }
  const std::optional<int64_t> count = element_count(tensor.shape);
  if (count == 0) return std::vector<int64_t>{};
  if (!tensor.is_constant()) {
    return make_error(ErrorCode::kUnsupported, "operand '{}' is known only at run time",
                      printable(tensor.name));
  }
  if (tensor.data.size() / data_type_size(tensor.type) > kMaximumOperandValues) {
    return make_error(ErrorCode::kUnsupported, "operand '{}' has {} values, at most {} are read",
                      printable(tensor.name), tensor.data.size() / data_type_size(tensor.type),
                      kMaximumOperandValues);
  }
  std::vector<int64_t> values;
  if (tensor.type == DataType::kInt64) {
    values = constant_values<int64_t>(tensor);
  } else {
    const std::vector<int32_t> narrow = constant_values<int32_t>(tensor);
    values.assign(narrow.begin(), narrow.end());
  }
  if (!count || values.size() != static_cast<size_t>(*count)) {
    return make_error(ErrorCode::kInvalidModel, "operand '{}' has {} values, its shape says {}",
                      printable(tensor.name), values.size(), shape_to_string(tensor.shape));
  }
  return values;
}

// One overload an operator: its output shape, or why there is none.
struct Inference {
  const Graph& graph;
  const Operator& op;

  Result<Shape> operator()(const Conv2dAttributes& attributes) const {
    const auto inputs = resolve_inputs(graph, op, 2, 3);
    if (!inputs) return tl::unexpected(inputs.error());
    const Tensor& input = *(*inputs)[0];
    const Tensor& weights = *(*inputs)[1];
    if (auto status = require_rank(input, 4, "input"); !status) return fail(status);
    if (auto status = require_rank(weights, 4, "weights"); !status) return fail(status);
    const int32_t input_channels = input.shape[3];
    const int32_t output_channels = weights.shape[0];
    const int32_t group_channels = weights.shape[3];
    if (input_channels % group_channels != 0 ||
        output_channels % (input_channels / group_channels) != 0) {
      return make_error(ErrorCode::kInvalidModel,
                        "weights '{}' ({}) do not divide the {} channels of '{}' into groups",
                        printable(weights.name), shape_to_string(weights.shape), input_channels,
                        printable(input.name));
    }
    if (auto status = require_bias((*inputs)[2], output_channels); !status) return fail(status);
    return slide_window(input.shape, attributes, weights.shape[1], weights.shape[2],
                        attributes.dilation_height, attributes.dilation_width, output_channels);
  }

  Result<Shape> operator()(const DepthwiseConv2dAttributes& attributes) const {
    const auto inputs = resolve_inputs(graph, op, 2, 3);
    if (!inputs) return tl::unexpected(inputs.error());
    const Tensor& input = *(*inputs)[0];
    const Tensor& weights = *(*inputs)[1];
    if (auto status = require_rank(input, 4, "input"); !status) return fail(status);
    if (auto status = require_rank(weights, 4, "weights"); !status) return fail(status);
    const int32_t output_channels = weights.shape[3];
    if (weights.shape[0] != 1 ||
        int64_t{input.shape[3]} * attributes.depth_multiplier != output_channels) {
      return make_error(ErrorCode::kInvalidModel,
                        "weights '{}' ({}) do not fit {} channels times depth multiplier {}",
                        printable(weights.name), shape_to_string(weights.shape), input.shape[3],
                        attributes.depth_multiplier);
    }
    if (auto status = require_bias((*inputs)[2], output_channels); !status) return fail(status);
    return slide_window(input.shape, attributes, weights.shape[1], weights.shape[2],
                        attributes.dilation_height, attributes.dilation_width, output_channels);
  }

  Result<Shape> operator()(const FullyConnectedAttributes& attributes) const {
    const auto inputs = resolve_inputs(graph, op, 2, 3);
    if (!inputs) return tl::unexpected(inputs.error());
    const Tensor& input = *(*inputs)[0];
    const Tensor& weights = *(*inputs)[1];
    if (!attributes.default_weights_format) {
      return make_error(ErrorCode::kUnsupported, "weights '{}' are in the shuffled format",
                        printable(weights.name));
    }
    if (auto status = require_elements(input); !status) return fail(status);
    if (auto status = require_rank(weights, 2, "weights"); !status) return fail(status);
    const int32_t output_channels = weights.shape[0];
    const int32_t input_channels = weights.shape[1];
    if (auto status = require_bias((*inputs)[2], output_channels); !status) return fail(status);
    const int64_t count = *element_count(input.shape);
    const bool rows_fit = attributes.keep_num_dims
                              ? !input.shape.empty() && input.shape.back() == input_channels
                              : count % input_channels == 0;
    if (!rows_fit) {
      return make_error(ErrorCode::kInvalidModel, "'{}' ({}) is not made of rows of {} values",
                        printable(input.name), shape_to_string(input.shape), input_channels);
    }
    if (!attributes.keep_num_dims) {
      return checked({count / input_channels, output_channels});
    }
    Shape shape = input.shape;
    shape.back() = output_channels;
    return shape;
  }

  Result<Shape> operator()(const BinaryAttributes&) const {
    const auto inputs = resolve_inputs(graph, op, 2, 2);
    if (!inputs) return tl::unexpected(inputs.error());
    const Tensor& left = *(*inputs)[0];
    const Tensor& right = *(*inputs)[1];
    if (auto status = require_elements(left); !status) return fail(status);
    if (auto status = require_elements(right); !status) return fail(status);
    Shape shape(std::max(left.shape.size(), right.shape.size()), 1);
    for (size_t from_end = 1; from_end <= shape.size(); ++from_end) {
      const int32_t a = extent_from_end(left.shape, from_end);
      const int32_t b = extent_from_end(right.shape, from_end);
      if (a != b && a != 1 && b != 1) {
        return make_error(ErrorCode::kInvalidModel, "shapes {} and {} do not broadcast",
                          shape_to_string(left.shape), shape_to_string(right.shape));
      }
      shape[shape.size() - from_end] = std::max(a, b);
    }
    return shape;
  }

  Result<Shape> operator()(const Pool2dAttributes& attributes) const {
    const auto inputs = resolve_inputs(graph, op, 1, 1);
    if (!inputs) return tl::unexpected(inputs.error());
    const Tensor& input = *(*inputs)[0];
    if (auto status = require_rank(input, 4, "input"); !status) return fail(status);
    return slide_window(input.shape, attributes, attributes.filter_height, attributes.filter_width,
                        1, 1, input.shape[3]);
  }

  Result<Shape> operator()(const MeanAttributes& attributes) const {
    const auto inputs = resolve_inputs(graph, op, 2, 2);
    if (!inputs) return tl::unexpected(inputs.error());
    const Tensor& input = *(*inputs)[0];
    if (auto status = require_elements(input); !status) return fail(status);
    const auto axes = constant_operand(*(*inputs)[1]);
    if (!axes) return tl::unexpected(axes.error());
    std::vector<bool> is_reduced(input.shape.size(), false);
    for (const int64_t axis : *axes) {
      const auto dimension = resolve_axis(axis, input.shape.size());
      if (!dimension) return tl::unexpected(dimension.error());
      is_reduced[*dimension] = true;
    }
    Shape shape;
    for (size_t dimension = 0; dimension < input.shape.size(); ++dimension) {
      if (!is_reduced[dimension]) {
        shape.push_back(input.shape[dimension]);
      } else if (attributes.keep_dims) {
        shape.push_back(1);
      }
    }
    return shape;
  }

  Result<Shape> operator()(const PadAttributes&) const {
    const auto inputs = resolve_inputs(graph, op, 2, 3);
    if (!inputs) return tl::unexpected(inputs.error());
    const Tensor& input = *(*inputs)[0];
    const Tensor& amounts_tensor = *(*inputs)[1];
    if (auto status = require_elements(input); !status) return fail(status);
    const auto amounts = constant_operand(amounts_tensor);
    if (!amounts) return tl::unexpected(amounts.error());
    const size_t rank = input.shape.size();
    if (amounts->size() != 2 * rank) {
      return make_error(ErrorCode::kInvalidModel, "amounts '{}' are {}, need {}x2",
                        printable(amounts_tensor.name), shape_to_string(amounts_tensor.shape),
                        rank);
    }
    if ((*inputs)[2] != nullptr && element_count((*inputs)[2]->shape) != int64_t{1}) {
      return make_error(ErrorCode::kInvalidModel, "pad value '{}' is {}, needs one element",
                        printable((*inputs)[2]->name), shape_to_string((*inputs)[2]->shape));
    }
    std::vector<int64_t> shape(rank);
    for (size_t dimension = 0; dimension < rank; ++dimension) {
      const int64_t before = (*amounts)[2 * dimension];
      const int64_t after = (*amounts)[2 * dimension + 1];
      if (before < 0 || after < 0 || before > kMaximumElementCount ||
          after > kMaximumElementCount) {
        return make_error(ErrorCode::kInvalidModel, "pads dimension {} by {} and {}", dimension,
                          before, after);
      }
      shape[dimension] = before + input.shape[dimension] + after;
    }
    return checked(shape);
  }

  Result<Shape> operator()(const ConcatenationAttributes& attributes) const {
    const auto inputs = resolve_inputs(graph, op, std::max<size_t>(op.inputs.size(), 1),
                                       std::max<size_t>(op.inputs.size(), 1));
    if (!inputs) return tl::unexpected(inputs.error());
    const Tensor& first = *inputs->front();
    const auto axis = resolve_axis(attributes.axis, first.shape.size());
    if (!axis) return tl::unexpected(axis.error());
    std::vector<int64_t> shape(first.shape.begin(), first.shape.end());
    shape[*axis] = 0;
    for (const Tensor* tensor : *inputs) {
      if (auto status = require_elements(*tensor); !status) return fail(status);
      bool fits = tensor->shape.size() == shape.size();
      for (size_t dimension = 0; fits && dimension < shape.size(); ++dimension) {
        fits = dimension == *axis || tensor->shape[dimension] == shape[dimension];
      }
      if (!fits) {
        return make_error(ErrorCode::kInvalidModel,
                          "'{}' ({}) and '{}' ({}) do not join on axis {}", printable(first.name),
                          shape_to_string(first.shape), printable(tensor->name),
                          shape_to_string(tensor->shape), *axis);
      }
      shape[*axis] += tensor->shape[*axis];
    }
    return checked(shape);
  }

  Result<Shape> operator()(const ReshapeAttributes& attributes) const {
    const auto inputs =
        resolve_inputs(graph, op, 1, attributes.kind == ReshapeKind::kSqueeze ? 1 : 2);
    if (!inputs) return tl::unexpected(inputs.error());
    const Tensor& input = *(*inputs)[0];
    if (auto status = require_elements(input); !status) return fail(status);
    switch (attributes.kind) {
      case ReshapeKind::kSqueeze:
        return squeeze(input, attributes.squeezed_axes);
      case ReshapeKind::kExpandDims:
        return expand_dims(input, (*inputs)[1]);
      case ReshapeKind::kReshape:
        break;
    }
    return reshape(input, (*inputs)[1], attributes.new_shape);
  }

  Result<Shape> operator()(const ResizeAttributes&) const {
    const auto inputs = resolve_inputs(graph, op, 2, 2);
    if (!inputs) return tl::unexpected(inputs.error());
    const Tensor& input = *(*inputs)[0];
    const Tensor& size_tensor = *(*inputs)[1];
    if (auto status = require_rank(input, 4, "input"); !status) return fail(status);
    const auto size = constant_operand(size_tensor);
    if (!size) return tl::unexpected(size.error());
    if (size->size() != 2 || (*size)[0] < 1 || (*size)[1] < 1) {
      return make_error(ErrorCode::kInvalidModel,
                        "the new size '{}' is [{}], needs two positive numbers",
                        printable(size_tensor.name), fmt::join(*size, ", "));
    }
    return checked({input.shape[0], (*size)[0], (*size)[1], input.shape[3]});
  }

  Result<Shape> operator()(const PixelBlockAttributes& attributes) const {
    const auto inputs = resolve_inputs(graph, op, 1, 1);
    if (!inputs) return tl::unexpected(inputs.error());
    const Tensor& input = *(*inputs)[0];
    if (auto status = require_rank(input, 4, "input"); !status) return fail(status);
    const int64_t size = attributes.block_size;
    if (size < 1) {
      return make_error(ErrorCode::kInvalidModel, "block size {} must be positive", size);
    }
    const int64_t height = input.shape[1];
    const int64_t width = input.shape[2];
    const int64_t channels = input.shape[3];
    if (attributes.kind == PixelBlockKind::kDepthToSpace) {
      if (channels % (size * size) != 0) {
        return make_error(ErrorCode::kInvalidModel,
                          "the {} channels of '{}' do not fill {}x{} pixels", channels,
                          printable(input.name), size, size);
      }
      return checked({input.shape[0], height * size, width * size, channels / (size * size)});
    }
    if (height % size != 0 || width % size != 0) {
      return make_error(ErrorCode::kInvalidModel, "the {}x{} pixels of '{}' are not made of {}x{}",
                        height, width, printable(input.name), size, size);
    }
    return checked({input.shape[0], height / size, width / size, channels * size * size});
  }

  Result<Shape> operator()(const SoftmaxAttributes& attributes) const {
    const auto shape = same_as_input();
    if (!shape) return shape;
    if (shape->empty()) return make_error(ErrorCode::kInvalidModel, "a scalar has no softmax");
    if (!std::isfinite(attributes.beta)) {
      return make_error(ErrorCode::kInvalidModel, "beta {} is not a number", attributes.beta);
    }
    return shape;
  }

  Result<Shape> operator()(const UnaryAttributes& attributes) const {
    if (!std::isfinite(attributes.alpha)) {
      return make_error(ErrorCode::kInvalidModel, "alpha {} is not a number", attributes.alpha);
    }
    return same_as_input();
  }

  Result<Shape> operator()(const QuantizeAttributes&) const { return same_as_input(); }
  Result<Shape> operator()(const DequantizeAttributes&) const { return same_as_input(); }

  Result<Shape> operator()(const OpaqueAttributes& attributes) const {
    return make_error(ErrorCode::kUnsupported, "{}", attributes.reason);
  }

 private:
  static tl::unexpected<Error> fail(const Status& status) { return tl::unexpected(status.error()); }

  static int32_t extent_from_end(const Shape& shape, size_t from_end) {
    return from_end <= shape.size() ? shape[shape.size() - from_end] : 1;
  }

  // A shape computed in 64 bits, once it is known to be a possible one.
  static Result<Shape> checked(const std::vector<int64_t>& extents) {
    Shape shape;
    for (const int64_t extent : extents) {
      if (extent > std::numeric_limits<int32_t>::max()) {
        return make_error(ErrorCode::kUnsupported, "the output would have an extent of {}", extent);
      }
      shape.push_back(static_cast<int32_t>(extent));
    }
    return shape;
  }

  Result<Shape> same_as_input() const {
    const auto inputs = resolve_inputs(graph, op, 1, 1);
    if (!inputs) return tl::unexpected(inputs.error());
    if (auto status = require_elements(*inputs->front()); !status) return fail(status);
    return inputs->front()->shape;
  }

  static Result<Shape> squeeze(const Tensor& input, const std::vector<int32_t>& axes) {
    std::vector<bool> is_squeezed(input.shape.size(), false);
    for (const int32_t axis : axes) {
      const auto dimension = resolve_axis(axis, input.shape.size());
      if (!dimension) return tl::unexpected(dimension.error());
      if (input.shape[*dimension] != 1) {
        return make_error(ErrorCode::kInvalidModel, "axis {} of '{}' ({}) is not 1", axis,
                          printable(input.name), shape_to_string(input.shape));
      }
      is_squeezed[*dimension] = true;
    }
    Shape shape;
    for (size_t dimension = 0; dimension < input.shape.size(); ++dimension) {
      const bool goes = axes.empty() ? input.shape[dimension] == 1 : is_squeezed[dimension];
      if (!goes) shape.push_back(input.shape[dimension]);
    }
    return shape;
  }

  static Result<Shape> expand_dims(const Tensor& input, const Tensor* axis_tensor) {
    if (axis_tensor == nullptr) return make_error(ErrorCode::kInvalidModel, "has no axis operand");
    const auto axis = constant_operand(*axis_tensor);
    if (!axis) return tl::unexpected(axis.error());
    if (axis->size() != 1) {
      return make_error(ErrorCode::kInvalidModel, "has {} axes, needs one", axis->size());
    }
    const auto dimension = resolve_axis(axis->front(), input.shape.size() + 1);
    if (!dimension) return tl::unexpected(dimension.error());
    Shape shape = input.shape;
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(*dimension), 1);
    return shape;
  }

  Result<Shape> reshape(const Tensor& input, const Tensor* shape_tensor,
                        const std::vector<int32_t>& new_shape) const {
    std::vector<int64_t> wanted(new_shape.begin(), new_shape.end());
    if (shape_tensor != nullptr) {
      const auto operand = constant_operand(*shape_tensor);
      if (!operand) return tl::unexpected(operand.error());
      wanted = *operand;
    } else if (wanted.empty()) {
      const auto output = declared_output();
      if (!output) return tl::unexpected(output.error());
      wanted.assign((*output)->shape.begin(), (*output)->shape.end());
    } else if (wanted.size() == 1 && wanted.front() == 0) {
      wanted.clear();  // how early converters wrote a scalar
    }
    const int64_t count = *element_count(input.shape);
    int64_t known = 1;
    std::optional<size_t> free_dimension;
    for (size_t dimension = 0; dimension < wanted.size(); ++dimension) {
      if (wanted[dimension] == -1 && !free_dimension) {
        free_dimension = dimension;
      } else if (wanted[dimension] < 1 || wanted[dimension] > count / known) {
        return misfit(input, wanted);
      } else {
        known *= wanted[dimension];
      }
    }
    if (free_dimension) {
      wanted[*free_dimension] = count / known;
      known *= wanted[*free_dimension];
    }
    if (known != count) return misfit(input, wanted);
    return checked(wanted);
  }

  Result<const Tensor*> declared_output() const {
    if (op.outputs.size() != 1 || op.outputs[0] < 0 ||
        static_cast<size_t>(op.outputs[0]) >= graph.tensors.size()) {
      return make_error(ErrorCode::kInvalidModel, "says nowhere what the new shape is");
    }
    return &graph.tensors[static_cast<size_t>(op.outputs[0])];
  }

  static tl::unexpected<Error> misfit(const Tensor& input, const std::vector<int64_t>& wanted) {
    return make_error(ErrorCode::kInvalidModel, "'{}' ({}) cannot take the shape {}",
                      printable(input.name), shape_to_string(input.shape), fmt::join(wanted, "x"));
  }
};

}  // namespace

Result<Shape> infer_output_shape(const Graph& graph, const Operator& op) {
  Result<Shape> shape = std::visit(Inference{graph, op}, op.attributes);
  if (!shape) return shape;
  if (!element_count(*shape)) {
    return make_error(ErrorCode::kUnsupported, "the output would have the shape {}: too large",
                      shape_to_string(*shape));
  }
  return shape;
}

namespace {

// Whether the graph's input may take the new shape, whatever the operators make of it.
Status check_new_input_shape(const Graph& graph, int32_t tensor, const Shape& shape) {
  if (std::find(graph.inputs.begin(), graph.inputs.end(), tensor) == graph.inputs.end()) {
    return make_error(ErrorCode::kInvalidArgument, "{}: tensor {} is not a graph input", graph.name,
                      tensor);
  }
  const Tensor& input = graph.tensors[static_cast<size_t>(tensor)];
  const auto refuse = [&](std::string_view reason) {
    return make_error(
        ErrorCode::kInvalidArgument, "{}: input '{}' ({}) cannot be resized to {}: {}", graph.name,
        printable(input.name), shape_to_string(input.shape), shape_to_string(shape), reason);
  };
  if (shape.size() != input.shape.size()) return refuse("the number of dimensions is fixed");
  if (element_count(shape).value_or(0) == 0) return refuse("no elements or too many");
  for (size_t dimension = 0; dimension < shape.size(); ++dimension) {
    const bool is_free = dimension == 0 || (dimension < input.shape_signature.size() &&
                                            input.shape_signature[dimension] == -1);
    if (shape[dimension] != input.shape[dimension] && !is_free) {
      return refuse(fmt::format("extent {} is fixed", dimension));
    }
  }
  return {};
}

}  // namespace

Status resize_inputs(Graph& graph, std::span<const ResizedInput> inputs) {
  // Worked out on a copy, so that a failure leaves the graph as it was. Constants are shared.
  Graph resized = graph;
  std::vector<bool> has_changed(graph.tensors.size(), false);
  const auto change = [&](int32_t index, const Shape& new_shape) {
    Tensor& changed = resized.tensors[static_cast<size_t>(index)];
    if (changed.shape == new_shape) return;
    changed.shape = new_shape;
    has_changed[static_cast<size_t>(index)] = true;
  };
  for (const ResizedInput& input : inputs) {
    if (auto status = check_new_input_shape(graph, input.tensor, input.shape); !status) {
      return status;
    }
    change(input.tensor, input.shape);
  }
  for (size_t i = 0; i < resized.operators.size(); ++i) {
    const Operator& op = resized.operators[i];
    const bool is_affected = std::any_of(op.inputs.begin(), op.inputs.end(), [&](int32_t index) {
      return index != kAbsentTensor && has_changed[static_cast<size_t>(index)];
    });
    if (!is_affected) continue;
    const Result<Shape> output = infer_output_shape(resized, op);
    if (!output) {
      return make_error(ErrorCode::kInvalidArgument, "{}: cannot be resized: {}: {}", graph.name,
                        describe_operator(resized, i), output.error().message);
    }
    change(op.outputs[0], *output);
  }
  // An activation may be quantized along the extent that changed: the scales no longer fit then.
  if (auto status = validate(resized); !status) {
    return make_error(ErrorCode::kInvalidArgument, "cannot be resized: {}", status.error().message);
  }
  graph = std::move(resized);
  return {};
}

Status resize_input(Graph& graph, int32_t tensor, const Shape& shape) {
  const ResizedInput input{tensor, shape};
  return resize_inputs(graph, std::span(&input, 1));
}

}  // namespace lockstep::graph
