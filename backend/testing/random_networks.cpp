#include "backend/testing/random_networks.h"

#include <algorithm>

#include "graph/testing/graph_builder.h"

namespace lockstep::backend::testing {
namespace {

using graph::Activation;
using graph::DataType;
using graph::Quantization;
using graph::Shape;
using graph::testing::GraphBuilder;
using graph::testing::per_axis;
using graph::testing::per_tensor;

class Generator {
 public:
  Generator(DataType type, std::mt19937& random)
      : type_(type), random_(random), builder_("random network") {}

  graph::Graph build(NetworkKind kind) {
    switch (kind) {
      case NetworkKind::kConvolution:
        convolution(image(), 1);
        break;
      case NetworkKind::kPointwiseConvolution:
        pointwise(image());
        break;
      case NetworkKind::kGroupedConvolution: {
        const int32_t groups = between(2, 4);
        convolution(image(groups * between(1, 8)), groups);
        break;
      }
      case NetworkKind::kDepthwiseConvolution:
        depthwise(image());
        break;
      case NetworkKind::kFullyConnected:
        fully_connected(builder_.input("x", type_, {between(1, 5), channels()}, quantization()));
        break;
      case NetworkKind::kAdd:
      case NetworkKind::kMul:
        binary(kind == NetworkKind::kAdd);
        break;
      case NetworkKind::kPool:
        pool(image());
        break;
      case NetworkKind::kMean:
        mean(image());
        break;
      case NetworkKind::kPad:
        pad();
        break;
      case NetworkKind::kConcatenation:
        concatenation();
        break;
      case NetworkKind::kReshape:
        reshape();
        break;
      case NetworkKind::kResize:
        resize(image());
        break;
      case NetworkKind::kPixelBlocks:
        pixel_blocks();
        break;
      case NetworkKind::kTable:
        table(image());
        break;
      case NetworkKind::kMixed:
        mixed();
        break;
    }
    return builder_.build(results_);
  }

 private:
  int32_t between(int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(random_);
  }
  bool one_in(int32_t chances) { return between(1, chances) == 1; }
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return *(values.begin() + between(0, static_cast<int32_t>(values.size()) - 1));
  }

  int32_t channels() { return pick({1, 2, 3, 4, 5, 8, 13, 16, 17, 24, 32, 33, 48, 64}); }
  Shape image_shape(int32_t channels) {
    return {pick({1, 1, 1, 2, 3}), between(1, 12), between(1, 12), channels};
  }
  int32_t image(int32_t channels) {
    return builder_.input("x", type_, image_shape(channels), quantization());
  }
  int32_t image() { return image(channels()); }

  const Shape& shape(int32_t tensor) const { return builder_.tensor_at(tensor).shape; }
  const Quantization& quantization_of(int32_t tensor) const {
    return builder_.tensor_at(tensor).quantization;
  }

  // Powers of two make products whose scaled values tie; the others are ordinary.
  float scale() { return pick({0.5f, 0.25f, 0.125f, 0.1f, 0.037f, 0.0078f}); }
  int32_t zero_point() {
    const int32_t minimum = type_ == DataType::kInt8 ? -128 : 0;
    return pick({minimum, minimum + 255, minimum + 128, minimum + between(0, 255)});
  }
  Quantization quantization() { return per_tensor(scale(), zero_point()); }
  Activation activation() {
    return pick({Activation::kNone, Activation::kNone, Activation::kRelu, Activation::kRelu6,
                 Activation::kReluN1To1});
  }

  int32_t result(int32_t tensor) {
    results_.push_back(tensor);
    return tensor;
  }

  std::vector<std::byte> weight_bytes(const Shape& shape) {
    return random_contents(static_cast<size_t>(graph::element_count(shape).value()), type_,
                           random_);
  }

  // int8 weights are symmetric, with one scale or one for each channel; uint8 ones have one zero
  // point, as the engines want it.
  int32_t weights(const Shape& shape, int32_t axis) {
    Quantization quantization = per_tensor(scale(), 0);
    if (type_ == DataType::kUint8) {
      quantization = per_tensor(scale(), between(0, 255));
    } else if (one_in(2)) {
      std::vector<float> scales(static_cast<size_t>(shape[static_cast<size_t>(axis)]));
      std::ranges::generate(scales, [&] { return scale(); });
      quantization = per_axis(std::move(scales), axis);
    }
    return builder_.constant_bytes("w", type_, shape, weight_bytes(shape), std::move(quantization));
  }

  int32_t bias(int32_t count) {
    if (one_in(4)) {
      return graph::kAbsentTensor;
    }
    std::vector<int32_t> values(static_cast<size_t>(count));
    std::ranges::generate(values, [&] { return between(-20000, 20000); });
    return builder_.constant<int32_t>("b", {count}, values);
  }

  // Large enough that most results do not saturate.
  Quantization output_quantization(int32_t input, int32_t weights, int32_t products) {
    const float product_scale =
        quantization_of(input).scales[0] * quantization_of(weights).scales[0];
    const float spread = pick({0.5f, 1.0f, 16.0f, 16.0f, 50.0f});
    return per_tensor(product_scale * spread *
                          pick({1.0f, static_cast<float>(between(1, std::max(products, 1)))}),
                      zero_point());
  }

  int32_t convolution(int32_t input, int32_t groups) {
    const int32_t input_channels = shape(input)[3];
    const int32_t output_channels = groups * between(1, 24);
    const int32_t height = std::min(between(1, 5), shape(input)[1]);
    const int32_t width = std::min(between(1, 5), shape(input)[2]);
    graph::Conv2dAttributes attributes;
    attributes.padding = pick({graph::Padding::kSame, graph::Padding::kValid});
    attributes.stride_height = between(1, 3);
    attributes.stride_width = between(1, 3);
    if (attributes.padding == graph::Padding::kSame && one_in(3)) {
      attributes.dilation_height = between(1, 3);
      attributes.dilation_width = between(1, 3);
    }
    attributes.activation = activation();
    const int32_t filter = weights({output_channels, height, width, input_channels / groups}, 0);
    return result(builder_.conv_2d(
        input, filter, bias(output_channels),
        output_quantization(input, filter, height * width * input_channels / groups), attributes));
  }

  int32_t pointwise(int32_t input) {
    const int32_t output_channels = channels();
    graph::Conv2dAttributes attributes;
    attributes.activation = activation();
    const int32_t filter = weights({output_channels, 1, 1, shape(input)[3]}, 0);
    return result(builder_.conv_2d(input, filter, bias(output_channels),
                                   output_quantization(input, filter, shape(input)[3]),
                                   attributes));
  }

  int32_t depthwise(int32_t input) {
    const int32_t multiplier = pick({1, 1, 1, 2, 3});
    const int32_t output_channels = shape(input)[3] * multiplier;
    const int32_t height = std::min(pick({1, 2, 3, 3, 5}), shape(input)[1]);
    const int32_t width = std::min(pick({1, 2, 3, 3, 5}), shape(input)[2]);
    graph::DepthwiseConv2dAttributes attributes;
    attributes.padding = pick({graph::Padding::kSame, graph::Padding::kValid});
    attributes.stride_height = attributes.stride_width = between(1, 2);
    if (attributes.padding == graph::Padding::kSame && one_in(3)) {
      attributes.dilation_height = attributes.dilation_width = between(1, 3);
    }
    attributes.activation = activation();
    const int32_t filter = weights({1, height, width, output_channels}, 3);
    return result(builder_.depthwise_conv_2d(input, filter, bias(output_channels),
                                             output_quantization(input, filter, height * width),
                                             attributes));
  }

  int32_t fully_connected(int32_t input) {
    const int32_t input_channels = shape(input).back();
    const int32_t output_channels = between(1, 40);
    graph::FullyConnectedAttributes attributes;
    attributes.activation = activation();
    Quantization symmetric = per_tensor(scale(), type_ == DataType::kUint8 ? between(0, 255) : 0);
    const Shape filter_shape{output_channels, input_channels};
    const int32_t filter = builder_.constant_bytes(
        "w", type_, filter_shape, weight_bytes(filter_shape), std::move(symmetric));
    return result(builder_.fully_connected(input, filter, bias(output_channels),
                                           output_quantization(input, filter, input_channels),
                                           attributes));
  }

  int32_t binary(bool is_add) {
    const Shape full = image_shape(channels());
    Shape other = full;
    switch (between(0, 4)) {
      case 0:
        other = {1};
        break;
      case 1:
        other = {full[3]};
        break;
      case 2:
        other = {full[0], 1, 1, full[3]};
        break;
      default:
        break;
    }
    const int32_t left = builder_.input("left", type_, full, quantization());
    const int32_t right = one_in(4) ? builder_.constant_bytes("right", type_, other,
                                                              weight_bytes(other), quantization())
                                    : builder_.input("right", type_, other, quantization());
    const bool swapped = one_in(2);
    const int32_t first = swapped ? right : left;
    const int32_t second = swapped ? left : right;
    if (is_add) {
      return result(builder_.add(first, second, quantization(), activation()));
    }
    const float product = quantization_of(first).scales[0] * quantization_of(second).scales[0];
    return result(
        builder_.mul(first, second,
                     per_tensor(product * pick({1.0f, 2.0f, 64.0f, 100.0f, 128.0f}), zero_point()),
                     activation()));
  }

  int32_t pool(int32_t input) {
    graph::Pool2dAttributes attributes;
    attributes.kind = pick({graph::PoolKind::kAverage, graph::PoolKind::kMax});
    attributes.padding = pick({graph::Padding::kSame, graph::Padding::kValid});
    attributes.filter_height = std::min(between(1, 7), shape(input)[1]);
    attributes.filter_width = std::min(between(1, 7), shape(input)[2]);
    attributes.stride_height = between(1, 3);
    attributes.stride_width = between(1, 3);
    attributes.activation = activation();
    return result(builder_.pool_2d(input, attributes, quantization_of(input)));
  }

  int32_t mean(int32_t input) {
    const std::vector<int32_t> axes =
        pick<std::vector<int32_t>>({{1, 2}, {1, 2}, {2}, {3}, {1}, {2, 3}});
    const Quantization output = one_in(3) ? quantization_of(input) : quantization();
    return result(builder_.mean(input, axes, one_in(2), output));
  }

  int32_t pad() {
    const int32_t input = image();
    std::vector<int32_t> amounts{0, 0, between(0, 3), between(0, 3), between(0, 3), between(0, 3),
                                 0, 0};
    if (one_in(3)) {
      amounts[6] = between(0, 5);
      amounts[7] = between(0, 5);
    }
    if (one_in(3)) {
      amounts[0] = between(0, 1);
    }
    return result(builder_.pad(input, amounts));
  }

  int32_t concatenation() {
    const int32_t axis = pick({3, 3, 1, 2, -1});
    const Shape base = image_shape(channels());
    const Quantization output = quantization();
    std::vector<int32_t> parts;
    const int32_t count = between(2, 4);
    for (int32_t i = 0; i < count; ++i) {
      Shape part = base;
      int32_t& extent = part[static_cast<size_t>(axis < 0 ? axis + 4 : axis)];
      extent = axis == 3 || axis == -1 ? channels() : between(1, 6);
      parts.push_back(builder_.input("x", type_, part, one_in(2) ? output : quantization()));
    }
    return result(builder_.concatenation(parts, axis, output));
  }

  int32_t reshape() {
    const int32_t input = image();
    const Shape from = shape(input);
    const Shape to = pick<Shape>({{from[0], from[1] * from[2], from[3]},
                                  {from[0], from[1] * from[2] * from[3]},
                                  {from[3], from[0] * from[1] * from[2]},
                                  {from[0] * from[1] * from[2] * from[3]},
                                  {from[0] * from[1] * from[2] * from[3], 1}});
    const int32_t renamed = result(builder_.reshape(input, to));
    return result(builder_.unary(graph::UnaryKind::kRelu, renamed, quantization_of(renamed)));
  }

  // Doubling, which networks do, and any other extents.
  int32_t resize(int32_t input) {
    graph::ResizeAttributes attributes;
    attributes.kind = pick({graph::ResizeKind::kBilinear, graph::ResizeKind::kBilinear,
                            graph::ResizeKind::kNearestNeighbor});
    attributes.align_corners = one_in(3);
    attributes.half_pixel_centers = !attributes.align_corners && one_in(2);
    const bool doubles = one_in(3);
    const int32_t height = doubles ? 2 * shape(input)[1] : between(1, 20);
    const int32_t width = doubles ? 2 * shape(input)[2] : between(1, 20);
    return result(builder_.resize(input, height, width, attributes));
  }

  // There and back again.
  int32_t pixel_blocks() {
    const int32_t size = between(1, 3);
    const int32_t input = image(pick({1, 2, 4, 5, 8, 16}) * size * size);
    return result(builder_.space_to_depth(result(builder_.depth_to_space(input, size)), size));
  }

  int32_t table(int32_t input) {
    using graph::UnaryKind;
    const UnaryKind kind = pick({UnaryKind::kLogistic, UnaryKind::kTanh, UnaryKind::kRelu,
                                 UnaryKind::kRelu6, UnaryKind::kHardSwish, UnaryKind::kLeakyRelu});
    const bool is_signed = type_ == DataType::kInt8;
    Quantization output = quantization();
    if (kind == UnaryKind::kLogistic) {
      output = per_tensor(1.0f / 256.0f, is_signed ? -128 : 0);
    } else if (kind == UnaryKind::kTanh) {
      output = per_tensor(1.0f / 128.0f, is_signed ? 0 : 128);
    }
    return result(builder_.unary(kind, input, output, 0.1f));
  }

  // An inverted-residual block, a pooled branch and a classifier.
  int32_t mixed() {
    const int32_t input = image(pick({3, 8, 16}));
    const int32_t features = convolution(input, 1);
    const int32_t expanded = pointwise(features);
    const int32_t filtered = depthwise(expanded);
    const int32_t activated = table(filtered);
    const int32_t shape_sum = pointwise(features);
    const int32_t other = result(builder_.add(features, features, quantization(), activation()));
    const int32_t joined =
        result(builder_.concatenation({shape_sum, other, features}, 3, quantization()));
    const int32_t summed = result(builder_.mean(joined, {1, 2}, false, quantization()));
    const int32_t averaged = pool(activated);
    static_cast<void>(averaged);
    return fully_connected(summed);
  }

  DataType type_;
  std::mt19937& random_;
  GraphBuilder builder_;
  std::vector<int32_t> results_;
};

}  // namespace

std::string_view network_kind_name(NetworkKind kind) {
  switch (kind) {
    case NetworkKind::kConvolution:
      return "convolution";
    case NetworkKind::kPointwiseConvolution:
      return "pointwise_convolution";
    case NetworkKind::kGroupedConvolution:
      return "grouped_convolution";
    case NetworkKind::kDepthwiseConvolution:
      return "depthwise_convolution";
    case NetworkKind::kFullyConnected:
      return "fully_connected";
    case NetworkKind::kAdd:
      return "add";
    case NetworkKind::kMul:
      return "mul";
    case NetworkKind::kPool:
      return "pool";
    case NetworkKind::kMean:
      return "mean";
    case NetworkKind::kPad:
      return "pad";
    case NetworkKind::kConcatenation:
      return "concatenation";
    case NetworkKind::kReshape:
      return "reshape";
    case NetworkKind::kResize:
      return "resize";
    case NetworkKind::kPixelBlocks:
      return "pixel_blocks";
    case NetworkKind::kTable:
      return "table";
    case NetworkKind::kMixed:
      return "mixed";
  }
  return "unknown";
}

graph::Graph random_network(NetworkKind kind, DataType type, std::mt19937& random) {
  return Generator(type, random).build(kind);
}

std::vector<std::byte> random_contents(size_t bytes, DataType type, std::mt19937& random) {
  const std::byte smallest{static_cast<unsigned char>(type == DataType::kInt8 ? 0x80 : 0x00)};
  const std::byte largest = ~smallest;
  std::vector<std::byte> contents(bytes);
  switch (random() % 6) {
    case 0:
      std::ranges::fill(contents, smallest);
      break;
    case 1:
      std::ranges::fill(contents, largest);
      break;
    case 2:
      std::ranges::generate(contents, [&] { return random() % 2 == 0 ? smallest : largest; });
      break;
    default:
      std::ranges::generate(contents, [&] { return static_cast<std::byte>(random()); });
  }
  return contents;
}

}  // namespace lockstep::backend::testing
