// Networks of several operators, as the architectures people run have them.
#include <fmt/format.h>

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

// --- Blocks ------------------------------------------------------------------------------------

constexpr LayerWindow k3x3Stride2{.kernel = 3, .stride = 2};

int32_t inverted_residual(LayerBuilder& layers, int32_t input, int32_t expansion,
                          int32_t output_channels, LayerWindow window) {
  const int32_t input_channels = layers.shape(input)[3];
  const int32_t expanded =
      layers.convolution(input, input_channels * expansion, kPointwise, Activation::kRelu6);
  const int32_t filtered = layers.depthwise(expanded, window, Activation::kRelu6);
  const int32_t projected = layers.convolution(filtered, output_channels, kPointwise);
  const bool has_shortcut = window.stride == 1 && input_channels == output_channels;
  return has_shortcut ? layers.add(input, projected) : projected;
}

Outputs inverted_residual_with_add(LayerBuilder& layers) {
  return {inverted_residual(layers, layers.input({1, 9, 7, 8}), 6, 8, k3x3)};
}

Outputs inverted_residual_stride_2(LayerBuilder& layers) {
  return {inverted_residual(layers, layers.input({2, 9, 8, 5}), 3, 17, k3x3Stride2)};
}

Outputs inverted_residual_stack(LayerBuilder& layers) {
  int32_t features =
      layers.convolution(layers.input({1, 17, 16, 3}), 8, k3x3Stride2, Activation::kRelu6);
  features = inverted_residual(layers, features, 2, 8, k3x3);
  features = inverted_residual(layers, features, 2, 12, k3x3Stride2);
  features = inverted_residual(layers, features, 2, 12, {.kernel = 5});
  return {features};
}

// Boxes and classes from feature maps of three sizes, each as rows, joined.
Outputs ssd_heads(LayerBuilder& layers) {
  constexpr int32_t kClasses = 7;
  constexpr int32_t kAnchors = 3;
  int32_t features =
      layers.convolution(layers.input({1, 12, 12, 3}), 16, k3x3Stride2, Activation::kRelu6);
  std::vector<int32_t> boxes;
  std::vector<int32_t> classes;
  for (int32_t level = 0; level < 3; ++level) {
    const int32_t box = layers.convolution(features, kAnchors * 4, kPointwise);
    const int32_t scores = layers.convolution(features, kAnchors * kClasses, k3x3);
    const int32_t rows = layers.shape(box)[1] * layers.shape(box)[2] * kAnchors;
    boxes.push_back(layers.graph().reshape(box, {1, rows, 4}));
    classes.push_back(layers.graph().reshape(scores, {1, rows, kClasses}));
    if (level < 2) {
      features = layers.depthwise(features, k3x3Stride2, Activation::kRelu6);
    }
  }
  return {layers.concatenation(boxes, 1), layers.logistic(layers.concatenation(classes, 1))};
}

// An explicit border before a VALID window, as converters write stride 2.
Outputs depthwise_separable_chain(LayerBuilder& layers) {
  int32_t features = layers.graph().pad(layers.input({1, 14, 14, 3}), {0, 0, 0, 1, 0, 1, 0, 0});
  features = layers.convolution(features, 8, {.kernel = 3, .stride = 2, .padding = Padding::kValid},
                                Activation::kRelu6);
  for (const int32_t channels : {16, 24}) {
    features = layers.depthwise(features, k3x3, Activation::kRelu6);
    features = layers.convolution(features, channels, kPointwise, Activation::kRelu6);
  }
  return {features};
}

Outputs squeeze_and_excite_fully_connected(LayerBuilder& layers) {
  const int32_t input = layers.input({2, 6, 5, 24});
  int32_t gate = layers.image_mean(input, false);
  gate = layers.fully_connected(gate, 6, Activation::kRelu);
  gate = layers.logistic(layers.fully_connected(gate, 24));
  gate = layers.graph().reshape(gate, {2, 1, 1, 24});
  return {layers.mul(input, gate)};
}

Outputs squeeze_and_excite_pointwise(LayerBuilder& layers) {
  const int32_t features =
      layers.hard_swish(layers.convolution(layers.input({1, 6, 6, 16}), 32, kPointwise));
  int32_t gate = layers.image_mean(features, true);
  gate = layers.convolution(gate, 8, kPointwise, Activation::kRelu);
  gate = layers.logistic(layers.convolution(gate, 32, kPointwise));
  return {layers.convolution(layers.mul(features, gate), 16, kPointwise)};
}

Outputs classifier_mean(LayerBuilder& layers) {
  const int32_t features =
      layers.convolution(layers.input({1, 7, 7, 16}), 40, kPointwise, Activation::kRelu6);
  const int32_t logits = layers.fully_connected(layers.image_mean(features, false), 33);
  return {logits, layers.softmax(logits)};
}

Outputs classifier_average_pool(LayerBuilder& layers) {
  const int32_t pooled = layers.pool(layers.input({2, 7, 7, 33}), PoolKind::kAverage,
                                     {.kernel = 7, .padding = Padding::kValid});
  const int32_t flat = layers.graph().reshape(pooled, {2, 33});
  return {layers.softmax(layers.fully_connected(flat, 10))};
}

Outputs diamond(LayerBuilder& layers) {
  const int32_t stem = layers.convolution(layers.input({1, 8, 8, 4}), 16, k3x3, Activation::kRelu);
  const int32_t left = layers.convolution(stem, 16, kPointwise);
  const int32_t right = layers.depthwise(stem, k3x3);
  const int32_t sum = layers.add(left, right, Activation::kRelu);
  return {layers.mul(sum, left)};
}

// Long and short lifetimes crossing: one tensor is read first, last and in between.
Outputs many_readers(LayerBuilder& layers) {
  const int32_t stem = layers.convolution(layers.input({1, 8, 8, 3}), 12, k3x3, Activation::kRelu6);
  const int32_t first = layers.convolution(stem, 12, kPointwise);
  const int32_t second = layers.depthwise(stem, k3x3);
  const int32_t third = layers.pool(stem, PoolKind::kMax, k3x3);
  const int32_t fourth = layers.pool(stem, PoolKind::kAverage, k3x3);
  int32_t sum = layers.add(first, second);
  sum = layers.add(sum, third);
  sum = layers.add(sum, fourth);
  return {layers.add(sum, stem), layers.add(stem, stem)};
}

Outputs inception(LayerBuilder& layers) {
  const int32_t input = layers.input({1, 7, 9, 12});
  const int32_t narrow = layers.convolution(input, 5, kPointwise, Activation::kRelu);
  const int32_t reduced = layers.convolution(input, 6, kPointwise, Activation::kRelu);
  const int32_t wide = layers.convolution(reduced, 15, k3x3, Activation::kRelu);
  const int32_t pooled = layers.pool(input, PoolKind::kMax, k3x3);
  const int32_t projected = layers.convolution(pooled, 3, kPointwise, Activation::kRelu);
  return {layers.concatenation({narrow, wide, projected}, 3)};
}

Outputs residual_with_projection(LayerBuilder& layers) {
  const int32_t input = layers.input({1, 9, 9, 8});
  int32_t body = layers.convolution(input, 16, k3x3Stride2, Activation::kRelu);
  body = layers.convolution(body, 16, k3x3);
  const int32_t shortcut = layers.convolution(input, 16, {.kernel = 1, .stride = 2});
  return {layers.add(body, shortcut, Activation::kRelu)};
}

Outputs dense_block(LayerBuilder& layers) {
  int32_t features = layers.input({1, 6, 6, 4});
  for (int32_t layer = 0; layer < 4; ++layer) {
    const int32_t grown = layers.convolution(features, 4 + layer, k3x3, Activation::kRelu);
    features = layers.concatenation({features, grown}, -1);
  }
  return {features};
}

Outputs autoencoder(LayerBuilder& layers) {
  int32_t features = layers.input({3, 64});
  for (const int32_t width : {32, 8, 32, 64}) {
    features = layers.fully_connected(features, width, Activation::kRelu);
  }
  return {features};
}

// Rows of channels change between every two operators.
Outputs changing_layouts(LayerBuilder& layers) {
  const int32_t stem = layers.convolution(layers.input({1, 4, 4, 3}), 5, k3x3, Activation::kRelu);
  const int32_t flat = layers.graph().reshape(stem, {1, 80});
  const int32_t mixed = layers.fully_connected(flat, 72, Activation::kRelu);
  const int32_t image = layers.graph().reshape(mixed, {1, 2, 4, 9});
  const int32_t padded = layers.graph().pad(image, {0, 0, 1, 1, 0, 0, 0, 0});
  const int32_t filtered = layers.depthwise(padded, k3x3, Activation::kNone, 2);
  return {layers.graph().squeeze(layers.image_mean(filtered, true), {1, 2})};
}

// A tensor that the network both gives out and goes on with, and an input that is an output.
Outputs outputs_read_again(LayerBuilder& layers) {
  const int32_t input = layers.input({1, 5, 5, 6});
  const int32_t first = layers.convolution(input, 6, k3x3, Activation::kRelu);
  const int32_t second = layers.add(first, input);
  return {first, second, layers.pool(second, PoolKind::kMax, {.kernel = 2, .stride = 2})};
}

Outputs two_inputs(LayerBuilder& layers) {
  const int32_t image = layers.input({1, 6, 6, 8});
  const int32_t vector = layers.input({1, 20});
  const int32_t scale =
      layers.graph().reshape(layers.logistic(layers.fully_connected(vector, 8)), {1, 1, 1, 8});
  const int32_t scaled = layers.mul(layers.convolution(image, 8, k3x3), scale);
  return {layers.image_mean(scaled, false)};
}

// float32 at both doors.
Outputs real_doors(LayerBuilder& layers) {
  const int32_t real = layers.real_input({1, 6, 6, 3});
  const int32_t input =
      layers.graph().quantize(real, layers.type(), signed_quantization(layers.type(), 0.03f, 3));
  const int32_t features = layers.convolution(input, 9, k3x3Stride2, Activation::kRelu6);
  return {layers.graph().dequantize(features)};
}

Outputs between_types(LayerBuilder& layers) {
  const int32_t input = layers.input({1, 6, 6, 5});
  const DataType other = layers.type() == DataType::kInt8 ? DataType::kUint8 : DataType::kInt8;
  const int32_t moved = layers.requantize(input, other);
  const int32_t back = layers.requantize(layers.pool(moved, PoolKind::kMax, k3x3), layers.type());
  return {layers.convolution(back, 7, k3x3)};
}

struct Block {
  const char* name;
  Outputs (*build)(LayerBuilder& layers);
  bool is_quick;
};

constexpr Block kBlocks[] = {
    {"inverted residual with add", inverted_residual_with_add, true},
    {"inverted residual stride 2", inverted_residual_stride_2, false},
    {"inverted residual stack", inverted_residual_stack, false},
    {"ssd heads", ssd_heads, false},
    {"depthwise separable chain", depthwise_separable_chain, false},
    {"squeeze and excite fully connected", squeeze_and_excite_fully_connected, true},
    {"squeeze and excite pointwise", squeeze_and_excite_pointwise, false},
    {"classifier mean", classifier_mean, false},
    {"classifier average pool", classifier_average_pool, false},
    {"diamond", diamond, false},
    {"many readers", many_readers, true},
    {"inception", inception, false},
    {"residual with projection", residual_with_projection, false},
    {"dense block", dense_block, false},
    {"autoencoder", autoencoder, false},
    {"changing layouts", changing_layouts, true},
    {"outputs read again", outputs_read_again, false},
    {"two inputs", two_inputs, false},
    {"real doors", real_doors, false},
    {"between types", between_types, false}};

void add_block(CaseCollector& cases, const Block& block, DataType type, uint64_t seed,
               std::string_view name, bool is_quick) {
  LayerBuilder layers(type, seed, name);
  const Outputs outputs = block.build(layers);
  cases.add_either(is_quick, name, layers.graph().build(outputs), layers.input_contents(),
                   {{"block", block.name}});
}

// --- Measurement -------------------------------------------------------------------------------

void measure_blocks(const MeasuredGraph& measured, CoveragePoints& points) {
  std::map<int32_t, int32_t> readers;
  for (const graph::Operator& op : measured.graph().operators) {
    for (const int32_t input : op.inputs) {
      ++readers[input];
    }
  }
  for (const auto& [tensor, count] : readers) {
    if (!measured.tensor(tensor).is_constant()) {
      points.add("readers of a tensor", count >= 4 ? "4 or more" : std::to_string(count));
    }
  }
  for (const int32_t output : measured.graph().outputs) {
    if (readers.contains(output)) points.add("outputs", "read again");
  }
  points.add("outputs", std::to_string(measured.graph().outputs.size()));
  points.add("inputs", std::to_string(measured.graph().inputs.size()));
}

Result<std::vector<Case>> generate(const GeneratorOptions& options) {
  // The blocks of the default suite are the same whatever the seed.
  constexpr uint64_t kBlockSeed = 1;
  CaseCollector cases("blocks", measure_blocks);
  for (const Block& block : kBlocks) {
    for (const DataType type : k8BitTypes) {
      add_block(cases, block, type, kBlockSeed,
                fmt::format("{} {}", block.name, graph::data_type_name(type)),
                block.is_quick && type == DataType::kInt8);
    }
  }
  for (int32_t i = 0; i < options.random_cases; ++i) {
    const Block& block = kBlocks[static_cast<size_t>(i) % std::size(kBlocks)];
    const DataType type = k8BitTypes[static_cast<size_t>(i) / std::size(kBlocks) % 2];
    add_block(cases, block, type, options.seed, fmt::format("random {} {}", i, block.name), false);
  }
  return std::move(cases).finish();
}

std::vector<RequiredCoverage> required_coverage() {
  RequiredCoverage blocks{"block", {}};
  for (const Block& block : kBlocks) {
    blocks.values.emplace_back(block.name);
  }
  return {std::move(blocks),
          {"type", {"int8", "uint8", "int8 to uint8", "float32 to int8", "uint8 to float32"}},
          {"operator",
           {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MUL", "AVERAGE_POOL_2D",
            "MAX_POOL_2D", "MEAN", "PAD", "CONCATENATION", "RESHAPE", "SQUEEZE", "SOFTMAX",
            "LOGISTIC", "HARD_SWISH", "QUANTIZE", "DEQUANTIZE"}},
          {"readers of a tensor", {"1", "2", "3", "4 or more"}},
          {"inputs", {"1", "2"}},
          {"outputs", {"1", "2", "3", "read again"}}};
}

}  // namespace

Generator blocks_family() {
  return {.family = "blocks",
          .description = "networks of several operators, as real architectures have them",
          .generate = generate,
          .required_coverage = required_coverage};
}

}  // namespace lockstep::conformance
