// Neighbours that a backend may compute at once: small networks whose tensors in between are not
// outputs, so that nobody has to make them. What is fused must give the bits of what is not.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "conformance/generators/case_collector.h"
#include "conformance/generators/families.h"
#include "conformance/generators/layers.h"
#include "conformance/generators/operand_contents.h"

namespace lockstep::conformance {
namespace {

using graph::Activation;
using graph::DataType;
using graph::Padding;
using graph::PoolKind;

using Outputs = std::vector<int32_t>;

// --- Neighbours --------------------------------------------------------------------------------

constexpr LayerWindow k3x3Valid{.kernel = 3, .padding = Padding::kValid};
constexpr LayerWindow k3x3Stride2Valid{.kernel = 3, .stride = 2, .padding = Padding::kValid};
constexpr LayerWindow k2x2{.kernel = 2, .stride = 2};

DataType other_type(const LayerBuilder& layers) {
  return layers.type() == DataType::kInt8 ? DataType::kUint8 : DataType::kInt8;
}

int32_t image(LayerBuilder& layers, int32_t channels) { return layers.input({2, 5, 6, channels}); }

int32_t padded(LayerBuilder& layers, int32_t input) {
  return layers.graph().pad(input, {0, 0, 1, 0, 2, 1, 0, 0});
}

Outputs padding_of_convolution(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  return {layers.convolution(padded(layers, input), 9, k3x3Stride2Valid)};
}

Outputs padding_of_depthwise(LayerBuilder& layers, int32_t channels) {
  return {layers.depthwise(padded(layers, image(layers, channels)), k3x3Valid)};
}

Outputs padding_of_two(LayerBuilder& layers, int32_t channels) {
  const int32_t input = padded(layers, image(layers, channels));
  return {layers.convolution(input, 4, k3x3, Activation::kRelu6), layers.depthwise(input, k3x3)};
}

Outputs paddings_in_a_row(LayerBuilder& layers, int32_t channels) {
  const int32_t once = padded(layers, image(layers, channels));
  const int32_t twice = layers.graph().pad(once, {0, 0, 0, 2, 1, 0, 0, 0});
  return {layers.convolution(twice, 6, k3x3Valid)};
}

// What a window reads beside its image is its zero point: this is something else.
Outputs padding_by_another_value(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  const int32_t outside = layers.quantization(input).zero_points[0] > 0 ? -3 : 3;
  const int32_t value =
      layers.type() == DataType::kInt8
          ? layers.graph().constant<int8_t>("outside", {1}, {static_cast<int8_t>(outside)},
                                            layers.quantization(input))
          : layers.graph().constant<uint8_t>("outside", {1}, {static_cast<uint8_t>(outside + 128)},
                                             layers.quantization(input));
  const int32_t padded = layers.graph().pad_with(input, {0, 0, 1, 0, 2, 1, 0, 0}, value);
  return {layers.convolution(padded, 6, k3x3Valid)};
}

// Not of pixels alone: these stay.
Outputs padding_of_channels(LayerBuilder& layers, int32_t channels) {
  const int32_t input = layers.graph().pad(image(layers, channels), {0, 0, 1, 1, 0, 0, 0, 3});
  return {layers.convolution(input, 5, k3x3Valid)};
}

Outputs sum_on_the_left(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  return {layers.add(layers.convolution(input, channels, kPointwise), input)};
}

Outputs sum_on_the_right(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  return {layers.add(input, layers.convolution(input, channels, kPointwise, Activation::kRelu6),
                     Activation::kRelu)};
}

Outputs sum_after_window(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  return {layers.add(layers.convolution(input, channels, k3x3), input, Activation::kRelu6)};
}

Outputs sum_of_two(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  const int32_t body = layers.convolution(layers.convolution(input, 12, k2x2), channels, k3x3);
  return {layers.add(body, layers.convolution(input, channels, {.kernel = 1, .stride = 2}))};
}

Outputs sum_of_rows(LayerBuilder& layers, int32_t channels) {
  const int32_t input = layers.input({3, channels});
  return {layers.add(layers.fully_connected(input, channels), input)};
}

// One channel for all: another operand's layout.
Outputs sum_with_one_channel(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  return {layers.add(layers.convolution(input, channels, kPointwise),
                     layers.convolution(input, 1, kPointwise))};
}

Outputs sums_in_a_row(LayerBuilder& layers, int32_t channels) {
  int32_t features = image(layers, channels);
  for (int block = 0; block < 3; ++block) {
    const int32_t wide = layers.convolution(features, 16, kPointwise, Activation::kRelu6);
    features = layers.add(features, layers.convolution(wide, channels, kPointwise));
  }
  return {layers.add(features, layers.depthwise(features, k3x3))};
}

Outputs types_at_both_borders(LayerBuilder& layers, int32_t channels) {
  const DataType outside = other_type(layers);
  const int32_t inside = layers.requantize(image(layers, channels), outside);
  return {layers.requantize(layers.pool(inside, PoolKind::kMax, k3x3), layers.type())};
}

Outputs scales_at_both_borders(LayerBuilder& layers, int32_t channels) {
  const int32_t inside = layers.requantize(image(layers, channels), layers.type());
  return {layers.requantize(layers.convolution(inside, channels, kPointwise), layers.type())};
}

Outputs tables_after_convolutions(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  const int32_t features = layers.hard_swish(layers.convolution(input, channels, k3x3));
  const int32_t filtered = layers.hard_swish(layers.depthwise(features, k3x3));
  return {layers.pool(filtered, PoolKind::kMax, k2x2)};
}

Outputs tables_after_sums(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  const int32_t sum = layers.add(layers.convolution(input, channels, kPointwise), input);
  const int32_t features = layers.logistic(sum);
  return {layers.pool(layers.logistic(layers.add(features, input)), PoolKind::kMax, k2x2)};
}

Outputs joined_channels(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  const int32_t narrow = layers.convolution(input, 8, kPointwise);
  const int32_t wide = layers.convolution(input, channels, k3x3);
  return {layers.concatenation({narrow, wide, layers.pool(input, PoolKind::kMax, k3x3)}, 3)};
}

Outputs joined_rows(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  std::vector<int32_t> pieces;
  for (const int32_t anchors : {2, 3}) {
    const int32_t boxes = layers.convolution(input, 4 * anchors, kPointwise);
    pieces.push_back(layers.graph().reshape(boxes, {2, 30 * anchors, 4}));
  }
  return {layers.concatenation(pieces, 1)};
}

// uint8 tensors that are quantized otherwise are translated by the concatenation itself.
int32_t joined(LayerBuilder& layers, const std::vector<int32_t>& pieces, int32_t axis) {
  return layers.type() == DataType::kUint8
             ? layers.graph().concatenation(pieces, axis, layers.quantization(pieces.front()))
             : layers.concatenation(pieces, axis);
}

// One piece twice, one that took two reshapes, one that is an output.
Outputs joined_reshapes(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  std::vector<int32_t> pieces;
  for (const int32_t anchors : {2, 1, 3}) {
    const int32_t boxes = layers.pool(layers.convolution(input, anchors * channels, kPointwise),
                                      PoolKind::kMax, k3x3);
    const int32_t flat = anchors == 1 ? layers.graph().reshape(boxes, {60 * channels}) : boxes;
    pieces.push_back(layers.graph().reshape(flat, {2, 30 * anchors, channels}));
  }
  return {joined(layers, {pieces[0], pieces[1], pieces[2], pieces[0]}, 1), pieces[2]};
}

Outputs reshapes_at_both_borders(LayerBuilder& layers, int32_t channels) {
  const int32_t input =
      layers.graph().reshape(layers.input({2, 30 * channels}), {2, 5, 6, channels});
  const int32_t result = layers.pool(input, PoolKind::kMax, k3x3);
  return {
      layers.graph().reshape(layers.requantize(result, other_type(layers)), {10 * channels, 6})};
}

// Images of 64 pixels: whole units, wherever a device may bind memory. The last one is smaller.
Outputs joined_images(LayerBuilder& layers, int32_t channels) {
  const int32_t input = layers.input({1, 8, 8, channels});
  const int32_t filtered = layers.depthwise(input, k3x3);
  const int32_t features = layers.pool(filtered, PoolKind::kMax, k3x3);
  const int32_t added = layers.add(layers.convolution(features, channels, kPointwise), filtered);
  const int32_t last = layers.pool(layers.input({1, 3, 8, channels}), PoolKind::kMax, k3x3);
  const int32_t all = joined(layers, {filtered, features, added, input, last}, 1);
  return {layers.pool(all, PoolKind::kMax, k2x2), layers.convolution(added, 5, kPointwise)};
}

Outputs joined_twice(LayerBuilder& layers, int32_t channels) {
  const int32_t input = layers.input({2, 8, 8, channels});
  const int32_t first = layers.pool(input, PoolKind::kMax, k3x3);
  const int32_t second = layers.pool(first, PoolKind::kMax, k3x3);
  const int32_t both = joined(layers, {second, first}, 0);
  const int32_t again = layers.pool(both, PoolKind::kMax, k3x3);
  const int32_t all = joined(layers, {again, both, layers.pool(second, PoolKind::kMax, k3x3)}, 0);
  return {layers.depthwise(all, k3x3), joined(layers, {first, input}, 0)};
}

// The kernel of first layers: more channels than an image has.
Outputs sum_after_first_layer(LayerBuilder& layers, int32_t channels) {
  const int32_t pixels = image(layers, std::min(channels, 3));
  const int32_t other = image(layers, 9);
  return {layers.logistic(layers.add(layers.convolution(pixels, 9, k3x3), other)),
          layers.hard_swish(layers.convolution(pixels, 11, k2x2))};
}

// A matrix times a vector.
Outputs sum_of_one_row(LayerBuilder& layers, int32_t channels) {
  const int32_t input = layers.input({1, 21});
  const int32_t features = layers.fully_connected(input, channels);
  const int32_t sum = layers.add(layers.input({1, channels}), features, Activation::kRelu);
  return {layers.fully_connected(layers.logistic(sum), 7)};
}

Outputs sum_after_depthwise(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  const int32_t sum = layers.add(layers.depthwise(input, k3x3), input, Activation::kRelu6);
  return {layers.logistic(sum), layers.logistic(layers.depthwise(input, k2x2))};
}

// Wide enough for what GPUs compute in tiles.
Outputs sum_of_many_channels(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  const int32_t wide = layers.convolution(input, 75, k3x3);
  return {layers.logistic(layers.add(wide, layers.convolution(wide, 75, kPointwise)))};
}

Outputs table_after_broadcast_sum(LayerBuilder& layers, int32_t channels) {
  const int32_t input = image(layers, channels);
  const int32_t row = layers.input({1, 1, 1, channels});
  const int32_t sum = layers.logistic(layers.add(input, row));
  return {layers.pool(layers.hard_swish(layers.add(input, sum)), PoolKind::kMax, k2x2)};
}

struct Neighbours {
  const char* name;
  Outputs (*build)(LayerBuilder& layers, int32_t channels);
  bool is_quick;
};

constexpr Neighbours kNeighbours[] = {
    {"padding of convolution", padding_of_convolution, false},
    {"padding of depthwise", padding_of_depthwise, false},
    {"padding of two", padding_of_two, true},
    {"paddings in a row", paddings_in_a_row, false},
    {"padding by another value", padding_by_another_value, false},
    {"padding of channels", padding_of_channels, false},
    {"sum on the left", sum_on_the_left, true},
    {"sum on the right", sum_on_the_right, false},
    {"sum after window", sum_after_window, true},
    {"sum of two", sum_of_two, false},
    {"sum of rows", sum_of_rows, false},
    {"sum with one channel", sum_with_one_channel, false},
    {"sums in a row", sums_in_a_row, true},
    {"types at both borders", types_at_both_borders, false},
    {"scales at both borders", scales_at_both_borders, true},
    {"tables after convolutions", tables_after_convolutions, true},
    {"tables after sums", tables_after_sums, false},
    {"joined channels", joined_channels, false},
    {"joined rows", joined_rows, false},
    {"joined reshapes", joined_reshapes, false},
    {"reshapes at both borders", reshapes_at_both_borders, false},
    {"joined images", joined_images, true},
    {"joined twice", joined_twice, false},
    {"sum after first layer", sum_after_first_layer, false},
    {"sum of one row", sum_of_one_row, false},
    {"sum after depthwise", sum_after_depthwise, true},
    {"sum of many channels", sum_of_many_channels, false},
    {"table after broadcast sum", table_after_broadcast_sum, false}};

// Rows that end inside a unit, a word of an image, whole units.
constexpr int32_t kChannels[] = {17, 3, 32};

void add_neighbours(CaseCollector& cases, const Neighbours& neighbours, int32_t channels,
                    DataType type, uint64_t seed, std::string_view name, bool is_quick) {
  LayerBuilder layers(type, seed, name);
  const Outputs outputs = neighbours.build(layers, channels);
  cases.add_either(is_quick, name, layers.graph().build(outputs), layers.input_contents(),
                   {{"neighbours", neighbours.name}});
}

// --- Measurement -------------------------------------------------------------------------------

// "private tensor": writer and only reader of a tensor that nobody else sees, the borders included.
void measure_neighbours(const MeasuredGraph& measured, CoveragePoints& points) {
  const graph::Graph& graph = measured.graph();
  std::map<int32_t, std::string> writers;
  std::map<int32_t, std::vector<std::string>> readers;
  for (const int32_t input : graph.inputs) writers[input] = "input";
  for (const graph::Operator& op : graph.operators) {
    for (const int32_t output : op.outputs) writers[output] = op.name;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      readers[op.inputs[i]].push_back(
          op.name == "ADD" ? fmt::format("ADD {}", i == 0 ? "left" : "right") : op.name);
    }
  }
  for (const int32_t output : graph.outputs) readers[output].push_back("output");
  for (const auto& [tensor, names] : readers) {
    if (writers.contains(tensor) && names.size() == 1) {
      points.add("private tensor", fmt::format("{} > {}", writers[tensor], names[0]));
    }
  }
}

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  // The networks of the default suite are the same whatever the seed.
  constexpr uint64_t kFusedSeed = 1;
  CaseCollector cases("fused", measure_neighbours);
  for (size_t i = 0; i < std::size(kNeighbours); ++i) {
    const Neighbours& neighbours = kNeighbours[i];
    for (const DataType type : k8BitTypes) {
      const bool is_int8 = type == DataType::kInt8;
      const int32_t channels = is_int8 ? kChannels[0] : kChannels[1 + i % 2];
      add_neighbours(
          cases, neighbours, channels, type, kFusedSeed,
          fmt::format("{} {} channels {}", neighbours.name, channels, graph::data_type_name(type)),
          neighbours.is_quick && is_int8);
    }
  }
  for (int32_t i = 0; i < options.random_cases; ++i) {
    const auto index = static_cast<size_t>(i);
    const Neighbours& neighbours = kNeighbours[index % std::size(kNeighbours)];
    const DataType type = k8BitTypes[index / std::size(kNeighbours) % 2];
    const int32_t channels = kChannels[index % std::size(kChannels)];
    add_neighbours(cases, neighbours, channels, type, options.seed,
                   fmt::format("random {} {}", i, neighbours.name), false);
  }
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_coverage() {
  RequiredCoverage neighbours{"neighbours", {}};
  for (const Neighbours& pair : kNeighbours) {
    neighbours.values.emplace_back(pair.name);
  }
  return {std::move(neighbours),
          {"type", {"int8", "uint8", "int8 to uint8", "uint8 to int8"}},
          {"batch", {"more"}},
          {"private tensor",
           {"PAD > CONV_2D",
            "PAD > DEPTHWISE_CONV_2D",
            "PAD > PAD",
            "PADV2 > CONV_2D",
            "CONV_2D > ADD left",
            "CONV_2D > ADD right",
            "FULLY_CONNECTED > ADD left",
            "DEPTHWISE_CONV_2D > ADD left",
            "DEPTHWISE_CONV_2D > ADD right",
            "FULLY_CONNECTED > ADD right",
            "input > QUANTIZE",
            "QUANTIZE > output",
            "CONV_2D > HARD_SWISH",
            "DEPTHWISE_CONV_2D > HARD_SWISH",
            "DEPTHWISE_CONV_2D > LOGISTIC",
            "ADD > LOGISTIC",
            "ADD > HARD_SWISH",
            "CONV_2D > CONCATENATION",
            "RESHAPE > CONCATENATION",
            "RESHAPE > RESHAPE",
            "MAX_POOL_2D > CONCATENATION",
            "input > RESHAPE",
            "RESHAPE > output"}}};
}

}  // namespace

Generator fused_family() {
  return {.family = "fused",
          .description = "neighbours that a device may compute at once",
          .generate = generate,
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
