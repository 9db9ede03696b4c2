// Random quantized networks, one operator kind at a time, for comparing devices with the reference.
// Shapes are small and crooked (odd extents, channels that end inside a word), quantization favours
// what rounds badly: ties, saturation, zero points at the end of their range.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace lockstep::backend::testing {

enum class NetworkKind : uint8_t {
  kConvolution,
  kPointwiseConvolution,
  kGroupedConvolution,
  kDepthwiseConvolution,
  kFullyConnected,
  kAdd,
  kMul,
  kPool,
  kMean,
  kPad,
  kConcatenation,
  kReshape,
  kResize,
  kPixelBlocks,
  kTable,
  kMixed,  // a small network with branches
};
inline constexpr NetworkKind kAllNetworkKinds[] = {
    NetworkKind::kConvolution,
    NetworkKind::kPointwiseConvolution,
    NetworkKind::kGroupedConvolution,
    NetworkKind::kDepthwiseConvolution,
    NetworkKind::kFullyConnected,
    NetworkKind::kAdd,
    NetworkKind::kMul,
    NetworkKind::kPool,
    NetworkKind::kMean,
    NetworkKind::kPad,
    NetworkKind::kConcatenation,
    NetworkKind::kReshape,
    NetworkKind::kResize,
    NetworkKind::kPixelBlocks,
    NetworkKind::kTable,
    NetworkKind::kMixed,
};
std::string_view network_kind_name(NetworkKind kind);

// A validated graph of 8-bit activations; all operators' results are outputs. `type` is kInt8 or
// kUint8.
graph::Graph random_network(NetworkKind kind, graph::DataType type, std::mt19937& random);

// Bytes for a graph input: evenly random, all the smallest, all the largest, or the two in turn.
std::vector<std::byte> random_contents(size_t bytes, graph::DataType type, std::mt19937& random);

}  // namespace lockstep::backend::testing
