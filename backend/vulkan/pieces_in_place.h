// Pieces of a CONCATENATION that need no copy: whoever makes such a tensor writes it straight to
// where it belongs in the output, of whose memory it is a part. Pure planning: graphs only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/lowered_graph.h"

namespace lockstep::backend::vulkan {

// An input of CONCATENATION that is computed in place.
struct PieceInPlace {
  int32_t tensor = 0;
  int64_t offset = 0;  // where it begins in the output, in bytes

  bool operator==(const PieceInPlace&) const = default;
};

// By operator of the graph, the pieces that can be made in place: those
//   - whose bytes lie in the output as they do in the tensor, one after another;
//   - that begin where the device may bind memory: at a multiple of `offset_alignment`, which is a
//     power of two and at least kBindingUnit;
//   - that a dispatch makes, for this concatenation and nobody outside the graph: not an input, an
//     output, a constant, a reshaped tensor, nor what another concatenation has already;
//   - that the concatenation reads once, under whatever name, so that it copies nothing within one
//     piece of memory.
// Others may read such a tensor as ever. What a kernel leaves behind the end of a piece, up to a
// unit of 16 bytes, does not matter: a neighbour that begins there is not in place, so that it is
// copied afterwards. Precondition: every tensor is written once, before it is
// read.
std::vector<std::vector<PieceInPlace>> find_pieces_in_place(const graph::LoweredGraph& graph,
                                                            int64_t offset_alignment);

}  // namespace lockstep::backend::vulkan
