#include "graph/testing/sample_graphs.h"

#include <functional>
#include <utility>

#include "graph/testing/graph_builder.h"

namespace lockstep::graph::testing {
namespace {

const Quantization kInputScale = per_tensor(0.5f, -3);
const Quantization kOutputScale = per_tensor(0.25f, 7);

template <typename T>
std::vector<T> counting(size_t count, int step = 37) {
  std::vector<T> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<T>(static_cast<int>(i) * step - 50);
  return values;
}

int32_t image(GraphBuilder& builder, DataType type = DataType::kInt8) {
  return builder.input("image", type, {1, 5, 6, 4},
                       type == DataType::kInt8 ? kInputScale : per_tensor(0.5f, 120));
}

// A graph of one operator (or a few) over one image.
using Recipe = std::function<int32_t(GraphBuilder&, int32_t image)>;

Graph make(std::string name, const Recipe& recipe, DataType type = DataType::kInt8) {
  GraphBuilder builder(std::move(name));
  const int32_t input = image(builder, type);
  return builder.build({recipe(builder, input)});
}

Graph unary(std::string name, UnaryKind kind, Quantization output, float alpha = 0.0f) {
  return make(std::move(name),
              [=](GraphBuilder& b, int32_t x) { return b.unary(kind, x, output, alpha); });
}

void add_convolutions(std::vector<Graph>& graphs) {
  graphs.push_back(make("CONV_2D per axis, bias, RELU6", [](GraphBuilder& b, int32_t x) {
    const int32_t weights = b.constant<int8_t>("weights", {3, 3, 3, 4}, counting<int8_t>(108),
                                               per_axis({0.1f, 0.2f, 0.3f}, 0));
    const int32_t bias =
        b.constant<int32_t>("bias", {3}, {100, -200, 300}, per_axis({0.05f, 0.1f, 0.15f}, 0));
    return b.conv_2d(x, weights, bias, kOutputScale, {.activation = Activation::kRelu6});
  }));
  graphs.push_back(make("CONV_2D grouped, dilated, VALID", [](GraphBuilder& b, int32_t x) {
    const int32_t weights =
        b.constant<int8_t>("weights", {6, 2, 2, 2}, counting<int8_t>(48), per_tensor(0.1f));
    return b.conv_2d(x, weights, kAbsentTensor, kOutputScale,
                     {.padding = Padding::kValid,
                      .stride_height = 2,
                      .stride_width = 1,
                      .dilation_height = 2,
                      .dilation_width = 3,
                      .activation = Activation::kNone});
  }));
  graphs.push_back(make(
      "CONV_2D uint8, asymmetric weights",
      [](GraphBuilder& b, int32_t x) {
        const int32_t weights = b.constant<uint8_t>("weights", {2, 1, 1, 4}, counting<uint8_t>(8),
                                                    per_tensor(0.1f, 131));
        const int32_t bias = b.constant<int32_t>("bias", {2}, {5, -6}, per_tensor(0.05f));
        return b.conv_2d(x, weights, bias, per_tensor(0.25f, 128));
      },
      DataType::kUint8));
  graphs.push_back(make("DEPTHWISE_CONV_2D multiplier 2", [](GraphBuilder& b, int32_t x) {
    const int32_t weights =
        b.constant<int8_t>("weights", {1, 3, 2, 8}, counting<int8_t>(48),
                           per_axis({.1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f}, 3));
    const int32_t bias = b.constant<int32_t>("bias", {8}, counting<int32_t>(8));
    return b.depthwise_conv_2d(x, weights, bias, kOutputScale,
                               {.stride_height = 2,
                                .stride_width = 3,
                                .dilation_height = 1,
                                .dilation_width = 1,
                                .activation = Activation::kRelu});
  }));
  for (const bool keep_num_dims : {false, true}) {
    graphs.push_back(
        make(keep_num_dims ? "FULLY_CONNECTED keeping dimensions" : "FULLY_CONNECTED",
             [=](GraphBuilder& b, int32_t x) {
               const int32_t weights =
                   b.constant<int8_t>("weights", {3, 4}, counting<int8_t>(12), per_tensor(0.1f));
               const int32_t bias = b.constant<int32_t>("bias", {3}, {1, 2, 3}, per_tensor(0.05f));
               return b.fully_connected(
                   x, weights, bias, kOutputScale,
                   {.activation = Activation::kReluN1To1, .keep_num_dims = keep_num_dims});
             }));
  }
}

void add_elementwise(std::vector<Graph>& graphs) {
  graphs.push_back(make("ADD with itself, RELU", [](GraphBuilder& b, int32_t x) {
    return b.add(x, x, kOutputScale, Activation::kRelu);
  }));
  graphs.push_back(make("MUL by a broadcast constant", [](GraphBuilder& b, int32_t x) {
    const int32_t factors =
        b.constant<int8_t>("factors", {6, 1}, counting<int8_t>(6), per_tensor(0.125f, 4));
    return b.mul(x, factors, kOutputScale);
  }));
  graphs.push_back(unary("LOGISTIC", UnaryKind::kLogistic, per_tensor(1.0f / 256.0f, -128)));
  graphs.push_back(unary("TANH", UnaryKind::kTanh, per_tensor(1.0f / 128.0f)));
  graphs.push_back(unary("RELU", UnaryKind::kRelu, kInputScale));
  graphs.push_back(unary("RELU_N1_TO_1", UnaryKind::kReluN1To1, kInputScale));
  graphs.push_back(unary("RELU6", UnaryKind::kRelu6, kInputScale));
  graphs.push_back(unary("HARD_SWISH", UnaryKind::kHardSwish, kInputScale));
  graphs.push_back(unary("LEAKY_RELU", UnaryKind::kLeakyRelu, kInputScale, 0.2f));
  graphs.push_back(make("QUANTIZE to uint8", [](GraphBuilder& b, int32_t x) {
    return b.quantize(x, DataType::kUint8, per_tensor(0.5f, 125));
  }));
  graphs.push_back(make("DEQUANTIZE", [](GraphBuilder& b, int32_t x) { return b.dequantize(x); }));
  graphs.push_back(make("SOFTMAX", [](GraphBuilder& b, int32_t x) {
    return b.softmax(x, per_tensor(1.0f / 256.0f, -128), 0.75f);
  }));
}

void add_windows_and_movements(std::vector<Graph>& graphs) {
  graphs.push_back(make("AVERAGE_POOL_2D", [](GraphBuilder& b, int32_t x) {
    return b.pool_2d(x,
                     {.kind = PoolKind::kAverage,
                      .padding = Padding::kSame,
                      .stride_height = 2,
                      .stride_width = 1,
                      .filter_height = 3,
                      .filter_width = 2,
                      .activation = Activation::kNone},
                     kInputScale);
  }));
  graphs.push_back(make("MAX_POOL_2D", [](GraphBuilder& b, int32_t x) {
    return b.pool_2d(x,
                     {.kind = PoolKind::kMax,
                      .padding = Padding::kValid,
                      .stride_height = 1,
                      .stride_width = 2,
                      .filter_height = 2,
                      .filter_width = 3,
                      .activation = Activation::kRelu6},
                     kInputScale);
  }));
  graphs.push_back(make("MEAN keeping dimensions", [](GraphBuilder& b, int32_t x) {
    return b.mean(x, {1, 2}, true, kOutputScale);
  }));
  graphs.push_back(make("MEAN over negative axes", [](GraphBuilder& b, int32_t x) {
    return b.mean(x, {-2, -3}, false, kOutputScale);
  }));
  graphs.push_back(make("PAD", [](GraphBuilder& b, int32_t x) {
    return b.pad(x, {0, 0, 1, 2, 3, 0, 0, 1});
  }));
  graphs.push_back(make("PADV2", [](GraphBuilder& b, int32_t x) {
    const int32_t value = b.constant<int8_t>("value", {}, {9}, kInputScale);
    return b.pad_with(x, {0, 0, 1, 1, 1, 1, 0, 0}, value);
  }));
  graphs.push_back(make(
      "CONCATENATION uint8, with other scales",
      [](GraphBuilder& b, int32_t x) {
        const int32_t constant = b.constant<uint8_t>("constant", {1, 5, 6, 1},
                                                     counting<uint8_t>(30), per_tensor(0.75f, 1));
        return b.concatenation({x, constant, x}, -1, per_tensor(0.25f, 99));
      },
      DataType::kUint8));
  graphs.push_back(make("RESHAPE", [](GraphBuilder& b, int32_t x) {
    return b.reshape(x, {1, -1, 12});
  }));
  graphs.push_back(make("SQUEEZE", [](GraphBuilder& b, int32_t x) { return b.squeeze(x, {0}); }));
  graphs.push_back(
      make("EXPAND_DIMS", [](GraphBuilder& b, int32_t x) { return b.expand_dims(x, -2); }));
  graphs.push_back(make("RESIZE_BILINEAR with half_pixel_centers", [](GraphBuilder& b, int32_t x) {
    return b.resize(x, 10, 4, {.kind = ResizeKind::kBilinear, .half_pixel_centers = true});
  }));
  graphs.push_back(
      make("RESIZE_NEAREST_NEIGHBOR with align_corners", [](GraphBuilder& b, int32_t x) {
        return b.resize(x, 3, 17, {.kind = ResizeKind::kNearestNeighbor, .align_corners = true});
      }));
  graphs.push_back(
      make("DEPTH_TO_SPACE", [](GraphBuilder& b, int32_t x) { return b.depth_to_space(x, 2); }));
  graphs.push_back(make("SPACE_TO_DEPTH", [](GraphBuilder& b, int32_t x) {
    return b.space_to_depth(b.pad(x, {0, 0, 0, 1, 0, 0, 0, 0}), 3);
  }));
}

}  // namespace

std::vector<Graph> sample_graphs() {
  std::vector<Graph> graphs;
  add_convolutions(graphs);
  add_elementwise(graphs);
  add_windows_and_movements(graphs);
  GraphBuilder floats("QUANTIZE from float32");
  const int32_t x = floats.input("x", DataType::kFloat32, {2, 3});
  graphs.push_back(floats.build({floats.quantize(x, DataType::kInt8, kOutputScale)}));
  return graphs;
}

Graph sample_network() {
  GraphBuilder b("sample network");
  const int32_t x = b.input("image", DataType::kInt8, {1, 8, 8, 4}, kInputScale);
  const int32_t weights = b.constant<int8_t>("weights", {4, 3, 3, 4}, counting<int8_t>(144),
                                             per_axis({0.01f, 0.02f, 0.03f, 0.04f}, 0));
  const int32_t bias = b.constant<int32_t>("bias", {4}, {10, -20, 30, -40});
  const int32_t features =
      b.conv_2d(x, weights, bias, kOutputScale, {.activation = Activation::kRelu});
  const int32_t filter =
      b.constant<int8_t>("filter", {1, 3, 3, 4}, counting<int8_t>(36), per_tensor(0.05f));
  const int32_t filter_bias = b.constant<int32_t>("filter_bias", {4}, {-7, 8, -9, 10});
  const int32_t filtered = b.depthwise_conv_2d(features, filter, filter_bias, kOutputScale);
  const int32_t sum = b.add(x, filtered, kOutputScale);
  const int32_t pooled = b.mean(sum, {1, 2}, false, kOutputScale);
  const int32_t classes =
      b.constant<int8_t>("classes", {5, 4}, counting<int8_t>(20), per_tensor(0.1f));
  const int32_t scores = b.fully_connected(pooled, classes, kAbsentTensor, kOutputScale);
  return b.build({b.softmax(scores, per_tensor(1.0f / 256.0f, -128))});
}

}  // namespace lockstep::graph::testing
