// The distinct layers of four networks that many people know.
#pragma once

#include <span>
#include <string_view>

#include "bench/layers/layer_shape.h"

namespace lockstep::bench {

struct NetworkLayers {
  std::string_view network;  // "mobilenet_v2"
  LayerQuantization quantization = LayerQuantization::kInt8PerChannel;
  std::span<const CountedLayer> layers;  // distinct, in the order of their first appearance
};

// MobileNetV2, ResNet50, SSD MobileNetV2 and DS-CNN. Lives as long as the program.
std::span<const NetworkLayers> network_table();

}  // namespace lockstep::bench
