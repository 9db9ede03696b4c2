// Networks that were read for editing and written again, in the real engine.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "graph/editable_model.h"
#include "graph/tflite_reader.h"
#include "host_ref/testing/tflite_oracle.h"

namespace lockstep::host_ref {
namespace {

using testing::EngineTensor;
using testing::Kernels;
using testing::TfliteOracle;
using Bytes = std::vector<std::byte>;

// Bytes of dice for integers, numbers between -1 and 1 for floats.
std::vector<Bytes> dice(const graph::Graph& graph) {
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> real(-1.0f, 1.0f);
  std::vector<Bytes> inputs;
  for (const int32_t input : graph.inputs) {
    const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(input)];
    const auto count = static_cast<size_t>(graph::element_count(tensor.shape).value_or(0));
    std::vector<float> values(count);
    for (float& value : values) value = real(generator);
    const auto bytes = std::as_bytes(std::span(values));
    inputs.emplace_back(bytes.begin(), bytes.end());
    if (tensor.type == graph::DataType::kFloat32) continue;
    inputs.back().resize(count * graph::data_type_size(tensor.type));
    for (std::byte& byte : inputs.back()) byte = static_cast<std::byte>(generator() & 0xff);
  }
  return inputs;
}

std::vector<std::filesystem::path> networks() {
  std::vector<std::filesystem::path> paths;
  const char* const folders[] = {LOCKSTEP_MODELS_DIR, std::getenv("LOCKSTEP_FACES_DIR")};
  for (const char* folder : folders) {
    if (folder == nullptr || !std::filesystem::is_directory(folder)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".tflite") paths.push_back(entry.path());
    }
  }
  return paths;
}

TEST(EditableModelOracle, WrittenNetworksComputeTheSameBytes) {
  const auto oracle = TfliteOracle::from_environment();
  ASSERT_TRUE(oracle.has_value()) << oracle.error().message;
  const auto paths = networks();
  if (*oracle == nullptr || paths.empty()) GTEST_SKIP() << "no engine or no networks";
  for (const auto& path : paths) {
    SCOPED_TRACE(path);
    const Bytes original = graph::read_file_bytes(path).value();
    const auto model = graph::read_editable_model(original, path.string());
    ASSERT_TRUE(model) << model.error().message;
    const auto written = graph::write_editable_model(*model);
    ASSERT_TRUE(written) << written.error().message;
    const auto inputs = dice(graph::read_tflite(original, path.string()).value());
    const auto before = (*oracle)->run(original, inputs, Kernels::kBuiltin);
    const auto after = (*oracle)->run(*written, inputs, Kernels::kBuiltin);
    // The engine refuses one of them, whose quantized dimension does not exist.
    ASSERT_EQ(before.has_value(), after.has_value());
    if (!before) continue;
    ASSERT_EQ(before->size(), after->size());
    for (size_t i = 0; i < before->size(); ++i) {
      EXPECT_EQ((*before)[i].name, (*after)[i].name);
      EXPECT_EQ((*before)[i].shape, (*after)[i].shape);
      EXPECT_TRUE((*before)[i].bytes == (*after)[i].bytes);
    }
  }
}

}  // namespace
}  // namespace lockstep::host_ref
