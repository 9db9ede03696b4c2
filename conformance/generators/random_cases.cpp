#include "conformance/generators/random_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <utility>

#include "conformance/generators/layers.h"
#include "conformance/generators/operand_contents.h"

namespace lockstep::conformance {
namespace {

using graph::Activation;
using graph::DataType;
using graph::Padding;
using graph::Quantization;
using graph::Shape;
using graph::UnaryKind;

// No tensor of a random network has more elements.
constexpr size_t kLargestTensor = 12000;

// Draws operators onto tensors of four dimensions and keeps what they make of that rank. Every draw
// is a statement of its own: the order in which arguments are evaluated differs between compilers.
class RandomNetwork {
 public:
  RandomNetwork(DataType type, uint64_t seed, std::string_view name) : layers_(type, seed, name) {}

  // A graph input of random shape, quantization and contents.
  int32_t input() {
    Shape shape = {pick({1, 1, 1, 2, 3}), between(1, 12), between(1, 12), channels()};
    Quantization quantization = random_quantization();
    const Pattern pattern = pick(kAllPatterns);
    return keep(layers_.input(std::move(shape), std::move(quantization), pattern));
  }

  // One operator on `input`; where it needs more, they are tensors of this network or new inputs.
  int32_t apply(RandomOperator kind, int32_t input) {
    is_read_.insert(input);
    return keep(make(kind, input));
  }

  int32_t any_tensor() { return layers_.random().pick(std::span<const int32_t>(tensors_)); }

  void add_to(CaseCollector& cases, std::string_view name, bool is_quick) {
    std::vector<int32_t> outputs = real_outputs_;
    std::ranges::copy_if(tensors_, std::back_inserter(outputs),
                         [&](int32_t tensor) { return !is_read_.contains(tensor); });
    cases.add_either(is_quick, name, layers_.graph().build(outputs), layers_.input_contents());
  }

 private:
  int32_t between(int32_t minimum, int32_t maximum) {
    return layers_.random().between(minimum, maximum);
  }
  bool one_in(int32_t chances) { return between(1, chances) == 1; }
  template <typename T, size_t count>
  T pick(const T (&values)[count]) {
    return layers_.random().pick(std::span<const T>(values));
  }
  int32_t channels() { return pick({1, 2, 3, 4, 5, 8, 13, 15, 16, 17, 24, 31, 32, 33, 48}); }
  Activation activation() {
    return pick({Activation::kNone, Activation::kNone, Activation::kRelu, Activation::kRelu6,
                 Activation::kReluN1To1});
  }
  const Shape& shape(int32_t tensor) const { return layers_.shape(tensor); }

  // Powers of two make results tie; the others are ordinary.
  Quantization random_quantization() {
    const float scale = pick({0.5f, 0.25f, 0.125f, 0.1f, 0.037f, 0.0078f});
    return graph::per_tensor(scale, layers_.zero_point(layers_.type()));
  }
  // For results of about the input's size, so that RELU_N1_TO_1 leaves more than one value.
  Quantization like(int32_t input, Activation activation = Activation::kNone) {
    const float ratio = pick({0.5f, 0.75f, 1.0f, 1.1f, 2.0f});
    return layers_.quantization_for(std::min(layers_.quantization(input).scales[0] * ratio, 0.5f),
                                    activation);
  }

  int32_t keep(int32_t tensor) {
    tensors_.push_back(tensor);
    return tensor;
  }

  // The operand beside `input`: itself, an earlier tensor of the same shape, or a new input that is
  // broadcast.
  int32_t operand_beside(int32_t input) {
    if (one_in(8)) {
      return input;
    }
    for (const int32_t tensor : tensors_) {
      if (tensor != input && shape(tensor) == shape(input) && one_in(2)) {
        is_read_.insert(tensor);
        return tensor;
      }
    }
    const Shape full = shape(input);
    const Shape shapes[] = {full,
                            {1},
                            {full[3]},
                            {full[0], 1, 1, full[3]},
                            {full[0], full[1], full[2], 1},
                            {1, full[1], full[2], full[3]},
                            {full[1], 1, full[3]}};
    Shape shape = pick(shapes);
    return layers_.input(std::move(shape), random_quantization(), Pattern::kRandom);
  }

  LayerWindow window(int32_t input, int32_t largest_kernel) {
    LayerWindow window{.kernel = between(1, largest_kernel),
                       .stride = between(1, 3),
                       .padding = pick({Padding::kSame, Padding::kValid})};
    // Where larger SAME windows leave pixels of the image out, XNNPACK 2.9 reads wrong ones.
    if (window.kernel > 1) {
      window.stride = std::min(window.stride, window.kernel);
    }
    // A VALID window has to fit.
    if (std::min(shape(input)[1], shape(input)[2]) < window.kernel) {
      window.padding = Padding::kSame;
    }
    return window;
  }

  int32_t make(RandomOperator kind, int32_t input) {
    switch (kind) {
      case RandomOperator::kConvolution:
        return convolution(input);
      case RandomOperator::kDepthwiseConvolution:
        return depthwise(input);
      case RandomOperator::kFullyConnected:
        return fully_connected(input);
      case RandomOperator::kAdd:
        return add(input);
      case RandomOperator::kMul:
        return multiply(input);
      case RandomOperator::kAveragePool:
        return pool(input, graph::PoolKind::kAverage);
      case RandomOperator::kMaxPool:
        return pool(input, graph::PoolKind::kMax);
      case RandomOperator::kMean:
        return mean(input);
      case RandomOperator::kPad:
        return pad(input);
      case RandomOperator::kConcatenation:
        return concatenation(input);
      case RandomOperator::kReshape:
        return reshape(input);
      case RandomOperator::kSoftmax:
        return layers_.softmax(input);
      case RandomOperator::kRequantize:
        return requantize(input);
      case RandomOperator::kQuantizeDequantize:
        return quantize_dequantize(input);
      case RandomOperator::kResizeBilinear:
        return resize(input, graph::ResizeKind::kBilinear);
      case RandomOperator::kResizeNearestNeighbor:
        return resize(input, graph::ResizeKind::kNearestNeighbor);
      case RandomOperator::kDepthToSpace:
        return depth_to_space(input);
      case RandomOperator::kSpaceToDepth:
        return space_to_depth(input);
      default:
        return unary(kind, input);
    }
  }

  int32_t convolution(int32_t input) {
    const int32_t output_channels = channels();
    const LayerWindow taps = window(input, 4);
    return layers_.convolution(input, output_channels, taps, activation());
  }

  int32_t depthwise(int32_t input) {
    const int32_t multiplier = shape(input)[3] <= 16 ? pick({1, 1, 2}) : 1;
    const LayerWindow taps = window(input, 5);
    return layers_.depthwise(input, taps, activation(), multiplier);
  }

  int32_t add(int32_t input) {
    const int32_t other = operand_beside(input);
    const Activation fused = activation();
    return layers_.graph().add(input, other, like(input, fused), fused);
  }

  int32_t mean(int32_t input) {
    const std::vector<int32_t> axes[] = {{1, 2}, {1, 2}, {1}, {2}, {3}, {2, 3}};
    const std::vector<int32_t> chosen = pick(axes);
    return layers_.graph().mean(input, chosen, true,
                                one_in(3) ? layers_.quantization(input) : like(input));
  }

  // On images of few values, which become rows and images again.
  int32_t fully_connected(int32_t input) {
    const int32_t rows = shape(input)[0];
    const auto columns = static_cast<int32_t>(element_count_of(shape(input))) / rows;
    if (columns > 512) {
      return make(RandomOperator::kMean, input);
    }
    const int32_t output_channels = channels();
    const int32_t flat = layers_.graph().reshape(input, {rows, columns});
    return layers_.graph().reshape(layers_.fully_connected(flat, output_channels, activation()),
                                   {rows, 1, 1, output_channels});
  }

  int32_t multiply(int32_t input) {
    const int32_t other = operand_beside(input);
    const float product =
        layers_.quantization(input).scales[0] * layers_.quantization(other).scales[0];
    const float scale = std::min(product * pick({2.0f, 64.0f, 100.0f, 128.0f}), 0.5f);
    const Activation fused = activation();
    return layers_.graph().mul(input, other, layers_.quantization_for(scale, fused), fused);
  }

  int32_t pool(int32_t input, graph::PoolKind kind) {
    const std::string_view zero_point = zero_point_name(layers_.graph().tensor_at(input));
    const Activation fused = zero_point == "highest" ? Activation::kNone : activation();
    return layers_.graph().pool_2d(input,
                                   {.kind = kind,
                                    .padding = Padding::kSame,
                                    .stride_height = between(1, 3),
                                    .stride_width = between(1, 3),
                                    .filter_height = between(1, 7),
                                    .filter_width = between(1, 7),
                                    .activation = fused},
                                   layers_.quantization(input));
  }

  int32_t pad(int32_t input) {
    std::vector<int32_t> amounts(8, 0);
    for (const size_t i : {2u, 3u, 4u, 5u}) {
      amounts[i] = between(0, 3);
    }
    if (one_in(3)) {
      amounts[6] = between(0, 5);
      amounts[7] = between(0, 5);
    }
    size_t count = 1;
    for (size_t i = 0; i < 4; ++i) {
      count *= static_cast<size_t>(shape(input)[i] + amounts[2 * i] + amounts[2 * i + 1]);
    }
    if (count > kLargestTensor) {
      return make(RandomOperator::kMaxPool, input);
    }
    if (one_in(2)) {
      return layers_.graph().pad(input, amounts);
    }
    const int32_t value = layers_.graph().constant_bytes(
        "value", layers_.type(), {1}, Bytes{static_cast<std::byte>(between(0, 255))},
        layers_.quantization(input));
    return layers_.graph().pad_with(input, amounts, value);
  }

  int32_t concatenation(int32_t input) {
    if (3 * element_count_of(shape(input)) > kLargestTensor) {
      return make(RandomOperator::kMaxPool, input);
    }
    const int32_t axis = pick({0, 1, 2, 3, 3, 3});
    std::vector<int32_t> parts = {input};
    const int32_t count = between(1, 3);
    for (int32_t i = 1; i < count; ++i) {
      Shape part = shape(input);
      part[static_cast<size_t>(axis)] =
          std::max(1, part[static_cast<size_t>(axis)] - between(0, 3));
      parts.push_back(layers_.input(part, random_quantization(), Pattern::kRandom));
    }
    std::swap(parts.front(), parts[static_cast<size_t>(between(0, count - 1))]);
    return layers_.concatenation(parts, axis);
  }

  int32_t reshape(int32_t input) {
    const Shape from = shape(input);
    const Shape shapes[] = {{from[0], from[1] * from[2], 1, from[3]},
                            {from[0], from[2], from[1], from[3]},
                            {1, from[0] * from[1], from[2], from[3]},
                            {from[0], 1, from[1], from[2] * from[3]},
                            {from[3], from[0], from[1], from[2]}};
    return layers_.graph().reshape(input, pick(shapes));
  }

  // There and back, so that all tensors of the network stay of one type.
  int32_t requantize(int32_t input) {
    const DataType other = layers_.type() == DataType::kInt8 ? DataType::kUint8 : DataType::kInt8;
    const int32_t moved = layers_.requantize(input, other);
    return layers_.graph().quantize(moved, layers_.type(), like(input));
  }

  int32_t quantize_dequantize(int32_t input) {
    const int32_t real = layers_.graph().dequantize(input);
    real_outputs_.push_back(real);
    return layers_.graph().quantize(real, layers_.type(), like(input));
  }

  int32_t resize(int32_t input, graph::ResizeKind kind) {
    const bool align_corners = one_in(3);
    const bool half_pixel_centers = !align_corners && one_in(2);
    const Shape& from = shape(input);
    int32_t height = between(1, 2 * from[1] + 1);
    int32_t width = between(1, 2 * from[2] + 1);
    if (element_count_of({from[0], height, width, from[3]}) > kLargestTensor) {
      height = from[1];
      width = from[2];
    }
    return layers_.graph().resize(input, height, width, {kind, align_corners, half_pixel_centers});
  }

  // The largest block that fits.
  int32_t depth_to_space(int32_t input) {
    const int32_t channels = shape(input)[3];
    const int32_t size = channels % 16 == 0 ? 4 : channels % 9 == 0 ? 3 : channels % 4 == 0 ? 2 : 1;
    return layers_.graph().depth_to_space(input, size);
  }

  int32_t space_to_depth(int32_t input) {
    const int32_t common = std::gcd(shape(input)[1], shape(input)[2]);
    return layers_.graph().space_to_depth(input, common % 3 == 0 ? 3 : common % 2 == 0 ? 2 : 1);
  }

  int32_t unary(RandomOperator kind, int32_t input) {
    switch (kind) {
      case RandomOperator::kLogistic:
        return layers_.logistic(input);
      case RandomOperator::kTanh:
        return layers_.graph().unary(UnaryKind::kTanh, input,
                                     signed_quantization(layers_.type(), 1.0f / 128.0f, 0));
      case RandomOperator::kRelu6:
        return layers_.graph().unary(UnaryKind::kRelu6, input, like(input));
      case RandomOperator::kReluN1To1:
        return layers_.graph().unary(UnaryKind::kReluN1To1, input, like(input));
      case RandomOperator::kHardSwish:
        return layers_.graph().unary(UnaryKind::kHardSwish, input, like(input));
      case RandomOperator::kLeakyRelu: {
        const float slope = pick({0.1f, 0.25f, -0.5f, 1.5f});
        return layers_.graph().unary(UnaryKind::kLeakyRelu, input, like(input), slope);
      }
      default:
        return layers_.graph().unary(UnaryKind::kRelu, input, like(input));
    }
  }

  LayerBuilder layers_;
  std::vector<int32_t> tensors_;
  std::set<int32_t> is_read_;
  std::vector<int32_t> real_outputs_;  // float32, which nobody reads here
};

constexpr std::array kAllOperators = {RandomOperator::kConvolution,
                                      RandomOperator::kDepthwiseConvolution,
                                      RandomOperator::kConvolution,
                                      RandomOperator::kFullyConnected,
                                      RandomOperator::kAdd,
                                      RandomOperator::kMul,
                                      RandomOperator::kAveragePool,
                                      RandomOperator::kMaxPool,
                                      RandomOperator::kMean,
                                      RandomOperator::kPad,
                                      RandomOperator::kConcatenation,
                                      RandomOperator::kReshape,
                                      RandomOperator::kSoftmax,
                                      RandomOperator::kRequantize,
                                      RandomOperator::kQuantizeDequantize,
                                      RandomOperator::kLogistic,
                                      RandomOperator::kTanh,
                                      RandomOperator::kRelu,
                                      RandomOperator::kRelu6,
                                      RandomOperator::kReluN1To1,
                                      RandomOperator::kHardSwish,
                                      RandomOperator::kLeakyRelu};

}  // namespace

void add_random_cases(CaseCollector& cases, const GeneratorOptions& options, RandomOperator kind) {
  for (int32_t i = 0; i < options.random_cases; ++i) {
    const DataType type = k8BitTypes[static_cast<size_t>(i) % 2];
    const std::string name = fmt::format("random {} seed {}", i, options.seed);
    RandomNetwork network(type, options.seed, fmt::format("{} {}", static_cast<int>(kind), name));
    network.apply(kind, network.input());
    network.add_to(cases, name, false);
  }
}

void add_random_network(CaseCollector& cases, uint64_t seed, std::string_view name, DataType type,
                        int32_t operator_count, bool is_quick) {
  RandomNetwork network(type, seed, name);
  network.input();
  for (int32_t i = 0; i < operator_count; ++i) {
    // In turn, from a place that the name decides, so that few networks hold all operators.
    const auto place = static_cast<size_t>(Random(seed, fmt::format("{} {}", name, i)).next());
    network.apply(kAllOperators[place % kAllOperators.size()], network.any_tensor());
  }
  network.add_to(cases, name, is_quick);
}

}  // namespace lockstep::conformance
