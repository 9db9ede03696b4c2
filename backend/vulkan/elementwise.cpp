// ADD and MUL of two tensors, with broadcasting.
#include <algorithm>
#include <optional>

#include "backend/vulkan/addition.h"
#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {
namespace {

// How an operand repeats, where that follows rows: each of its rows serves `repeat` neighbouring
// output rows, and its channels are those of the output or one for all.
struct RowBroadcast {
  int64_t repeat;
  bool single_channel;
};

// Empty when the operand repeats in another way (rows that come round again, say).
std::optional<RowBroadcast> row_broadcast(const graph::Shape& operand, const graph::Shape& output) {
  const TensorLayout operand_layout = layout_of(operand);
  const TensorLayout output_layout = layout_of(output);
  const bool single_channel = operand_layout.channels == 1 && output_layout.channels != 1;
  if (!single_channel && operand_layout.channels != output_layout.channels) {
    return std::nullopt;
  }
  // Leading dimensions, which number the rows: those of the output first, from some point on 1.
  const size_t missing = output.size() - operand.size();
  bool ones = false;
  for (size_t i = 0; i + 1 < output.size(); ++i) {
    const int32_t extent = i < missing ? 1 : operand[i - missing];
    if (extent == output[i] && !(ones && extent != 1)) {
      continue;
    }
    if (extent != 1) {
      return std::nullopt;
    }
    ones = true;
  }
  return RowBroadcast{output_layout.rows / operand_layout.rows, single_channel};
}

// The operands and the arithmetic of an operator, as elementwise.comp takes them.
struct Elementwise {
  std::string shader;
  int32_t left;
  int32_t right;
  int32_t output;
  const graph::BroadcastExtents& extents;
  std::vector<uint32_t> specialization;
  std::vector<uint32_t> arithmetic;         // push constants
  std::optional<graph::ByteTable> table{};  // of the epilogue
};

void append(std::vector<uint32_t>& words, const std::vector<uint32_t>& more) {
  words.insert(words.end(), more.begin(), more.end());
}

Result<KernelPlan> plan_shader(const PlanContext& context, const Elementwise& op,
                               const std::string& shader, const std::vector<uint32_t>& operands) {
  const TensorLayout output = context.layout(op.output);
  const uint32_t words = static_cast<uint32_t>(output.rows) * row_words(output);
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = shader + (op.table ? "_table" : "");
  dispatch.specialization = op.specialization;
  dispatch.push_constants = push_constants(words, row_words(output), stride_words(output));
  append(dispatch.push_constants, operands);
  append(dispatch.push_constants, op.arithmetic);
  dispatch.inputs = {tensor_binding(op.left), tensor_binding(op.right)};
  if (op.table) {
    dispatch.inputs.push_back(add_table(plan, *op.table));
  }
  dispatch.output = tensor_binding(op.output);
  return with_dispatch(context, words, std::move(dispatch), std::move(plan));
}

// How the operands follow the output, as the shader with BROADCAST takes it.
std::vector<uint32_t> broadcast_operands(const PlanContext& context, const Elementwise& op) {
  const graph::BroadcastExtents& extents = op.extents;
  std::vector<uint32_t> words = push_constants(
      context.layout(op.output).channels, extents.output[1], extents.output[2], extents.output[3]);
  for (const auto& strides : {extents.left_strides, extents.right_strides}) {
    words.insert(words.end(), strides.begin(), strides.end());
  }
  for (const int32_t operand : {op.left, op.right}) {
    const TensorLayout layout = context.layout(operand);
    append(words, push_constants(layout.channels, layout.channel_stride));
  }
  return words;
}

Result<KernelPlan> plan_elementwise(const PlanContext& context, const Elementwise& op) {
  const auto shape = [&](int32_t tensor) -> const graph::Shape& {
    return context.graph.tensors[static_cast<size_t>(tensor)].shape;
  };
  if (shape(op.left).size() > shape(op.output).size() ||
      shape(op.right).size() > shape(op.output).size()) {
    return make_error(ErrorCode::kUnsupported, "an operand has more dimensions than the output");
  }
  std::vector<Alternative> alternatives;
  const auto left_rows = row_broadcast(shape(op.left), shape(op.output));
  const auto right_rows = row_broadcast(shape(op.right), shape(op.output));
  if (left_rows && right_rows) {
    alternatives.push_back(
        {op.shader, [&] {
           return plan_shader(
               context, op, op.shader,
               push_constants(left_rows->repeat, stride_words(context.layout(op.left)),
                              left_rows->single_channel, right_rows->repeat,
                              stride_words(context.layout(op.right)), right_rows->single_channel));
         }});
  }
  const std::string broadcast = op.shader + "_broadcast";
  alternatives.push_back(
      {broadcast,
       [&] { return plan_shader(context, op, broadcast, broadcast_operands(context, op)); }});
  return plan_one_of(context, alternatives);
}

}  // namespace

Result<KernelPlan> plan_add(const PlanContext& context, const graph::LoweredAdd& op) {
  const Addition addition = addition_of(op);
  return plan_elementwise(
      context, {.shader = "add",
                .left = op.left,
                .right = op.right,
                .output = op.output,
                .extents = op.extents,
                .specialization = {addition.end, addition.arithmetic},
                .arithmetic = push_constants(
                    addition.left_zero_point, addition.right_zero_point, addition.sum.multiplier,
                    addition.sum.shift, addition.output_zero_point, addition.activation_min,
                    addition.activation_max, addition.left_shift, addition.left.multiplier,
                    addition.left.shift, addition.right.multiplier, addition.right.shift),
                .table = context.ends().table});
}

Result<KernelPlan> plan_mul(const PlanContext& context, const graph::LoweredMul& op) {
  const graph::OutputStage& stage = op.output_stage;
  return plan_elementwise(
      context,
      {.shader = "multiply",
       .left = op.left,
       .right = op.right,
       .output = op.output,
       .extents = op.extents,
       .specialization = {static_cast<uint32_t>(stage.rounding)},
       .arithmetic = push_constants(op.left_zero_point, op.right_zero_point,
                                    stage.scales[0].multiplier, stage.scales[0].shift,
                                    stage.zero_point, stage.activation_min, stage.activation_max)});
}

}  // namespace lockstep::backend::vulkan
