#include "bench/layers/layer_table.h"

#include <array>

namespace lockstep::bench {
namespace {

using graph::Padding;

// kind, input height, width and channels, output channels, kernel height and width, stride; how
// often. Padding is SAME unless said otherwise. layer_table_test.cpp compares the tables with the
// networks' own files where those are there.

// MobileNetV2 (Sandler et al., 2018), width 1.0 at 224 x 224, as TensorFlow's model zoo has it:
// 1,001 classes from a 1 x 1 convolution. 301 million multiply-accumulates.
constexpr CountedLayer kMobilenetV2[] = {
    {{LayerKind::kConvolution, 224, 224, 3, 32, 3, 3, 2}, 1},
    {{LayerKind::kDepthwise, 112, 112, 32, 32, 3, 3, 1}, 1},
    {{LayerKind::kConvolution, 112, 112, 32, 16, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 112, 112, 16, 96, 1, 1, 1}, 1},
    {{LayerKind::kDepthwise, 112, 112, 96, 96, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 56, 56, 96, 24, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 56, 56, 24, 144, 1, 1, 1}, 2},
    {{LayerKind::kDepthwise, 56, 56, 144, 144, 3, 3, 1}, 1},
    {{LayerKind::kConvolution, 56, 56, 144, 24, 1, 1, 1}, 1},
    {{LayerKind::kDepthwise, 56, 56, 144, 144, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 28, 28, 144, 32, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 28, 28, 32, 192, 1, 1, 1}, 3},
    {{LayerKind::kDepthwise, 28, 28, 192, 192, 3, 3, 1}, 2},
    {{LayerKind::kConvolution, 28, 28, 192, 32, 1, 1, 1}, 2},
    {{LayerKind::kDepthwise, 28, 28, 192, 192, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 14, 14, 192, 64, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 14, 14, 64, 384, 1, 1, 1}, 4},
    {{LayerKind::kDepthwise, 14, 14, 384, 384, 3, 3, 1}, 4},
    {{LayerKind::kConvolution, 14, 14, 384, 64, 1, 1, 1}, 3},
    {{LayerKind::kConvolution, 14, 14, 384, 96, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 14, 14, 96, 576, 1, 1, 1}, 3},
    {{LayerKind::kDepthwise, 14, 14, 576, 576, 3, 3, 1}, 2},
    {{LayerKind::kConvolution, 14, 14, 576, 96, 1, 1, 1}, 2},
    {{LayerKind::kDepthwise, 14, 14, 576, 576, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 7, 7, 576, 160, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 7, 7, 160, 960, 1, 1, 1}, 3},
    {{LayerKind::kDepthwise, 7, 7, 960, 960, 3, 3, 1}, 3},
    {{LayerKind::kConvolution, 7, 7, 960, 160, 1, 1, 1}, 2},
    {{LayerKind::kConvolution, 7, 7, 960, 320, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 7, 7, 320, 1280, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 1, 1, 1280, 1001, 1, 1, 1}, 1},
};

// ResNet50 (He et al., 2015) in its version 1.5, where the 3 x 3 convolution of a block has the
// stride and not the 1 x 1 before it: what MLPerf measures. The first layer's image is padded by a
// PAD in front. A block's last 1 x 1 and the projection beside the first block have one shape where
// their strides agree. 4,089 million multiply-accumulates.
constexpr CountedLayer kResnet50[] = {
    {{LayerKind::kConvolution, 230, 230, 3, 64, 7, 7, 2, Padding::kValid}, 1},
    {{LayerKind::kConvolution, 56, 56, 64, 64, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 56, 56, 64, 64, 3, 3, 1}, 3},
    {{LayerKind::kConvolution, 56, 56, 64, 256, 1, 1, 1}, 4},
    {{LayerKind::kConvolution, 56, 56, 256, 64, 1, 1, 1}, 2},
    {{LayerKind::kConvolution, 56, 56, 256, 128, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 56, 56, 128, 128, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 28, 28, 128, 512, 1, 1, 1}, 4},
    {{LayerKind::kConvolution, 56, 56, 256, 512, 1, 1, 2}, 1},
    {{LayerKind::kConvolution, 28, 28, 512, 128, 1, 1, 1}, 3},
    {{LayerKind::kConvolution, 28, 28, 128, 128, 3, 3, 1}, 3},
    {{LayerKind::kConvolution, 28, 28, 512, 256, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 28, 28, 256, 256, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 14, 14, 256, 1024, 1, 1, 1}, 6},
    {{LayerKind::kConvolution, 28, 28, 512, 1024, 1, 1, 2}, 1},
    {{LayerKind::kConvolution, 14, 14, 1024, 256, 1, 1, 1}, 5},
    {{LayerKind::kConvolution, 14, 14, 256, 256, 3, 3, 1}, 5},
    {{LayerKind::kConvolution, 14, 14, 1024, 512, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 14, 14, 512, 512, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 7, 7, 512, 2048, 1, 1, 1}, 3},
    {{LayerKind::kConvolution, 14, 14, 1024, 2048, 1, 1, 2}, 1},
    {{LayerKind::kConvolution, 7, 7, 2048, 512, 1, 1, 1}, 2},
    {{LayerKind::kConvolution, 7, 7, 512, 512, 3, 3, 1}, 2},
    {{LayerKind::kFullyConnected, 1, 1, 2048, 1000}, 1},
};

// SSD MobileNetV2 (the object detection API's ssd_mobilenet_v2_coco, quantized) at 300 x 300: the
// feature extractor, six feature maps and their box and class predictors. 773 million.
constexpr CountedLayer kSsdMobilenetV2[] = {
    {{LayerKind::kConvolution, 300, 300, 3, 32, 3, 3, 2}, 1},
    {{LayerKind::kDepthwise, 150, 150, 32, 32, 3, 3, 1}, 1},
    {{LayerKind::kConvolution, 150, 150, 32, 16, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 150, 150, 16, 96, 1, 1, 1}, 1},
    {{LayerKind::kDepthwise, 150, 150, 96, 96, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 75, 75, 96, 24, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 75, 75, 24, 144, 1, 1, 1}, 2},
    {{LayerKind::kDepthwise, 75, 75, 144, 144, 3, 3, 1}, 1},
    {{LayerKind::kConvolution, 75, 75, 144, 24, 1, 1, 1}, 1},
    {{LayerKind::kDepthwise, 75, 75, 144, 144, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 38, 38, 144, 32, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 38, 38, 32, 192, 1, 1, 1}, 3},
    {{LayerKind::kDepthwise, 38, 38, 192, 192, 3, 3, 1}, 2},
    {{LayerKind::kConvolution, 38, 38, 192, 32, 1, 1, 1}, 2},
    {{LayerKind::kDepthwise, 38, 38, 192, 192, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 19, 19, 192, 64, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 19, 19, 64, 384, 1, 1, 1}, 4},
    {{LayerKind::kDepthwise, 19, 19, 384, 384, 3, 3, 1}, 4},
    {{LayerKind::kConvolution, 19, 19, 384, 64, 1, 1, 1}, 3},
    {{LayerKind::kConvolution, 19, 19, 384, 96, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 19, 19, 96, 576, 1, 1, 1}, 3},
    {{LayerKind::kDepthwise, 19, 19, 576, 576, 3, 3, 1}, 2},
    {{LayerKind::kConvolution, 19, 19, 576, 96, 1, 1, 1}, 2},
    {{LayerKind::kDepthwise, 19, 19, 576, 576, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 10, 10, 576, 160, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 10, 10, 160, 960, 1, 1, 1}, 3},
    {{LayerKind::kDepthwise, 10, 10, 960, 960, 3, 3, 1}, 3},
    {{LayerKind::kConvolution, 10, 10, 960, 160, 1, 1, 1}, 2},
    {{LayerKind::kConvolution, 10, 10, 960, 320, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 10, 10, 320, 1280, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 10, 10, 1280, 256, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 10, 10, 256, 512, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 5, 5, 512, 128, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 5, 5, 128, 256, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 3, 3, 256, 128, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 3, 3, 128, 256, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 2, 2, 256, 64, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 2, 2, 64, 128, 3, 3, 2}, 1},
    {{LayerKind::kConvolution, 19, 19, 576, 12, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 19, 19, 576, 273, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 10, 10, 1280, 24, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 10, 10, 1280, 546, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 5, 5, 512, 24, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 5, 5, 512, 546, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 3, 3, 256, 24, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 3, 3, 256, 546, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 2, 2, 256, 24, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 2, 2, 256, 546, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 1, 1, 128, 24, 1, 1, 1}, 1},
    {{LayerKind::kConvolution, 1, 1, 128, 546, 1, 1, 1}, 1},
};

// DS-CNN (Zhang et al., 2017, "Hello Edge") as MLPerf Tiny's keyword spotting has it: 49 x 10
// features, 64 channels. 2.7 million.
constexpr CountedLayer kDsCnn[] = {
    {{LayerKind::kConvolution, 49, 10, 1, 64, 10, 4, 2}, 1},
    {{LayerKind::kDepthwise, 25, 5, 64, 64, 3, 3, 1}, 4},
    {{LayerKind::kConvolution, 25, 5, 64, 64, 1, 1, 1}, 4},
    {{LayerKind::kFullyConnected, 1, 1, 64, 12}, 1},
};

constexpr std::array kNetworks = {
    NetworkLayers{"mobilenet_v2", LayerQuantization::kInt8PerChannel, kMobilenetV2},
    NetworkLayers{"resnet50", LayerQuantization::kInt8PerChannel, kResnet50},
    NetworkLayers{"ssd_mobilenet_v2", LayerQuantization::kUint8PerTensor, kSsdMobilenetV2},
    NetworkLayers{"ds_cnn", LayerQuantization::kInt8PerChannel, kDsCnn}};

}  // namespace

std::span<const NetworkLayers> network_table() { return kNetworks; }

}  // namespace lockstep::bench
