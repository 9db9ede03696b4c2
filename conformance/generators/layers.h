// Layers with drawn weights for networks of several operators. Scales are chosen so that values
// neither vanish nor all saturate, whatever the depth.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/generators/contents.h"
#include "conformance/generators/measurement.h"
#include "conformance/generators/random.h"
#include "graph/graph_builder.h"

namespace lockstep::conformance {

// A window as layers take it.
struct LayerWindow {
  int32_t kernel = 3;
  int32_t stride = 1;
  graph::Padding padding = graph::Padding::kSame;
};
inline constexpr LayerWindow kPointwise{.kernel = 1};
inline constexpr LayerWindow k3x3{.kernel = 3};

// Every function returns the index of its output tensor.
class LayerBuilder {
 public:
  // All weights, contents and scales come from `seed` and `name`.
  LayerBuilder(graph::DataType type, uint64_t seed, std::string_view name);

  graph::GraphBuilder& graph() { return builder_; }
  Random& random() { return random_; }
  graph::DataType type() const { return type_; }
  const graph::Shape& shape(int32_t tensor) const { return builder_.tensor_at(tensor).shape; }
  const graph::Quantization& quantization(int32_t tensor) const {
    return builder_.tensor_at(tensor).quantization;
  }

  int32_t input(graph::Shape shape);
  int32_t input(graph::Shape shape, graph::Quantization quantization, Pattern pattern);
  // Contents for every graph input so far, in order: random where no pattern was given.
  const std::vector<Bytes>& input_contents() const { return contents_; }
  // A float32 graph input with contents in [-4, 4].
  int32_t real_input(graph::Shape shape);

  int32_t convolution(int32_t input, int32_t output_channels, LayerWindow window,
                      graph::Activation activation = graph::Activation::kNone);
  int32_t depthwise(int32_t input, LayerWindow window,
                    graph::Activation activation = graph::Activation::kNone,
                    int32_t depth_multiplier = 1);
  int32_t fully_connected(int32_t input, int32_t output_channels,
                          graph::Activation activation = graph::Activation::kNone);
  int32_t add(int32_t left, int32_t right, graph::Activation activation = graph::Activation::kNone);
  int32_t mul(int32_t left, int32_t right, graph::Activation activation = graph::Activation::kNone);
  int32_t pool(int32_t input, graph::PoolKind kind, LayerWindow window);
  // Over height and width.
  int32_t image_mean(int32_t input, bool keep_dims);
  int32_t logistic(int32_t input);
  int32_t hard_swish(int32_t input);
  int32_t softmax(int32_t input);
  // Requantizes inputs under the output quantization of the first; engines take int8 inputs only
  // when they are quantized alike, so others are brought there by QUANTIZE first.
  int32_t concatenation(const std::vector<int32_t>& inputs, int32_t axis);
  // To an ordinary quantization of another type or the same one.
  int32_t requantize(int32_t input, graph::DataType type);

  // A zero point of `type`, at its ends and middle more often than elsewhere.
  int32_t zero_point(graph::DataType type);
  // A zero point that leaves the activation more than one value: XNNPACK leaves whole networks to
  // the builtin kernels where one operator has less.
  graph::Quantization quantization_for(float scale,
                                       graph::Activation activation = graph::Activation::kNone);

 private:
  struct Weights {
    int32_t tensor;
    int32_t bias;
  };
  // int8: a scale for each index of `axis` and zero points 0, or one scale where `axis` is -1.
  // uint8: one scale and one zero point.
  // For sums of `products` products that spread over the values of `output_scale`.
  Weights weights(float input_scale, float output_scale, int32_t products,
                  const graph::Shape& shape, int32_t axis, int32_t output_channels);
  // An ordinary scale, and a zero point.
  graph::Quantization layer_quantization(graph::Activation activation);
  std::string name(std::string_view role);

  graph::DataType type_;
  Random random_;
  graph::GraphBuilder builder_;
  std::vector<Bytes> contents_;
  int32_t names_ = 0;
};

}  // namespace lockstep::conformance
