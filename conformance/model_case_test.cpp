#include "conformance/model_case.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "graph/graph_builder.h"
#include "graph/tflite_writer.h"

namespace lockstep::conformance {
namespace {

using graph::DataType;
using graph::per_tensor;
using graph::UnaryKind;
using ::testing::HasSubstr;

class ModelCase : public ::testing::Test {
 protected:
  ~ModelCase() override { std::filesystem::remove(path_); }

  Result<Case> case_of(const graph::Graph& graph) {
    const auto bytes = graph::write_tflite(graph).value();
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return make_model_case(path_);
  }

  const std::filesystem::path path_ =
      std::filesystem::path(::testing::TempDir()) / fmt::format("model-{}.tflite", ::getpid());
};

TEST_F(ModelCase, MakesEveryTensorAnOutput) {
  graph::GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {1, 64}, per_tensor(0.5f));
  const int32_t a = builder.unary(UnaryKind::kRelu, x, per_tensor(0.5f));
  const int32_t b = builder.unary(UnaryKind::kTanh, a, per_tensor(1.0f / 128));
  const auto source = case_of(builder.build({b}).value());
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->family, "model");
  EXPECT_EQ(source->name, "model/" + path_.filename().string());
  EXPECT_EQ(source->graph.outputs.size(), 2u);
  ASSERT_EQ(source->inputs.size(), 1u);
  EXPECT_EQ(source->inputs[0].size(), 64u);
  EXPECT_EQ(source->inputs, case_of(builder.build({b}).value())->inputs);
}

TEST_F(ModelCase, LeavesOutWhatNoContractComputesAndWhatNeedsIt) {
  graph::GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kInt8, {1, 8}, per_tensor(0.5f));
  const int32_t before = builder.unary(UnaryKind::kRelu, x, per_tensor(0.5f));
  const int32_t real = builder.dequantize(before);
  const int32_t curved = builder.unary(UnaryKind::kTanh, real, {});  // in float
  const int32_t behind = builder.quantize(curved, DataType::kInt8, per_tensor(0.5f));
  const auto source = case_of(builder.build({behind}).value());
  ASSERT_TRUE(source) << source.error().message;
  ASSERT_EQ(source->graph.operators.size(), 2u);
  EXPECT_EQ(source->graph.operators[0].name, "RELU");
  EXPECT_EQ(source->graph.operators[1].name, "DEQUANTIZE");
}

TEST_F(ModelCase, RefusesANetworkWithNothingToCompare) {
  graph::GraphBuilder builder;
  const int32_t x = builder.input("x", DataType::kFloat32, {1, 8});
  const int32_t y = builder.unary(UnaryKind::kTanh, x, {});
  EXPECT_THAT(case_of(builder.build({y}).value()).error().message, HasSubstr("no operator"));
}

}  // namespace
}  // namespace lockstep::conformance
