// One layer that multiplies: what the benchmarks of layers vary.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/roofline.h"
#include "graph/graph.h"
#include "graph/status.h"

namespace lockstep::bench {

enum class LayerKind : uint8_t { kConvolution, kDepthwise, kFullyConnected };

struct LayerShape {
  LayerKind kind = LayerKind::kConvolution;
  int32_t height = 1;  // of the input image; a FULLY_CONNECTED layer has one pixel
  int32_t width = 1;
  int32_t channels = 1;
  int32_t output_channels = 1;
  int32_t kernel_height = 1;
  int32_t kernel_width = 1;
  int32_t stride = 1;
  graph::Padding padding = graph::Padding::kSame;  // kSame where a window has one pixel

  auto operator<=>(const LayerShape&) const = default;
};

// What a model's weights are, which is what most of a kernel's end depends on.
enum class LayerQuantization : uint8_t {
  kInt8PerChannel,  // symmetric weights, one scale for each output channel
  kUint8PerTensor,  // weights with a zero point
};

// "conv_3x3_s2_224x224x3_to_32", "depthwise_3x3_112x112x32", "fully_connected_64_to_12"; windows
// with VALID padding end in "_valid".
std::string layer_name(const LayerShape& shape);

Work work_of(const LayerShape& shape, int32_t batch);

// A layer of a network, and how often the network has it.
struct CountedLayer {
  LayerShape shape;
  int32_t times = 1;
  auto operator<=>(const CountedLayer&) const = default;
};

// The distinct layers of a network in the order of their first appearance. Operators that are no
// layers of these kinds, or that LayerShape cannot say (dilated, grouped, unequal strides, a depth
// multiplier), are left out.
std::vector<CountedLayer> layers_of(const graph::Graph& graph);
LayerQuantization quantization_of(const graph::Graph& graph);

// A network of this layer alone, with random weights and biases: the same for the same arguments.
// Results spread over the whole range of 8 bits.
Result<graph::Graph> layer_graph(const LayerShape& shape, int32_t batch,
                                 LayerQuantization quantization);

}  // namespace lockstep::bench
