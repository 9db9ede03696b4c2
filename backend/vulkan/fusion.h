// Several operators in one dispatch, where that gives the same bits: a graph is turned into an
// equivalent one with fewer operators before anything is planned, so that everything after it
// (kernels, memory, hazards, commands) knows the smaller graph only. A tensor that is an output of
// the graph, or that anybody else reads, is never fused away.
//
//   PAD of height and width by the consumers' input zero point becomes part of the windows of
//   convolutions, where all its consumers are convolutions.
//
//   ADD of two tensors of one shape becomes the end of the convolution, of either kind, that makes
//   one of them, the later one where two do.
//
//   A table operator (QUANTIZE from 8 bits to 8 bits, LOGISTIC, ...) becomes the end of the
//   convolution or ADD whose result it reads. One that changes nothing but the type of the host's
//   bytes only renames it.
//
//   RESHAPE becomes part of the CONCATENATIONs that read it: a piece is so many elements, whatever
//   their shape. Of several RESHAPEs in a row, one is left. A tensor that anything else reads
//   stays.
//
//   A table operator or a RESHAPE that is the only reader of an input of the graph, or makes an
//   output of it that nobody else reads, is computed by the host while it copies the tensor, unless
//   the tensor is so large that the device is faster.
//
//   Pieces of a CONCATENATION are computed in their place in its output: pieces_in_place.h. No
//   operator goes away by that, but its dispatches do.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "backend/vulkan/epilogue.h"
#include "backend/vulkan/kernel.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend::vulkan {

struct FusedGraph {
  // Tensors keep their numbers; those that were fused away are used by nobody. An operator that
  // computes others too has its own name and source_operator, and stands where the last one stood.
  graph::LoweredGraph graph;
  std::vector<Epilogue> epilogues;                         // by operator of `graph`
  std::vector<std::vector<PieceInPlace>> pieces_in_place;  // by operator of `graph`

  // The operators of the graph that was given.
  struct Given {
    int32_t source_operator = 0;
    std::optional<size_t> computed_by;  // operator of `graph`; empty: the host
  };
  std::vector<Given> given;

  // What lies between the host's bytes and each of graph.inputs, and each of graph.outputs.
  struct Border {
    int32_t given = 0;                      // the tensor as the host knows it
    std::optional<graph::ByteTable> table;  // empty: nothing, the stored values are the same
  };
  std::vector<Border> inputs;
  std::vector<Border> outputs;
  // By operator of `graph`, of the graph that was given: the operator whose name it has, and the
  // last one that it computes.
  std::vector<size_t> named_after;
  std::vector<size_t> last_of;
};

// Every operator by itself.
FusedGraph unfused(graph::LoweredGraph graph);

// Whether the device computes the operator with that epilogue as fast as without.
using TakesEpilogue = std::function<bool(
    const graph::LoweredGraph& graph, const graph::LoweredOperator& op, const Epilogue& epilogue)>;

struct FusionRules {
  TakesEpilogue takes_epilogue;
  // Up to so many bytes of a tensor are computed by the host; what changes no byte always.
  int64_t max_host_bytes = 0;
  // Of tensors' offsets in memory: see find_pieces_in_place(). 0: every tensor has its own memory.
  int64_t offset_alignment = 0;
};

// Total: a graph that contradicts itself is returned as it is, for planning to refuse.
FusedGraph fuse(graph::LoweredGraph graph, const FusionRules& rules);

// What the host does at the borders, for Device::fingerprint(); empty where that is nothing.
std::string describe_borders(const FusedGraph& fused);

// For every operator of the graph that was given: "fused into the host's copies", or the kernel
// that computes it, where plans[i] belong to fused.graph.operators; "fused into CONV_2D #12" for
// those that have none of their own, where 12 is a source_operator.
std::vector<OperatorPlacement> placements_of(const FusedGraph& fused,
                                             std::span<const KernelPlan> plans);

}  // namespace lockstep::backend::vulkan
