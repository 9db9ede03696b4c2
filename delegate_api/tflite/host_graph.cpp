#include "delegate_api/tflite/host_graph.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "delegate_api/partitioner.h"
#include "graph/builtin_operators.h"
#include "graph/validation.h"

namespace lockstep::delegate {
namespace {

namespace builtin = graph::builtin;

graph::DataType data_type_of(abi::Type type) {
  switch (type) {
    case abi::Type::kFloat32:
      return graph::DataType::kFloat32;
    case abi::Type::kInt32:
      return graph::DataType::kInt32;
    case abi::Type::kUint8:
      return graph::DataType::kUint8;
    case abi::Type::kInt64:
      return graph::DataType::kInt64;
    case abi::Type::kBool:
      return graph::DataType::kBool;
    case abi::Type::kInt16:
      return graph::DataType::kInt16;
    case abi::Type::kInt8:
      return graph::DataType::kInt8;
    case abi::Type::kFloat16:
      return graph::DataType::kFloat16;
  }
  return graph::DataType::kOther;
}

std::span<const int32_t> numbers_of(const abi::IntArray* array) {
  return array == nullptr || array->size < 0
             ? std::span<const int32_t>()
             : std::span(array->data(), static_cast<size_t>(array->size));
}

graph::Quantization quantization_of(const abi::Tensor& tensor) {
  graph::Quantization quantization;
  if (tensor.quantization.type == abi::Quantization::kAffine &&
      tensor.quantization.params != nullptr) {
    const auto& affine = *static_cast<const abi::AffineQuantization*>(tensor.quantization.params);
    if (affine.scale != nullptr && affine.scale->size > 0) {
      quantization.scales.assign(affine.scale->data(), affine.scale->data() + affine.scale->size);
      const std::span<const int32_t> zero_points = numbers_of(affine.zero_point);
      quantization.zero_points.assign(zero_points.begin(), zero_points.end());
      // One zero point may stand for all channels.
      if (quantization.zero_points.size() == 1) {
        quantization.zero_points.resize(quantization.scales.size(), zero_points.front());
      }
      quantization.axis = affine.quantized_dimension;
    }
  } else if (tensor.params.scale != 0.0f) {
    quantization.scales = {tensor.params.scale};
    quantization.zero_points = {tensor.params.zero_point};
  }
  return quantization;
}

graph::Tensor read_tensor(const abi::Tensor& host) {
  graph::Tensor tensor;
  tensor.name = host.name != nullptr ? host.name : "";
  tensor.type = data_type_of(host.type);
  tensor.shape = host_shape(host).value_or(graph::Shape{});
  tensor.is_variable = host.is_variable;
  tensor.is_sparse = host.sparsity != nullptr;
  const bool is_integer = graph::integer_range(tensor.type).has_value();
  if (is_integer) {
    tensor.quantization = quantization_of(host);
  }
  if (host.allocation_type == abi::AllocationType::kReadOnlyModel && host.data != nullptr) {
    tensor.data = {static_cast<const std::byte*>(host.data), host.bytes};
  }
  return tensor;
}

std::optional<graph::Padding> padding_of(abi::Padding padding) {
  switch (padding) {
    case abi::Padding::kSame:
      return graph::Padding::kSame;
    case abi::Padding::kValid:
      return graph::Padding::kValid;
    case abi::Padding::kUnknown:
      break;
  }
  return std::nullopt;
}

std::optional<graph::Activation> activation_of(abi::Activation activation) {
  switch (activation) {
    case abi::Activation::kNone:
      return graph::Activation::kNone;
    case abi::Activation::kRelu:
      return graph::Activation::kRelu;
    case abi::Activation::kReluN1To1:
      return graph::Activation::kReluN1To1;
    case abi::Activation::kRelu6:
      return graph::Activation::kRelu6;
    case abi::Activation::kTanh:
      return graph::Activation::kTanh;
    case abi::Activation::kSignBit:
      return graph::Activation::kSignBit;
    case abi::Activation::kSigmoid:
      break;
  }
  return std::nullopt;
}

graph::OperatorAttributes opaque(std::string reason) {
  return graph::OpaqueAttributes{std::move(reason)};
}

graph::OperatorAttributes unknown_option() {
  return opaque("it has a padding or a fused activation that is unknown here");
}

graph::OperatorAttributes read_conv_2d(const abi::ConvParams& params) {
  const auto padding = padding_of(params.padding);
  const auto activation = activation_of(params.activation);
  if (!padding || !activation) {
    return unknown_option();
  }
  return graph::Conv2dAttributes{.padding = *padding,
                                 .stride_height = params.stride_height,
                                 .stride_width = params.stride_width,
                                 .dilation_height = params.dilation_height,
                                 .dilation_width = params.dilation_width,
                                 .activation = *activation};
}

// The host takes the depth multiplier from the shapes, whatever its parameters say.
int32_t depth_multiplier_of(const graph::Graph& graph, std::span<const int32_t> inputs,
                            int32_t declared) {
  if (inputs.size() < 2 || inputs[0] < 0 || inputs[1] < 0) {
    return declared;
  }
  const graph::Shape& input = graph.tensors[static_cast<size_t>(inputs[0])].shape;
  const graph::Shape& weights = graph.tensors[static_cast<size_t>(inputs[1])].shape;
  if (input.size() != 4 || weights.size() != 4 || input[3] <= 0 || weights[3] % input[3] != 0) {
    return declared;
  }
  return weights[3] / input[3];
}

graph::OperatorAttributes read_depthwise_conv_2d(const graph::Graph& graph,
                                                 std::span<const int32_t> inputs,
                                                 const abi::DepthwiseConvParams& params) {
  const auto padding = padding_of(params.padding);
  const auto activation = activation_of(params.activation);
  if (!padding || !activation) {
    return unknown_option();
  }
  return graph::DepthwiseConv2dAttributes{
      .padding = *padding,
      .stride_height = params.stride_height,
      .stride_width = params.stride_width,
      .dilation_height = params.dilation_height,
      .dilation_width = params.dilation_width,
      .depth_multiplier = depth_multiplier_of(graph, inputs, params.depth_multiplier),
      .activation = *activation};
}

graph::OperatorAttributes read_pool_2d(graph::PoolKind kind, const abi::PoolParams& params) {
  const auto padding = padding_of(params.padding);
  const auto activation = activation_of(params.activation);
  if (!padding || !activation) {
    return unknown_option();
  }
  return graph::Pool2dAttributes{.kind = kind,
                                 .padding = *padding,
                                 .stride_height = params.stride_height,
                                 .stride_width = params.stride_width,
                                 .filter_height = params.filter_height,
                                 .filter_width = params.filter_width,
                                 .activation = *activation};
}

graph::OperatorAttributes read_fully_connected(const abi::FullyConnectedParams& params) {
  const auto activation = activation_of(params.activation);
  if (!activation) {
    return unknown_option();
  }
  return graph::FullyConnectedAttributes{
      .activation = *activation,
      .keep_num_dims = params.keep_num_dims,
      .default_weights_format =
          params.weights_format == abi::FullyConnectedParams::kDefaultWeightsFormat};
}

graph::OperatorAttributes read_binary(graph::BinaryKind kind, const abi::BinaryParams& params) {
  const auto activation = activation_of(params.activation);
  if (!activation) {
    return unknown_option();
  }
  return graph::BinaryAttributes{.kind = kind, .activation = *activation};
}

graph::OperatorAttributes read_concatenation(const abi::ConcatenationParams& params) {
  const auto activation = activation_of(params.activation);
  if (!activation) {
    return unknown_option();
  }
  return graph::ConcatenationAttributes{.axis = params.axis, .activation = *activation};
}

std::vector<int32_t> leading_numbers(const int32_t (&numbers)[8], int32_t count) {
  return {numbers, numbers + std::clamp(count, 0, 8)};
}

graph::OperatorAttributes read_resize(graph::ResizeKind kind, int32_t version,
                                      const abi::ResizeParams& params) {
  const bool has_half_pixel_centers = kind == graph::ResizeKind::kBilinear || version >= 3;
  return graph::ResizeAttributes{
      .kind = kind,
      .align_corners = params.align_corners,
      .half_pixel_centers = has_half_pixel_centers && params.half_pixel_centers};
}

graph::OperatorAttributes read_pixel_blocks(graph::PixelBlockKind kind,
                                            const abi::PixelBlockParams& params) {
  return graph::PixelBlockAttributes{.kind = kind, .block_size = params.block_size};
}

graph::OperatorAttributes read_unary(graph::UnaryKind kind) {
  return graph::UnaryAttributes{.kind = kind};
}

// Operators whose meaning does not need builtin_data come first; the others check that it is there.
graph::OperatorAttributes read_attributes(const graph::Graph& graph, int32_t builtin_code,
                                          int32_t version, const abi::Node& node) {
  switch (builtin_code) {
    case builtin::kPad:
    case builtin::kPadV2:
      return graph::PadAttributes{};
    case builtin::kExpandDims:
      return graph::ReshapeAttributes{
          .kind = graph::ReshapeKind::kExpandDims, .new_shape = {}, .squeezed_axes = {}};
    case builtin::kLogistic:
      return read_unary(graph::UnaryKind::kLogistic);
    case builtin::kTanh:
      return read_unary(graph::UnaryKind::kTanh);
    case builtin::kRelu:
      return read_unary(graph::UnaryKind::kRelu);
    case builtin::kReluN1To1:
      return read_unary(graph::UnaryKind::kReluN1To1);
    case builtin::kRelu6:
      return read_unary(graph::UnaryKind::kRelu6);
    case builtin::kHardSwish:
      return read_unary(graph::UnaryKind::kHardSwish);
    case builtin::kQuantize:
      return graph::QuantizeAttributes{};
    case builtin::kDequantize:
      return graph::DequantizeAttributes{};
    default:
      break;
  }
  const void* const data = node.builtin_data;
  if (data == nullptr) {
    return opaque("the host gives no parameters for it");
  }
  switch (builtin_code) {
    case builtin::kConv2d:
      return read_conv_2d(*static_cast<const abi::ConvParams*>(data));
    case builtin::kDepthwiseConv2d:
      return read_depthwise_conv_2d(graph, numbers_of(node.inputs),
                                    *static_cast<const abi::DepthwiseConvParams*>(data));
    case builtin::kAveragePool2d:
      return read_pool_2d(graph::PoolKind::kAverage, *static_cast<const abi::PoolParams*>(data));
    case builtin::kMaxPool2d:
      return read_pool_2d(graph::PoolKind::kMax, *static_cast<const abi::PoolParams*>(data));
    case builtin::kFullyConnected:
      return read_fully_connected(*static_cast<const abi::FullyConnectedParams*>(data));
    case builtin::kAdd:
      return read_binary(graph::BinaryKind::kAdd, *static_cast<const abi::BinaryParams*>(data));
    case builtin::kMul:
      return read_binary(graph::BinaryKind::kMul, *static_cast<const abi::BinaryParams*>(data));
    case builtin::kConcatenation:
      return read_concatenation(*static_cast<const abi::ConcatenationParams*>(data));
    case builtin::kMean:
      return graph::MeanAttributes{.keep_dims =
                                       static_cast<const abi::ReducerParams*>(data)->keep_dims};
    case builtin::kReshape: {
      const auto& params = *static_cast<const abi::ReshapeParams*>(data);
      return graph::ReshapeAttributes{.kind = graph::ReshapeKind::kReshape,
                                      .new_shape = leading_numbers(params.shape, params.count),
                                      .squeezed_axes = {}};
    }
    case builtin::kSqueeze: {
      const auto& params = *static_cast<const abi::SqueezeParams*>(data);
      return graph::ReshapeAttributes{.kind = graph::ReshapeKind::kSqueeze,
                                      .new_shape = {},
                                      .squeezed_axes = leading_numbers(params.axes, params.count)};
    }
    case builtin::kResizeBilinear:
      return read_resize(graph::ResizeKind::kBilinear, version,
                         *static_cast<const abi::ResizeParams*>(data));
    case builtin::kResizeNearestNeighbor:
      return read_resize(graph::ResizeKind::kNearestNeighbor, version,
                         *static_cast<const abi::ResizeParams*>(data));
    case builtin::kDepthToSpace:
      return read_pixel_blocks(graph::PixelBlockKind::kDepthToSpace,
                               *static_cast<const abi::PixelBlockParams*>(data));
    case builtin::kSpaceToDepth:
      return read_pixel_blocks(graph::PixelBlockKind::kSpaceToDepth,
                               *static_cast<const abi::PixelBlockParams*>(data));
    case builtin::kSoftmax:
      return graph::SoftmaxAttributes{.beta = static_cast<const abi::SoftmaxParams*>(data)->beta};
    case builtin::kLeakyRelu:
      return graph::UnaryAttributes{.kind = graph::UnaryKind::kLeakyRelu,
                                    .alpha = static_cast<const abi::LeakyReluParams*>(data)->alpha};
    default:
      return opaque("an operator this build does not know");
  }
}

// The first of the node's tensors that has no shape yet, or null.
const abi::Tensor* unshaped_tensor(const abi::Context& context,
                                   const std::vector<int32_t>& tensors) {
  for (const int32_t index : tensors) {
    if (index == graph::kAbsentTensor) {
      continue;
    }
    const abi::Tensor& tensor = context.tensors[index];
    if (tensor.allocation_type == abi::AllocationType::kDynamic || !host_shape(tensor)) {
      return &tensor;
    }
  }
  return nullptr;
}

graph::Operator read_operator(const abi::Context& context, const graph::Graph& graph,
                              const abi::Node& node, const abi::Registration& registration) {
  graph::Operator op;
  op.builtin_code = registration.builtin_code;
  op.version = registration.version;
  const bool has_name = registration.custom_name != nullptr;
  op.name =
      has_name ? registration.custom_name : graph::builtin_operator_name(registration.builtin_code);
  const std::span<const int32_t> inputs = numbers_of(node.inputs);
  const std::span<const int32_t> outputs = numbers_of(node.outputs);
  op.inputs.assign(inputs.begin(), inputs.end());
  op.outputs.assign(outputs.begin(), outputs.end());

  const int32_t newest = graph::newest_understood_version(op.builtin_code);
  if (node.delegate != nullptr || op.builtin_code == abi::kBuiltinDelegate) {
    op.attributes = opaque("another delegate has it");
  } else if (newest == 0) {
    op.attributes = opaque("an operator this build does not know");
  } else if (op.version > newest) {
    op.attributes =
        opaque(fmt::format("version {} of the operator is newer than {}, the newest "
                           "this build knows",
                           op.version, newest));
  } else {
    op.attributes = read_attributes(graph, op.builtin_code, op.version, node);
  }
  if (!std::holds_alternative<graph::OpaqueAttributes>(op.attributes)) {
    const abi::Tensor* unshaped = unshaped_tensor(context, op.inputs);
    if (unshaped == nullptr) {
      unshaped = unshaped_tensor(context, op.outputs);
    }
    if (unshaped != nullptr) {
      op.attributes = opaque(fmt::format("the shape of '{}' is known only when the network runs",
                                         unshaped->name != nullptr ? unshaped->name : ""));
    }
  }
  return op;
}

// Indices as the host gives them, checked before anything is read through them.
Status check_indices(const abi::Context& context, const abi::Node& node, int32_t node_index) {
  for (const std::span<const int32_t> tensors :
       {numbers_of(node.inputs), numbers_of(node.outputs)}) {
    for (const int32_t tensor : tensors) {
      if (tensor != graph::kAbsentTensor &&
          (tensor < 0 || static_cast<size_t>(tensor) >= context.tensors_size)) {
        return make_error(ErrorCode::kInvalidModel, "node {} of the host: no tensor {} of {}",
                          node_index, tensor, context.tensors_size);
      }
    }
  }
  return {};
}

// The host does not say what goes in and out: see HostGraph::graph.
void find_inputs_and_outputs(graph::Graph& graph) {
  std::vector<bool> written(graph.tensors.size(), false);
  std::vector<bool> read(graph.tensors.size(), false);
  for (const graph::Operator& op : graph.operators) {
    for (const int32_t input : op.inputs) {
      if (input == graph::kAbsentTensor) {
        continue;
      }
      const auto tensor = static_cast<size_t>(input);
      if (!written[tensor] && !read[tensor] && !graph.tensors[tensor].is_constant()) {
        graph.inputs.push_back(input);
      }
      read[tensor] = true;
    }
    for (const int32_t output : op.outputs) {
      if (output != graph::kAbsentTensor) {
        written[static_cast<size_t>(output)] = true;
      }
    }
  }
  for (size_t tensor = 0; tensor < graph.tensors.size(); ++tensor) {
    if (written[tensor] && !read[tensor]) {
      graph.outputs.push_back(static_cast<int32_t>(tensor));
    }
  }
}

}  // namespace

std::optional<graph::Shape> host_shape(const abi::Tensor& tensor) {
  if (tensor.dims == nullptr) {
    return std::nullopt;
  }
  const std::span<const int32_t> extents = numbers_of(tensor.dims);
  if (std::any_of(extents.begin(), extents.end(), [](int32_t extent) { return extent < 0; })) {
    return std::nullopt;
  }
  return graph::Shape(extents.begin(), extents.end());
}

Result<HostGraph> read_host_graph(abi::Context* context) {
  abi::IntArray* plan = nullptr;
  if (context->get_execution_plan(context, &plan) != abi::Status::kOk || plan == nullptr) {
    return make_error(ErrorCode::kInternal, "the host gives no execution plan");
  }
  HostGraph host;
  // The host may reuse the plan's memory in later calls.
  const std::span<const int32_t> nodes = numbers_of(plan);
  host.nodes.assign(nodes.begin(), nodes.end());
  host.graph.name = "the host's network";
  for (size_t index = 0; index < context->tensors_size; ++index) {
    host.graph.tensors.push_back(read_tensor(context->tensors[index]));
  }
  for (const int32_t node_index : host.nodes) {
    abi::Node* node = nullptr;
    abi::Registration* registration = nullptr;
    if (context->get_node_and_registration(context, node_index, &node, &registration) !=
            abi::Status::kOk ||
        node == nullptr || registration == nullptr) {
      return make_error(ErrorCode::kInternal, "the host does not describe its node {}", node_index);
    }
    if (const Status checked = check_indices(*context, *node, node_index); !checked) {
      return tl::unexpected(checked.error());
    }
    host.graph.operators.push_back(read_operator(*context, host.graph, *node, *registration));
  }
  find_inputs_and_outputs(host.graph);
  if (const Status valid = graph::validate_structure(host.graph); !valid) {
    return tl::unexpected(valid.error());
  }
  for (size_t index = 0; index < host.graph.operators.size(); ++index) {
    if (const Status valid = graph::validate_operator(host.graph, index); !valid) {
      host.graph.operators[index].attributes =
          opaque(stated_reason(host.graph, index, valid.error()));
    }
  }
  return host;
}

graph::Graph extract_subgraph(const graph::Graph& graph, std::span<const size_t> operators,
                              std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
  graph::Graph part;
  part.name = graph.name;
  part.inputs = std::move(inputs);
  part.outputs = std::move(outputs);
  std::vector<bool> is_read(graph.tensors.size(), false);
  for (const size_t index : operators) {
    part.operators.push_back(graph.operators[index]);
    for (const int32_t input : graph.operators[index].inputs) {
      if (input != graph::kAbsentTensor) {
        is_read[static_cast<size_t>(input)] = true;
      }
    }
  }
  part.tensors = graph.tensors;
  auto copies = std::make_shared<std::vector<std::vector<std::byte>>>(graph.tensors.size());
  for (size_t index = 0; index < part.tensors.size(); ++index) {
    std::span<const std::byte>& data = part.tensors[index].data;
    if (is_read[index]) {
      (*copies)[index].assign(data.begin(), data.end());
    }
    data = (*copies)[index];
  }
  part.storage = std::move(copies);
  return part;
}

}  // namespace lockstep::delegate
