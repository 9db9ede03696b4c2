// PAD, CONCATENATION, RESHAPE and transpositions: whole words where the layout allows it, bytes
// elsewhere.
#include <algorithm>
#include <numeric>
#include <optional>

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

// Rows of so many elements that begin at every so many bytes.
struct Rows {
  int64_t stride = 0;
  int64_t begin = 0;  // of the first one
  int64_t block = 0;  // from one outer row to the next
};

// A piece as rows that begin on words, and end there or where nothing but padding follows: what
// copy_rows moves.
struct RowsOfWords {
  int32_t elements = 0;  // of a row
  Rows input;
  Rows output;
};

// The input of the piece as rows of `elements`: its own rows, or any where nothing lies between.
std::optional<Rows> input_rows(const TensorLayout& input, int32_t elements) {
  if (elements == input.channels) {
    return Rows{.stride = input.channel_stride};
  }
  const bool fits = input.is_dense() && elements % kWordBytes == 0;
  return fits ? std::optional(Rows{.stride = elements}) : std::nullopt;
}

// Where the piece lies in the output as rows of `elements`: whole rows, part of each, or, where
// nothing lies between rows, anywhere.
std::optional<Rows> output_rows(const TensorLayout& output, const Piece& piece, int32_t elements) {
  const int64_t block = piece.output_elements / output.channels * output.channel_stride;
  if (elements == output.channels && piece.first_element % elements == 0) {
    return Rows{output.channel_stride, piece.first_element / elements * output.channel_stride,
                block};
  }
  const bool is_last = piece.first_element + piece.elements == piece.output_elements;
  const bool begins_on_word = piece.first_element % kWordBytes == 0;
  if (output.channels == piece.output_elements && elements == piece.elements && begins_on_word &&
      (elements % kWordBytes == 0 || is_last)) {
    return Rows{output.channel_stride, piece.first_element, block};
  }
  const bool fits = output.is_dense() && begins_on_word && elements % kWordBytes == 0;
  return fits ? std::optional(Rows{elements, piece.first_element, block}) : std::nullopt;
}

// Nothing where the piece has bytes to move.
std::optional<RowsOfWords> rows_of_words(const PlanContext& context, const Piece& piece) {
  const TensorLayout input = context.layout(piece.input);
  const TensorLayout output = context.layout(piece.output);
  for (const int32_t elements : {input.channels, output.channels, piece.elements}) {
    const auto from = input_rows(input, elements);
    const auto to = output_rows(output, piece, elements);
    if (piece.elements % elements == 0 && from && to) {
      return RowsOfWords{elements, *from, *to};
    }
  }
  return std::nullopt;
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

Status add_words(const PlanContext& context, const Piece& piece, const RowsOfWords& rows,
                 KernelPlan& plan) {
  const int32_t block_rows = piece.elements / rows.elements;
  const int32_t words_of_row = divide_up(rows.elements, kWordBytes);
  const auto words = static_cast<uint32_t>(piece.outer * block_rows * words_of_row);
  Dispatch dispatch = piece_dispatch(piece, "copy_rows", plan);
  dispatch.push_constants =
      push_constants(words, words_of_row, block_rows, rows.input.stride / kWordBytes,
                     rows.output.stride / kWordBytes, rows.output.block / kWordBytes,
                     rows.output.begin / kWordBytes);
  return add_dispatch(context, words, std::move(dispatch), plan);
}

Status add_bytes(const PlanContext& context, const Piece& piece, KernelPlan& plan) {
  const TensorLayout input = context.layout(piece.input);
  const TensorLayout output = context.layout(piece.output);
  // The rows of an outer row that hold any of the piece; where there is only one, its words.
  const int32_t end = piece.first_element + piece.elements;
  const int32_t block_rows = piece.output_elements / output.channels;
  const int32_t first_row = piece.first_element / output.channels;
  const int32_t rows = divide_up(end, output.channels) - first_row;
  const int32_t first_word = block_rows == 1 ? piece.first_element / kWordBytes : 0;
  const int32_t words_of_row =
      divide_up(block_rows == 1 ? end : output.channels, kWordBytes) - first_word;
  const auto words = static_cast<uint32_t>(piece.outer * rows * words_of_row);
  Dispatch dispatch = piece_dispatch(piece, "copy_bytes", plan);
  dispatch.push_constants =
      push_constants(words, words_of_row, rows, block_rows, first_row, first_word, output.channels,
                     stride_words(output), input.channels, input.channel_stride,
                     piece.first_element, piece.elements, piece.is_first ? 0 : 1);
  for (const int32_t divisor : {words_of_row, rows, input.channels}) {
    dispatch.push_constants.push_back(division_multiplier(static_cast<uint32_t>(divisor)));
  }
  return add_dispatch(context, words, std::move(dispatch), plan);
}

Status add_words_or_bytes(const PlanContext& context, const Piece& piece, KernelPlan& plan) {
  const auto rows = rows_of_words(context, piece);
  return rows ? add_words(context, piece, *rows, plan) : add_bytes(context, piece, plan);
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

// A transposition whose elements are `element_bytes` channels: single ones (shader transpose_bytes)
// or words of them (transpose_words).
Result<KernelPlan> plan_transposition_of(const PlanContext& context,
                                         const graph::LoweredTransposition& op, std::string shader,
                                         int32_t element_bytes) {
  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  const auto words_of_row = static_cast<int32_t>(row_words(output));
  const int32_t input_elements = input.channels / element_bytes;
  const int32_t inner = op.inner / element_bytes;
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = std::move(shader);
  const uint32_t words = static_cast<uint32_t>(output.rows) * row_words(output);
  dispatch.push_constants = push_constants(
      words, words_of_row, stride_words(output), output.channels / element_bytes, input_elements,
      input.channel_stride / element_bytes, op.rows, op.columns, inner);
  for (const int32_t divisor : {words_of_row, input_elements, op.rows, op.columns, inner}) {
    dispatch.push_constants.push_back(division_multiplier(static_cast<uint32_t>(divisor)));
  }
  dispatch.inputs = {tensor_binding(op.input)};
  dispatch.output = tensor_binding(op.output);
  return with_dispatch(context, words, std::move(dispatch), std::move(plan));
}

}  // namespace

Result<KernelPlan> plan_concatenation(const PlanContext& context,
                                      const graph::LoweredConcatenation& op) {
  std::vector<Piece> pieces;
  const int32_t output_elements =
      std::accumulate(op.axis_sizes.begin(), op.axis_sizes.end(), int32_t{0});
  int32_t first_element = 0;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    const bool is_in_place =
        std::ranges::find(context.pieces_in_place, op.inputs[i], &PieceInPlace::tensor) !=
        context.pieces_in_place.end();
    if (!is_in_place) {
      pieces.push_back({.input = op.inputs[i],
                        .output = op.output,
                        .outer = op.outer,
                        .elements = op.axis_sizes[i],
                        .first_element = first_element,
                        .output_elements = output_elements,
                        .table = op.tables[i],
                        .is_first = i == 0});
    }
    first_element += op.axis_sizes[i];
  }
  const bool has_words = std::ranges::any_of(
      pieces, [&](const Piece& piece) { return rows_of_words(context, piece).has_value(); });
  std::vector<Alternative> alternatives;
  if (has_words) {
    alternatives.push_back({"concatenation of words",
                            [&] { return plan_pieces(context, pieces, add_words_or_bytes); }});
  }
  alternatives.push_back({pieces.empty() ? "concatenation in place" : "concatenation of bytes",
                          [&] { return plan_pieces(context, pieces, add_bytes); }});
  Result<KernelPlan> plan = plan_one_of(context, alternatives);
  if (plan) {
    plan->pieces_in_place.assign(context.pieces_in_place.begin(), context.pieces_in_place.end());
  }
  return plan;
}

Result<KernelPlan> plan_reshape(const PlanContext& context, const graph::LoweredReshape& op) {
  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  const auto elements = static_cast<int32_t>(input.rows * input.channels);
  const Piece piece{
      .input = op.input, .output = op.output, .elements = elements, .output_elements = elements};
  std::vector<Alternative> alternatives;
  if (lie_alike(input, output)) {
    alternatives.push_back({"reshape in place", [] {
                              KernelPlan plan;
                              plan.is_alias = true;
                              return plan;
                            }});
  }
  if (rows_of_words(context, piece)) {
    alternatives.push_back({"reshape of words", [&] {
                              return plan_pieces(context, std::span(&piece, 1), add_words_or_bytes);
                            }});
  }
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

Result<KernelPlan> plan_transposition(const PlanContext& context,
                                      const graph::LoweredTransposition& op) {
  std::vector<Alternative> alternatives;
  const bool has_words = context.layout(op.input).channels % kWordBytes == 0 &&
                         context.layout(op.output).channels % kWordBytes == 0 &&
                         op.inner % kWordBytes == 0;
  if (has_words) {
    alternatives.push_back(
        {"transposition of words",
         [&] { return plan_transposition_of(context, op, "transpose_words", kWordBytes); }});
  }
  alternatives.push_back({"transposition of bytes", [&] {
                            return plan_transposition_of(context, op, "transpose_bytes", 1);
                          }});
  return plan_one_of(context, alternatives);
}

}  // namespace lockstep::backend::vulkan
