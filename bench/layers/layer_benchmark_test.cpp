#include "bench/layers/layer_benchmark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "backend/registry.h"

namespace lockstep::bench {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// What computes as host_ref does, but flips a bit of the last byte.
class LyingProgram final : public backend::Program {
 public:
  explicit LyingProgram(std::unique_ptr<backend::Program> honest) : honest_(std::move(honest)) {}

  Status run(std::span<const std::span<const std::byte>> inputs,
             std::span<const std::span<std::byte>> outputs) override {
    Status status = honest_->run(inputs, outputs);
    outputs.back().back() ^= std::byte{1};
    return status;
  }
  backend::ProgramStatistics statistics() const override { return honest_->statistics(); }
  std::vector<backend::OperatorPlacement> placements() const override {
    return honest_->placements();
  }

 private:
  std::unique_ptr<backend::Program> honest_;
};

// host_ref with kernels of three names: "right", "wrong", and "absent", which does not compile.
class ThreeKernels final : public backend::Device {
 public:
  explicit ThreeKernels(std::shared_ptr<backend::Device> honest) : honest_(std::move(honest)) {}

  const backend::DeviceDescription& description() const override { return honest_->description(); }
  Status supports(const graph::LoweredGraph& graph,
                  const graph::LoweredOperator& op) const override {
    return honest_->supports(graph, op);
  }
  Result<std::vector<std::string>> kernels(const graph::LoweredGraph&,
                                           const graph::LoweredOperator&) const override {
    return std::vector<std::string>{"right", "wrong", "absent"};
  }
  Result<std::unique_ptr<backend::Program>> compile(
      const graph::LoweredGraph& graph, const backend::CompileOptions& options) override {
    if (options.kernel == "absent") return make_error(ErrorCode::kUnsupported, "not today");
    auto program = honest_->compile(graph, {});
    if (!program || options.kernel != "wrong") return program;
    return std::make_unique<LyingProgram>(std::move(*program));
  }
  Result<std::string> fingerprint(const graph::LoweredGraph& graph,
                                  const backend::CompileOptions& options) const override {
    return honest_->fingerprint(graph, options);
  }

 private:
  std::shared_ptr<backend::Device> honest_;
};

const LayerProgress kSilence = [](size_t, size_t, const std::string&) {};

LayerCase small_layer() {
  return {.network = "small",
          .layer = {{LayerKind::kConvolution, 4, 4, 3, 5, 3, 3, 1}, 2},
          .quantization = LayerQuantization::kInt8PerChannel,
          .batch = 1};
}

TEST(LayerBenchmark, AWrongResultHasNoTime) {
  ThreeKernels device(*backend::open_device("ref", {}));
  LayerBenchmarkOptions options;
  options.measure = {.minimum_seconds = 1e-4, .repetitions = 1};
  options.roofline = {.peak_gops = 1e9, .peak_form = "x", .gigabytes_per_second = 1e9};
  const auto benchmark = run_layer_benchmark(device, {small_layer()}, options, kSilence);
  ASSERT_TRUE(benchmark) << benchmark.error().message;
  ASSERT_EQ(benchmark->layers.size(), 1u);
  const LayerTime& layer = benchmark->layers[0];
  ASSERT_EQ(layer.variants.size(), 3u);
  EXPECT_EQ(layer.chosen().kernel, "right");
  EXPECT_EQ(layer.chosen().error, "");
  EXPECT_GT(layer.chosen().time.samples, 0u);
  EXPECT_GT(layer.chosen().gops, 0);
  EXPECT_GT(layer.chosen().percent_of_roofline, 0);
  // 4 x 4 x 5 results, of which the last one was changed.
  EXPECT_THAT(layer.variants[1].error,
              HasSubstr("wrong result: 1 of 80 bytes differ from host_ref, the first at 79"));
  EXPECT_EQ(layer.variants[1].time.samples, 0u);
  EXPECT_THAT(layer.variants[2].error, HasSubstr("not today"));
  EXPECT_EQ(layer.fastest().kernel, "right");
  EXPECT_TRUE(benchmark->has_errors());
}

TEST(LayerBenchmark, TheChosenKernelAloneWhereOnlyItIsAskedFor) {
  ThreeKernels device(*backend::open_device("ref", {}));
  LayerBenchmarkOptions options;
  options.measure = {.minimum_seconds = 1e-4, .repetitions = 1};
  options.all_variants = false;
  const auto benchmark = run_layer_benchmark(device, {small_layer()}, options, kSilence);
  ASSERT_TRUE(benchmark) << benchmark.error().message;
  EXPECT_EQ(benchmark->layers[0].variants.size(), 1u);
  EXPECT_FALSE(benchmark->has_errors());
}

TEST(LayerBenchmark, CasesAreTheTableAtEachBatchUnderNamesOfTheirOwn) {
  const auto cases = layer_cases(std::vector<int32_t>{1, 8});
  std::set<std::string> names;
  size_t of_resnet50 = 0;
  for (const LayerCase& each : cases) {
    EXPECT_TRUE(names.insert(case_name(each)).second) << case_name(each);
    of_resnet50 += each.network == "resnet50" ? 1 : 0;
  }
  EXPECT_EQ(of_resnet50, 2u * 24u);
  EXPECT_TRUE(names.contains("mobilenet_v2/conv_3x3_s2_224x224x3_to_32/batch_1"));
  EXPECT_TRUE(names.contains("resnet50/conv_7x7_s2_230x230x3_to_64_valid/batch_8"));
  EXPECT_TRUE(names.contains("ds_cnn/fully_connected_64_to_12/batch_8"));
}

TEST(LayerBenchmark, AFilterSelectsByNameOrSaysWhyNot) {
  const auto cases = layer_cases(std::vector<int32_t>{1, 8});
  const auto some = select_layers(cases, "^ds_cnn/.*batch_1$");
  ASSERT_TRUE(some);
  EXPECT_EQ(some->size(), 4u);
  EXPECT_EQ(select_layers(cases, "")->size(), cases.size());
  const auto none = select_layers(cases, "vgg");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("vgg"));
  const auto bad = select_layers(cases, "(");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, StartsWith("the filter '(' is no regular expression"));
}

}  // namespace
}  // namespace lockstep::bench
