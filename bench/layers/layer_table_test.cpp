// The tables are the networks': their totals are known, and the files say the rest where they are
// there.
#include "bench/layers/layer_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "graph/tflite_reader.h"

namespace lockstep::bench {
namespace {

const NetworkLayers& network_of(std::string_view name) {
  const auto all = network_table();
  return *std::ranges::find(all, name, &NetworkLayers::network);
}

int64_t total(const NetworkLayers& network) {
  int64_t sum = 0;
  for (const CountedLayer& layer : network.layers) {
    sum += layer.times * work_of(layer.shape, 1).multiply_accumulates;
  }
  return sum;
}

int32_t layer_count(const NetworkLayers& network) {
  int32_t count = 0;
  for (const CountedLayer& layer : network.layers) count += layer.times;
  return count;
}

TEST(LayerTable, HoldsEachLayerOfANetworkOnce) {
  std::set<std::string> names;
  for (const NetworkLayers& network : network_table()) {
    for (const CountedLayer& layer : network.layers) {
      const std::string name = std::string(network.network) + "/" + layer_name(layer.shape);
      EXPECT_TRUE(names.insert(name).second) << name;
      EXPECT_GT(layer.times, 0) << name;
    }
  }
}

TEST(LayerTable, HasTheNetworksTotals) {
  EXPECT_EQ(network_table().size(), 4u);
  EXPECT_EQ(total(network_of("mobilenet_v2")), 300'775'552);
  EXPECT_EQ(layer_count(network_of("mobilenet_v2")), 53);
  // 53 convolutions and the classifier; 4.1 giga multiply-accumulates are the published figure.
  EXPECT_EQ(total(network_of("resnet50")), 4'089'184'256);
  EXPECT_EQ(layer_count(network_of("resnet50")), 54);
  EXPECT_EQ(total(network_of("ds_cnn")), 2'656'768);
  EXPECT_EQ(layer_count(network_of("ds_cnn")), 10);
}

void compare_with_file(std::string_view network_name, const std::filesystem::path& path) {
  if (path.empty() || !std::filesystem::exists(path)) {
    GTEST_SKIP() << "there is no file of " << network_name;
  }
  const auto graph = graph::read_tflite_file(path);
  ASSERT_TRUE(graph) << graph.error().message;
  const NetworkLayers& network = network_of(network_name);
  EXPECT_EQ(layers_of(*graph),
            std::vector<CountedLayer>(network.layers.begin(), network.layers.end()));
  EXPECT_EQ(quantization_of(*graph), network.quantization);
  int64_t all = 0;
  for (const graph::Operator& op : graph->operators) {
    all += graph::multiply_accumulates(*graph, op);
  }
  EXPECT_EQ(total(network), all) << "the file has operators that multiply and are no layers here";
}

TEST(LayerTable, EqualsTheFileOfMobilenetV2) {
  compare_with_file("mobilenet_v2", std::filesystem::path(LOCKSTEP_MODELS_DIR) /
                                        "mobilenet_v2_224_int8_ptq.tflite");
}

TEST(LayerTable, EqualsTheFileOfDsCnn) {
  compare_with_file("ds_cnn", std::filesystem::path(LOCKSTEP_MODELS_DIR) / "kws_dscnn_int8.tflite");
}

TEST(LayerTable, EqualsTheFileOfSsdMobilenetV2) {
  const char* path = std::getenv("LOCKSTEP_SSD_MODEL");
  compare_with_file("ssd_mobilenet_v2", path == nullptr ? "" : path);
}

TEST(LayerShape, ALayersGraphIsThatLayer) {
  for (const NetworkLayers& network : network_table()) {
    for (const CountedLayer& layer : network.layers) {
      const auto graph = layer_graph(layer.shape, 1, network.quantization);
      ASSERT_TRUE(graph) << layer_name(layer.shape) << ": " << graph.error().message;
      EXPECT_EQ(layers_of(*graph), (std::vector<CountedLayer>{{layer.shape, 1}}));
      EXPECT_EQ(quantization_of(*graph), network.quantization);
      EXPECT_EQ(graph::multiply_accumulates(*graph, graph->operators[0]),
                work_of(layer.shape, 1).multiply_accumulates);
    }
  }
}

TEST(LayerShape, BytesAreInputWeightsBiasesAndOutputOnce) {
  const LayerShape conv{LayerKind::kConvolution, 8, 8, 4, 6, 3, 3, 2};
  EXPECT_EQ(work_of(conv, 2).bytes, 2 * 8 * 8 * 4 + 6 * 3 * 3 * 4 + 6 * 4 + 2 * 4 * 4 * 6);
  EXPECT_EQ(work_of(conv, 2).multiply_accumulates, 2 * 4 * 4 * 6 * 3 * 3 * 4);
  LayerShape valid = conv;
  valid.padding = graph::Padding::kValid;
  EXPECT_EQ(work_of(valid, 1).multiply_accumulates, 3 * 3 * 6 * 3 * 3 * 4);
}

}  // namespace
}  // namespace lockstep::bench
