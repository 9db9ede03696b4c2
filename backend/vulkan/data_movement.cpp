// PAD, CONCATENATION and RESHAPE: whole words where the layout allows it, bytes elsewhere.
#include <algorithm>
#include <numeric>

#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {
namespace {

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
  return add_dispatch(context, words, std::move(dispatch), plan);
}

// One piece after another, each by `add`.
Result<KernelPlan> plan_pieces(const PlanContext& context, std::span<const Piece> pieces,
                               Status (*add)(const PlanContext&, const Piece&, KernelPlan&)) {
  KernelPlan plan;
  for (const Piece& piece : pieces) {
    if (Status status = add(context, piece, plan); !status) {
      return tl::unexpected(status.error());
    }
  }
  return plan;
}

// A padding whose four dimensions number the tensors' rows (shader pad_rows) or elements
// (pad_bytes).
Result<KernelPlan> plan_numbered_pad(const PlanContext& context, const graph::LoweredPad& op,
                                     std::string shader) {
  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = std::move(shader);
  const uint32_t words = static_cast<uint32_t>(output.rows) * row_words(output);
  dispatch.push_constants =
      push_constants(words, output.channels, row_words(output), stride_words(output),
                     input.channels, input.channel_stride, replicate(op.value));
  for (const auto& extents : {op.input_extents, op.output_extents, op.before}) {
    dispatch.push_constants.insert(dispatch.push_constants.end(), extents.begin(), extents.end());
  }
  dispatch.inputs = {tensor_binding(op.input)};
  dispatch.output = tensor_binding(op.output);
  if (Status status = add_dispatch(context, words, std::move(dispatch), plan); !status) {
    return tl::unexpected(status.error());
  }
  return plan;
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
  std::vector<Alternative> alternatives;
  if (words) {
    alternatives.push_back(
        {"concatenation of words", [&] { return plan_pieces(context, pieces, add_words); }});
  }
  alternatives.push_back(
      {"concatenation of bytes", [&] { return plan_pieces(context, pieces, add_bytes); }});
  return plan_one_of(context, alternatives);
}

Result<KernelPlan> plan_reshape(const PlanContext& context, const graph::LoweredReshape& op) {
  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  std::vector<Alternative> alternatives;
  if (input == output || (input.is_dense() && output.is_dense())) {
    alternatives.push_back({"reshape in place", [] {
                              KernelPlan plan;
                              plan.is_alias = true;
                              return plan;
                            }});
  }
  const auto elements = static_cast<int32_t>(input.rows * input.channels);
  const Piece piece{
      .input = op.input, .output = op.output, .elements = elements, .output_elements = elements};
  alternatives.push_back(
      {"reshape", [&] { return plan_pieces(context, std::span(&piece, 1), add_bytes); }});
  return plan_one_of(context, alternatives);
}

Result<KernelPlan> plan_pad(const PlanContext& context, const graph::LoweredPad& op) {
  const int32_t channels = context.layout(op.input).channels;
  std::vector<Alternative> alternatives;
  // Where channels are left alone, the innermost dimension counts the rows that were merged with
  // them (none: 1).
  graph::LoweredPad of_rows = op;
  if (channels == context.layout(op.output).channels &&
      op.input_extents[3] == op.output_extents[3] && op.before[3] == 0 &&
      op.input_extents[3] % channels == 0) {
    of_rows.input_extents[3] /= channels;
    of_rows.output_extents[3] /= channels;
    alternatives.push_back(
        {"pad of rows", [&] { return plan_numbered_pad(context, of_rows, "pad_rows"); }});
  }
  alternatives.push_back(
      {"pad of bytes", [&] { return plan_numbered_pad(context, op, "pad_bytes"); }});
  return plan_one_of(context, alternatives);
}

}  // namespace lockstep::backend::vulkan
