// PAD, CONCATENATION and RESHAPE: whole words where the layout allows it, bytes elsewhere.
#include <algorithm>
#include <numeric>

#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {
namespace {

// Rows follow one another without padding: the bytes are those of the dense tensor.
bool is_dense(const TensorLayout& layout) { return layout.channels == layout.channel_stride; }

Status add_dispatch(const PlanContext& context, uint64_t invocations, Dispatch dispatch,
                    KernelPlan& plan) {
  if (Status status = size_dispatch(context.capabilities, invocations, dispatch); !status) {
    return status;
  }
  plan.dispatches.push_back(std::move(dispatch));
  return {};
}

// One input of a concatenation: copies it to [first_element, first_element + elements) of every
// outer row of the output. A reshape is the one input of a concatenation.
struct Piece {
  int32_t input = 0;
  int32_t output = 0;
  int32_t outer = 1;
  int32_t elements = 0;         // of the input in one outer row
  int32_t first_element = 0;    // where they lie in the output's
  int32_t output_elements = 0;  // of the output in one outer row
  std::span<const int8_t> table{};
  bool is_first = true;  // nothing of the output was written before
};

// Whether a piece is whole rows of the output, or whole words of its rows.
bool moves_words(const PlanContext& context, const Piece& piece) {
  const TensorLayout input = context.layout(piece.input);
  const TensorLayout output = context.layout(piece.output);
  const bool whole_rows =
      input.channels == output.channels && piece.elements % output.channels == 0 &&
      piece.first_element % output.channels == 0 && piece.output_elements % output.channels == 0;
  const bool is_last = piece.first_element + piece.elements == piece.output_elements;
  const bool whole_words =
      input.channels == piece.elements && output.channels == piece.output_elements &&
      piece.first_element % kWordBytes == 0 && (piece.elements % kWordBytes == 0 || is_last);
  return whole_rows || whole_words;
}

Dispatch piece_dispatch(const Piece& piece, std::string shader, KernelPlan& plan) {
  Dispatch dispatch;
  dispatch.inputs = {tensor_binding(piece.input)};
  if (!piece.table.empty()) {
    shader += "_table";
    dispatch.inputs.push_back(add_table(plan, piece.table));
  }
  dispatch.shader = std::move(shader);
  dispatch.output = tensor_binding(piece.output);
  return dispatch;
}

Status add_words(const PlanContext& context, const Piece& piece, KernelPlan& plan) {
  const TensorLayout input = context.layout(piece.input);
  const TensorLayout output = context.layout(piece.output);
  const auto rows = static_cast<uint32_t>(input.rows);
  const auto outer = static_cast<uint32_t>(piece.outer);
  // In an output row the piece begins at a channel, in an outer row at a row: one of them is 0.
  const int32_t first_row = piece.first_element / output.channels;
  const int32_t first_word = piece.first_element % output.channels / kWordBytes;
  const uint32_t words = rows * row_words(input);
  Dispatch dispatch = piece_dispatch(piece, "copy_rows", plan);
  dispatch.push_constants = push_constants(
      words, row_words(input), rows / outer, stride_words(input), stride_words(output),
      static_cast<uint32_t>(output.rows) / outer, first_row, first_word);
  return add_dispatch(context, words, std::move(dispatch), plan);
}

Status add_bytes(const PlanContext& context, const Piece& piece, KernelPlan& plan) {
  const TensorLayout input = context.layout(piece.input);
  const TensorLayout output = context.layout(piece.output);
  const uint32_t words = static_cast<uint32_t>(output.rows) * row_words(output);
  Dispatch dispatch = piece_dispatch(piece, "copy_bytes", plan);
  dispatch.push_constants =
      push_constants(words, output.channels, row_words(output), stride_words(output),
                     input.channels, input.channel_stride, piece.output_elements,
                     piece.first_element, piece.elements, piece.is_first ? 0 : 1);
  // A word on the border of two inputs is completed by the later one.
  dispatch.follows_previous = !piece.is_first;
  return add_dispatch(context, words, std::move(dispatch), plan);
}

}  // namespace

Result<KernelPlan> plan_concatenation(const PlanContext& context,
                                      const graph::LoweredConcatenation& op) {
  std::vector<Piece> pieces;
  const int32_t output_elements =
      std::accumulate(op.axis_sizes.begin(), op.axis_sizes.end(), int32_t{0});
  int32_t first_element = 0;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    pieces.push_back({.input = op.inputs[i],
                      .output = op.output,
                      .outer = op.outer,
                      .elements = op.axis_sizes[i],
                      .first_element = first_element,
                      .output_elements = output_elements,
                      .table = op.tables[i],
                      .is_first = i == 0});
    first_element += op.axis_sizes[i];
  }
  const bool words =
      std::ranges::all_of(pieces, [&](const Piece& piece) { return moves_words(context, piece); });
  KernelPlan plan;
  plan.variant = words ? "concatenation of words" : "concatenation of bytes";
  for (const Piece& piece : pieces) {
    const Status status = words ? add_words(context, piece, plan) : add_bytes(context, piece, plan);
    if (!status) {
      return tl::unexpected(status.error());
    }
  }
  return plan;
}

Result<KernelPlan> plan_reshape(const PlanContext& context, const graph::LoweredReshape& op) {
  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  KernelPlan plan;
  if (input == output || (is_dense(input) && is_dense(output))) {
    plan.variant = "reshape in place";
    plan.is_alias = true;
    return plan;
  }
  plan.variant = "reshape";
  const auto elements = static_cast<int32_t>(input.rows * input.channels);
  const Piece piece{
      .input = op.input, .output = op.output, .elements = elements, .output_elements = elements};
  if (Status status = add_bytes(context, piece, plan); !status) {
    return tl::unexpected(status.error());
  }
  return plan;
}

Result<KernelPlan> plan_pad(const PlanContext& context, const graph::LoweredPad& op) {
  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  auto input_extents = op.input_extents;
  auto output_extents = op.output_extents;
  // Where channels are left alone, the innermost dimension counts the rows that were merged with
  // them (none: 1).
  const bool rows = input.channels == output.channels && input_extents[3] == output_extents[3] &&
                    op.before[3] == 0 && input_extents[3] % input.channels == 0;
  if (rows) {
    input_extents[3] /= input.channels;
    output_extents[3] /= input.channels;
  }
  KernelPlan plan;
  plan.variant = rows ? "pad of rows" : "pad of bytes";
  Dispatch dispatch;
  dispatch.shader = rows ? "pad_rows" : "pad_bytes";
  const uint32_t words = static_cast<uint32_t>(output.rows) * row_words(output);
  dispatch.push_constants =
      push_constants(words, output.channels, row_words(output), stride_words(output),
                     input.channels, input.channel_stride, replicate(op.value));
  for (const auto& extents : {input_extents, output_extents, op.before}) {
    dispatch.push_constants.insert(dispatch.push_constants.end(), extents.begin(), extents.end());
  }
  dispatch.inputs = {tensor_binding(op.input)};
  dispatch.output = tensor_binding(op.output);
  if (Status status = add_dispatch(context, words, std::move(dispatch), plan); !status) {
    return tl::unexpected(status.error());
  }
  return plan;
}

}  // namespace lockstep::backend::vulkan
