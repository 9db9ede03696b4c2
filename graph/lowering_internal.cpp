#include "graph/lowering_internal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "numerics/contract.h"

namespace lockstep::graph {
namespace {

using numerics::Contract;
using numerics::OperatorKind;

struct RealBounds {
  float minimum;
  float maximum;
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The bounds of a fused activation on real values.
RealBounds real_bounds(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return {0.0f, kInfinity};
    case Activation::kRelu6:
      return {0.0f, 6.0f};
    case Activation::kReluN1To1:
      return {-1.0f, 1.0f};
    default:
      return {-kInfinity, kInfinity};
  }
}

// zero_point + round(real / scale), ties away from zero, then clamped to the type.
int32_t builtin_bound(float real, float scale, int32_t zero_point) {
  const float quotient = std::clamp(std::round(real / scale), -1024.0f, 1024.0f);
  return std::clamp(zero_point + static_cast<int32_t>(quotient), -128, 127);
}

// round(real / scale + zero_point), ties to even, clamped to the type before it is rounded. The sum
// is formed in the model's own domain, because adding in float32 may round.
int32_t xnnpack_bound(float real, float scale, int32_t zero_point, int32_t offset) {
  const float unclamped = real / scale + static_cast<float>(zero_point + offset);
  const float clamped =
      std::clamp(unclamped, static_cast<float>(-128 + offset), static_cast<float>(127 + offset));
  return static_cast<int32_t>(std::nearbyint(clamped)) - offset;
}

}  // namespace

tl::unexpected<Error> refuse(const LoweringContext& context, std::string_view reason) {
  return make_error(ErrorCode::kUnsupported, "{}: {}: {}", context.graph.name,
                    describe_operator(context.graph, context.operator_index), reason);
}

const Tensor* optional_input(const LoweringContext& context, size_t position) {
  if (position >= context.op.inputs.size() || context.op.inputs[position] == kAbsentTensor) {
    return nullptr;
  }
  return &context.graph.tensors[static_cast<size_t>(context.op.inputs[position])];
}

const Tensor& input_tensor(const LoweringContext& context, size_t position) {
  return context.graph.tensors[static_cast<size_t>(context.op.inputs[position])];
}

const Tensor& output_tensor(const LoweringContext& context) {
  return context.graph.tensors[static_cast<size_t>(context.op.outputs[0])];
}

Status require_quantized(const LoweringContext& context, const Tensor& tensor) {
  if (tensor.type != DataType::kInt8 && tensor.type != DataType::kUint8) {
    return refuse(context, fmt::format("'{}' is {}; int8 or uint8 is needed",
                                       printable(tensor.name), data_type_name(tensor.type)));
  }
  if (!tensor.quantization.is_quantized()) {
    return refuse(context, fmt::format("'{}' has no scale", printable(tensor.name)));
  }
  if (tensor.quantization.is_per_axis()) {
    return refuse(context, fmt::format("'{}' has a scale for every channel; one scale is needed",
                                       printable(tensor.name)));
  }
  if (element_count(tensor.shape).value_or(0) == 0) {
    return refuse(context, fmt::format("'{}' has no elements", printable(tensor.name)));
  }
  return {};
}

Status require_one_type(const LoweringContext& context, std::span<const size_t> positions) {
  const Tensor& output = output_tensor(context);
  if (Status status = require_quantized(context, output); !status) {
    return status;
  }
  for (const size_t position : positions) {
    const Tensor& input = input_tensor(context, position);
    if (Status status = require_quantized(context, input); !status) {
      return status;
    }
    if (input.type != output.type) {
      return refuse(context, fmt::format("'{}' is {} but the output '{}' is {}",
                                         printable(input.name), data_type_name(input.type),
                                         printable(output.name), data_type_name(output.type)));
    }
  }
  return {};
}

Status require_constant(const LoweringContext& context, const Tensor& tensor) {
  if (tensor.is_sparse) {
    return refuse(context, fmt::format("'{}' is stored sparsely", printable(tensor.name)));
  }
  if (!tensor.is_constant()) {
    return refuse(context, fmt::format("'{}' is not a constant", printable(tensor.name)));
  }
  return {};
}

int32_t model_zero_point(const Tensor& tensor) {
  return tensor.quantization.zero_points.empty() ? 0 : tensor.quantization.zero_points[0];
}

int32_t stored_zero_point(const Tensor& tensor) {
  return model_zero_point(tensor) - storage_offset(tensor.type);
}

bool same_quantization(const Tensor& a, const Tensor& b) {
  return scale_of(a) == scale_of(b) && model_zero_point(a) == model_zero_point(b);
}

std::vector<int8_t> stored_values(const Tensor& tensor) {
  std::vector<int8_t> values(tensor.data.size());
  to_stored(tensor.type, tensor.data.data(), reinterpret_cast<std::byte*>(values.data()),
            values.size());
  return values;
}

std::vector<int32_t> index_values(const Tensor& tensor) {
  if (tensor.type == DataType::kInt32) {
    return constant_values<int32_t>(tensor);
  }
  std::vector<int32_t> values;
  for (const int64_t value : constant_values<int64_t>(tensor)) {
    values.push_back(static_cast<int32_t>(std::clamp<int64_t>(
        value, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max())));
  }
  return values;
}

Extent4d extent_of(const Tensor& tensor) {
  return {tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3]};
}

Window2d padded_window(Window2d window, const Extent4d& input, const Extent4d& output) {
  // One beyond the last row or column that the windows cover, counted from the first one's start.
  const auto covered = [](int32_t out, int32_t kernel, int32_t stride, int32_t dilation) {
    return (out - 1) * stride + (kernel - 1) * dilation + 1;
  };
  const int32_t covered_height =
      covered(output.height, window.kernel_height, window.stride_height, window.dilation_height);
  const int32_t covered_width =
      covered(output.width, window.kernel_width, window.stride_width, window.dilation_width);
  // What is covered beyond the image is padding; the smaller half lies before it. With VALID
  // padding the output's extent was chosen so that nothing is.
  const auto before = [](int32_t covered_extent, int32_t in) {
    return std::max(covered_extent - in, 0) / 2;
  };
  window.padding_top = before(covered_height, input.height);
  window.padding_left = before(covered_width, input.width);
  return window;
}

Result<ActivationRange> activation_range(const LoweringContext& context, Activation activation,
                                         Engine engine) {
  if (activation == Activation::kTanh || activation == Activation::kSignBit) {
    return refuse(context, "its fused activation is not one that integer kernels compute");
  }
  const Tensor& output = output_tensor(context);
  const RealBounds bounds = real_bounds(activation);
  const auto quantized = [&](float real) {
    return engine == Engine::kXnnpack
               ? xnnpack_bound(real, scale_of(output), stored_zero_point(output),
                               storage_offset(output.type))
               : builtin_bound(real, scale_of(output), stored_zero_point(output));
  };
  return ActivationRange{quantized(bounds.minimum), quantized(bounds.maximum)};
}

Status require_usable_scale(const LoweringContext& context, double scale) {
  if (!numerics::is_usable_scale(std::abs(scale))) {
    return refuse(context, fmt::format("its scale {} is beyond what integers express", scale));
  }
  return {};
}

numerics::Rounding builtin_rounding(Contract contract, OperatorKind kind) {
  return numerics::rounding_for(contract == Contract::kLitert ? Contract::kTflite : contract, kind);
}

}  // namespace lockstep::graph
