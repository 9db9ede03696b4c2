#include "backend/vulkan/pieces_in_place.h"

#include <algorithm>
#include <optional>

#include "backend/vulkan/layout.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredConcatenation;
using graph::LoweredGraph;
using graph::LoweredReshape;

class Finder {
 public:
  Finder(const LoweredGraph& graph, int64_t offset_alignment)
      : graph_(graph),
        offset_alignment_(offset_alignment),
        is_made_for_itself_(graph.tensors.size(), false),
        memory_of_(graph.tensors.size()) {
    for (size_t tensor = 0; tensor < memory_of_.size(); ++tensor) {
      memory_of_[tensor] = static_cast<int32_t>(tensor);
    }
  }

  std::vector<std::vector<PieceInPlace>> find() {
    std::vector<std::vector<PieceInPlace>> found;
    for (const graph::LoweredOperator& op : graph_.operators) {
      const int32_t output = graph::operation_output(op.operation);
      if (const auto* reshape = std::get_if<LoweredReshape>(&op.operation)) {
        memory_of_[static_cast<size_t>(output)] = reshape->input;
      } else {
        is_made_for_itself_[static_cast<size_t>(output)] =
            std::ranges::find(graph_.outputs, output) == graph_.outputs.end();
      }
      found.emplace_back();
      if (const auto* concatenation = std::get_if<LoweredConcatenation>(&op.operation)) {
        found.back() = pieces_of(*concatenation);
      }
    }
    return found;
  }

 private:
  // The tensor that another one shares memory with, or may, at the end of all names.
  int32_t memory_of(int32_t tensor) const {
    int32_t next = memory_of_[static_cast<size_t>(tensor)];
    while (next != tensor) {
      tensor = next;
      next = memory_of_[static_cast<size_t>(tensor)];
    }
    return tensor;
  }

  std::vector<PieceInPlace> pieces_of(const LoweredConcatenation& op) {
    std::vector<int32_t> memories;
    for (const int32_t input : op.inputs) {
      memories.push_back(memory_of(input));
    }
    std::vector<PieceInPlace> pieces;
    int64_t first_element = 0;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const auto offset = offset_of(op, i, first_element);
      if (offset && std::ranges::count(memories, memories[i]) == 1) {
        pieces.push_back({op.inputs[i], *offset});
      }
      first_element += op.axis_sizes[i];
    }
    for (const PieceInPlace& piece : pieces) {
      memory_of_[static_cast<size_t>(piece.tensor)] = op.output;
    }
    return pieces;
  }

  // Where the piece would begin; empty where it cannot be made there.
  std::optional<int64_t> offset_of(const LoweredConcatenation& op, size_t position,
                                   int64_t first_element) const {
    const auto tensor = static_cast<size_t>(op.inputs[position]);
    // A tensor that shares memory already has it from elsewhere.
    if (!op.tables[position].empty() || !is_made_for_itself_[tensor] ||
        memory_of_[tensor] != op.inputs[position]) {
      return std::nullopt;
    }
    const TensorLayout piece = layout_of(graph_.tensors[tensor]);
    const TensorLayout output = layout_of(graph_.tensors[static_cast<size_t>(op.output)]);
    const bool is_in_one_outer_row = piece.rows * piece.channels == op.axis_sizes[position];
    const bool is_whole_rows =
        piece.channels == output.channels && first_element % output.channels == 0;
    const bool is_dense = piece.is_dense() && output.is_dense();
    if (!is_in_one_outer_row || !(is_whole_rows || is_dense)) {
      return std::nullopt;
    }
    // Inside a row only where rows are dense, so that stride and channels are the same.
    const int64_t offset = first_element * output.channel_stride / output.channels;
    return offset % offset_alignment_ == 0 ? std::optional(offset) : std::nullopt;
  }

  const LoweredGraph& graph_;
  const int64_t offset_alignment_;
  // By tensor.
  std::vector<bool> is_made_for_itself_;  // an operator writes it, and no host reads it
  std::vector<int32_t> memory_of_;        // itself, what it is a shape of, or what it is part of
};

}  // namespace

std::vector<std::vector<PieceInPlace>> find_pieces_in_place(const LoweredGraph& graph,
                                                            int64_t offset_alignment) {
  return Finder(graph, offset_alignment).find();
}

}  // namespace lockstep::backend::vulkan
