// What decides how long an operator takes, as text.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "backend/vulkan/layout.h"
#include "backend/vulkan/tuning.h"

namespace lockstep::backend::vulkan {
namespace {

std::string text_of(const graph::Extent4d& extent) {
  return fmt::format("{}x{}x{}x{}", extent.batch, extent.height, extent.width, extent.channels);
}

std::string text_of(const graph::Window2d& window) {
  return fmt::format("window {}x{} stride {}x{} dilation {}x{} padding {},{}", window.kernel_height,
                     window.kernel_width, window.stride_height, window.stride_width,
                     window.dilation_height, window.dilation_width, window.padding_top,
                     window.padding_left);
}

std::string text_of(const graph::OutputStage& stage) {
  return stage.stores_accumulators ? std::string("accumulators")
                                   : fmt::format("rounding {}", static_cast<int>(stage.rounding));
}

std::string text_of(const graph::BroadcastExtents& extents) {
  return fmt::format("{} left {} right {}", fmt::join(extents.output, "x"),
                     fmt::join(extents.left_strides, ","), fmt::join(extents.right_strides, ","));
}

bool has_nonzero(const std::vector<int32_t>& values) {
  return std::ranges::any_of(values, [](int32_t value) { return value != 0; });
}

// int8 and uint8 tensors are the same bytes to a kernel, and a fused table may turn one into the
// other: neither makes another operator of it.
std::string text_of(graph::DataType type) {
  const bool is_stored_signed = type == graph::DataType::kInt8 || type == graph::DataType::kUint8;
  return is_stored_signed ? "byte" : std::string(graph::data_type_name(type));
}

// Whatever is special about a kind of operator, beside the tensors it touches.
struct Describe {
  std::string operator()(const graph::LoweredConvolution& op) const {
    return fmt::format("convolution {} to {} {} groups {} asymmetric {} {}",
                       text_of(op.input_extent), text_of(op.output_extent), text_of(op.window),
                       op.groups, has_nonzero(op.weights_zero_points), text_of(op.output_stage));
  }
  std::string operator()(const graph::LoweredDepthwiseConvolution& op) const {
    return fmt::format("depthwise {} to {} {} multiplier {} asymmetric {} {}",
                       text_of(op.input_extent), text_of(op.output_extent), text_of(op.window),
                       op.depth_multiplier, has_nonzero(op.weights_zero_points),
                       text_of(op.output_stage));
  }
  std::string operator()(const graph::LoweredAdd& op) const {
    return fmt::format("add {} arithmetic {} {}", text_of(op.extents),
                       static_cast<int>(op.arithmetic), text_of(op.output_stage));
  }
  std::string operator()(const graph::LoweredMul& op) const {
    return fmt::format("multiply {} {}", text_of(op.extents), text_of(op.output_stage));
  }
  std::string operator()(const graph::LoweredPool& op) const {
    return fmt::format("pool {} {} to {} {}", static_cast<int>(op.kind), text_of(op.input_extent),
                       text_of(op.output_extent), text_of(op.window));
  }
  std::string operator()(const graph::LoweredMean& op) const {
    return fmt::format("mean {}x{}x{}", op.outer, op.reduced, op.inner);
  }
  std::string operator()(const graph::LoweredPad& op) const {
    return fmt::format("pad {} to {} before {}", fmt::join(op.input_extents, "x"),
                       fmt::join(op.output_extents, "x"), fmt::join(op.before, ","));
  }
  std::string operator()(const graph::LoweredConcatenation& op) const {
    std::vector<int> has_table;
    for (const std::vector<int8_t>& table : op.tables) {
      has_table.push_back(table.empty() ? 0 : 1);
    }
    return fmt::format("concatenation {} of {} tables {}", op.outer, fmt::join(op.axis_sizes, ","),
                       fmt::join(has_table, ","));
  }
  std::string operator()(const graph::LoweredReshape&) const { return "reshape"; }
  std::string operator()(const graph::LoweredTransposition& op) const {
    return fmt::format("transposition {}x{}x{}x{}", op.outer, op.rows, op.columns, op.inner);
  }
  std::string operator()(const graph::LoweredResizeNearestNeighbor&) const {
    return "nearest neighbor resize";
  }
  std::string operator()(const graph::LoweredResizeBilinear& op) const {
    return fmt::format("bilinear resize arithmetic {}", static_cast<int>(op.arithmetic));
  }
  std::string operator()(const graph::LoweredTable&) const { return "table"; }
  std::string operator()(const graph::LoweredSoftmax&) const { return "softmax"; }
  std::string operator()(const graph::LoweredQuantize&) const { return "quantize"; }
  std::string operator()(const graph::LoweredDequantize&) const { return "dequantize"; }
};

}  // namespace

std::string operator_signature(const graph::LoweredGraph& graph, const graph::LoweredOperator& op) {
  std::string text = std::visit(Describe{}, op.operation) + ";";
  std::vector<int32_t> tensors = graph::operation_inputs(op.operation);
  tensors.push_back(graph::operation_output(op.operation));
  for (const int32_t index : tensors) {
    const graph::LoweredTensor& tensor = graph.tensors[static_cast<size_t>(index)];
    text += fmt::format(" {} {}{}", text_of(tensor.type), graph::shape_to_string(tensor.shape),
                        tensor.constant.empty() ? "" : " constant");
  }
  return text;
}

}  // namespace lockstep::backend::vulkan
