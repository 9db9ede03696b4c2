// The oracle against real engines: thousands of generated cases as .tflite files, each computed by
// host_ref under the engine's contract and by the engine, and no element may differ.
//
// Engines crash: they run in a worker process, this program itself:
// `conformance_engines_oracle_test --worker SELECTOR`.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/inference_engine.h"
#include "conformance/supervisor.h"

namespace lockstep::conformance {
namespace {

constexpr const char* kWorkerArgument = "--worker";

// What a run must amount to, so that nothing is proven by cases that were left out.
constexpr size_t kLeastCompared = 2000;

// Seed 2, because what seed 1 gives is on record, and a record would be compared instead of
// host_ref.
SuiteOptions oracle_suite_options() {
  SuiteOptions options;
  options.generator = {.seed = 2, .random_cases = 200};
  return options;
}

// Engines say that they do not compute the contracts that are not theirs: those are left out.
RunOptions oracle_run_options(std::string_view selector) {
  RunOptions options;
  options.contracts = {selector == "tflite" ? numerics::Contract::kTflite
                                            : numerics::Contract::kLitert};
  options.repetitions = 1;
  return options;
}

// --- Where an engine is known to differ --------------------------------------------------------

// How far an engine may be from host_ref in a case.
enum class Agreement : uint8_t {
  kExact,
  kOneUnit,  // the case is one operator that a newer engine rounds otherwise
  kNone,     // whatever such an operator feeds, and sums that leave the engine's 16 bits
};

const graph::Tensor& input_of(const graph::Graph& graph, const graph::Operator& op, size_t index) {
  return graph.tensors[static_cast<size_t>(op.inputs[index])];
}

bool is_8_bit(const graph::Tensor& tensor) {
  return tensor.type == graph::DataType::kInt8 || tensor.type == graph::DataType::kUint8;
}

// LiteRT.js moved on from the XNNPACK of TFLite 2.9 where XNNPACK took over operators, or rounds
// them otherwise: LEAKY_RELU, 8 to 8 bit QUANTIZE, MEAN, and MUL of a tensor with itself.
// docs/numerics.md has examples.
bool is_rounded_otherwise_by_litert_js(const graph::Graph& graph, const graph::Operator& op) {
  if (const auto* unary = std::get_if<graph::UnaryAttributes>(&op.attributes)) {
    return unary->kind == graph::UnaryKind::kLeakyRelu;
  }
  if (const auto* binary = std::get_if<graph::BinaryAttributes>(&op.attributes)) {
    return binary->kind == graph::BinaryKind::kMul && op.inputs[0] == op.inputs[1];
  }
  if (std::holds_alternative<graph::QuantizeAttributes>(op.attributes)) {
    return is_8_bit(input_of(graph, op, 0));
  }
  return std::holds_alternative<graph::MeanAttributes>(op.attributes);
}

// LiteRT.js adds two products of an int8 DEPTHWISE_CONV_2D in 16 bits: two of (-128) * (-128) do
// not fit. Quantizers keep int8 weights within [-127, 127].
bool can_leave_16_bits_in_litert_js(const graph::Graph& graph, const graph::Operator& op) {
  if (!std::holds_alternative<graph::DepthwiseConv2dAttributes>(op.attributes)) return false;
  const graph::Tensor& weights = input_of(graph, op, 1);
  if (weights.type != graph::DataType::kInt8) return false;
  std::vector<int32_t> lowest(static_cast<size_t>(weights.shape.back()), 0);
  for (size_t i = 0; i < weights.data.size(); ++i) {
    if (weights.data[i] == std::byte{0x80}) ++lowest[i % lowest.size()];
  }
  return std::ranges::any_of(lowest, [](int32_t count) { return count >= 2; });
}

// LiteRT.js finds the nearest neighbours of int8 as those of uint8, with 16 bits below the point.
bool has_other_neighbors_in_litert_js(const graph::Graph& graph, const graph::Operator& op) {
  const auto* resize = std::get_if<graph::ResizeAttributes>(&op.attributes);
  if (resize == nullptr || resize->kind != graph::ResizeKind::kNearestNeighbor ||
      resize->align_corners || resize->half_pixel_centers ||
      input_of(graph, op, 0).type != graph::DataType::kInt8) {
    return false;
  }
  const graph::Shape& output = graph.tensors[static_cast<size_t>(op.outputs[0])].shape;
  const auto differ = [&](size_t dimension) {
    const int32_t from = input_of(graph, op, 0).shape[dimension];
    const int32_t to = output[dimension];
    const float scale = static_cast<float>(from) / static_cast<float>(to);
    for (int32_t i = 0; i < to; ++i) {
      const auto in_float = static_cast<int32_t>(std::floor(static_cast<float>(i) * scale));
      const auto in_fixed_point =
          static_cast<int32_t>((i * ((int64_t{from} << 16) / to + 1)) >> 16);
      if (std::min(in_float, from - 1) != std::min(in_fixed_point, from - 1)) return true;
    }
    return false;
  };
  return differ(1) || differ(2);
}

Agreement litert_js_agreement(const Case& source) {
  const graph::Graph& graph = source.graph;
  const auto any = [&](auto predicate) {
    return std::ranges::any_of(graph.operators,
                               [&](const graph::Operator& op) { return predicate(graph, op); });
  };
  if (any(can_leave_16_bits_in_litert_js) || any(has_other_neighbors_in_litert_js)) {
    return Agreement::kNone;
  }
  if (!any(is_rounded_otherwise_by_litert_js)) return Agreement::kExact;
  return graph.operators.size() == 1 ? Agreement::kOneUnit : Agreement::kNone;
}

Agreement exact_agreement(const Case&) { return Agreement::kExact; }

// --- Running -----------------------------------------------------------------------------------

struct Engine {
  std::string selector;
  Agreement (*agreement)(const Case&);
  // What every refusal's reason contains, and there is a case of each.
  std::vector<std::string> refusals;
};

int run_worker(const std::string& selector) {
  const auto suite = make_suite(oracle_suite_options());
  if (!suite) {
    std::fprintf(stderr, "%s\n", suite.error().message.c_str());
    return 1;
  }
  return serve_worker(*suite, selector, oracle_run_options(selector));
}

class EnginesOracleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto suite = make_suite(oracle_suite_options());
    ASSERT_TRUE(suite.has_value()) << suite.error().message;
    suite_ = std::move(*suite);
    for (const Case& source : suite_.cases) case_of_name_[source.name] = &source;
  }

  void compare(const Engine& engine) {
    std::vector<size_t> indices(suite_.cases.size());
    std::iota(indices.begin(), indices.end(), size_t{0});
    SupervisorOptions options;
    options.worker_command = {std::filesystem::read_symlink("/proc/self/exe").string(),
                              kWorkerArgument, engine.selector};
    std::vector<RunResult> results;
    const auto subject = supervise(
        suite_, indices, options, [&](const RunResult& result) { results.push_back(result); },
        [](const Progress&) {});
    ASSERT_TRUE(subject.has_value()) << subject.error().message;
    EXPECT_EQ(results.size(), suite_.cases.size());
    for (const RunResult& result : results) judge(engine, result);
    report(engine, subject->device.name);
  }

 private:
  void judge(const Engine& engine, const RunResult& result) {
    const Case& source = *case_of_name_.at(result.case_name);
    if (result.verdict == Verdict::kNotSupported) {
      ++refused_;
      note_refusal(engine, result);
      return;
    }
    const Agreement agreement = engine.agreement(source);
    // A verdict of its own where the engine crashed, hung, or gave outputs of other sizes.
    const bool is_difference = result.verdict == Verdict::kFail && result.difference.has_value();
    if (result.verdict != Verdict::kPass && !is_difference) {
      failures_.push_back(
          fmt::format("{}: {} {}", result.case_name, verdict_name(result.verdict), result.reason));
    } else if (agreement == Agreement::kExact) {
      ++compared_;
      families_.insert(source.family);
      if (is_difference) failures_.push_back(result.case_name + ": " + result.reason);
    } else {
      ++excluded_;
      families_.insert(source.family);
      if (is_difference && agreement == Agreement::kOneUnit && result.difference->largest > 1) {
        failures_.push_back(result.case_name + ": " + result.reason);
      }
    }
  }

  void note_refusal(const Engine& engine, const RunResult& result) {
    const auto known = std::ranges::find_if(engine.refusals, [&](const std::string& refusal) {
      return result.reason.find(refusal) != std::string::npos;
    });
    if (known == engine.refusals.end()) {
      failures_.push_back(result.case_name + " is refused for a new reason: " + result.reason);
    } else {
      refusals_.insert(*known);
    }
  }

  void report(const Engine& engine, const std::string& name) {
    fmt::print("{}: {} cases compared, {} that it is known to round otherwise, {} refused\n", name,
               compared_, excluded_, refused_);
    for (size_t i = 0; i < std::min<size_t>(failures_.size(), 20); ++i)
      ADD_FAILURE() << failures_[i];
    EXPECT_EQ(failures_.size(), 0u);
    EXPECT_GE(compared_, kLeastCompared);
    EXPECT_EQ(refusals_, std::set<std::string>(engine.refusals.begin(), engine.refusals.end()));
    for (const Generator& generator : all_generators()) {
      EXPECT_TRUE(families_.contains(std::string(generator.family)))
          << "no case of " << generator.family << " was compared";
    }
  }

  Suite suite_;
  std::map<std::string, const Case*> case_of_name_;
  size_t compared_ = 0;
  size_t excluded_ = 0;
  size_t refused_ = 0;
  std::set<std::string> families_;
  std::set<std::string> refusals_;
  std::vector<std::string> failures_;
};

// Of the lowering, for the contract.
constexpr const char* kScatteredMean = "the dimensions it reduces are not neighbours";
constexpr const char* kFullyConnectedZeroPoint = "its int8 weights have a zero point";
// Of tflite_engine.cpp, for TFLite 2.9.
constexpr const char* kDepthwiseWithoutBias = "crashes on DEPTHWISE_CONV_2D without bias";
constexpr const char* kFullyConnectedScales =
    "reads the first one only of FULLY_CONNECTED's scales";
constexpr const char* kPadWithInt64 = "reads PAD's int64 amounts as int32";
// Of engines.
constexpr const char* kConvolutionWithoutBias = "has_bias was not true";
constexpr const char* kGroupedConvolution = "input->dims->data[3] != filter->dims->data[3]";
constexpr const char* kConcatenationOfOtherScales = "t->params.scale != output->params.scale";
constexpr const char* kOtherLogisticScale = "output->params.scale == 1. / 256 was not true";
// Input and output of other scales.
constexpr const char* kResizeBilinear = "failed to delegate RESIZE_BILINEAR node";
// Scales and activation ranges that XNNPACK does not take after having taken the operator.
constexpr const char* kXnnpackLimits = "failed to create XNNPACK runtime";

bool has_environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

TEST_F(EnginesOracleTest, TfliteBuiltinKernels) {
  if (!has_environment("LOCKSTEP_TFLITE_LIBRARY")) {
    GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY names no engine";
  }
  compare({.selector = "tflite",
           .agreement = exact_agreement,
           .refusals = {kDepthwiseWithoutBias, kFullyConnectedScales, kPadWithInt64,
                        kConvolutionWithoutBias, kGroupedConvolution, kConcatenationOfOtherScales,
                        kOtherLogisticScale, kScatteredMean}});
}

// Signed 8 bit only: its C library was built without the unsigned kernels.
TEST_F(EnginesOracleTest, Xnnpack) {
  if (!has_environment("LOCKSTEP_TFLITE_LIBRARY")) {
    GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY names no engine";
  }
  compare({.selector = "xnnpack",
           .agreement = exact_agreement,
           .refusals = {kDepthwiseWithoutBias, kFullyConnectedScales, kPadWithInt64,
                        kConvolutionWithoutBias, kGroupedConvolution, kConcatenationOfOtherScales,
                        kOtherLogisticScale, kScatteredMean, kXnnpackLimits,
                        "this XNNPACK has no uint8 kernels", "failed to delegate PAD node",
                        kResizeBilinear, kFullyConnectedZeroPoint}});
}

TEST_F(EnginesOracleTest, LitertJs) {
  if (!has_environment("LOCKSTEP_LITERT_JS")) {
    GTEST_SKIP() << "LOCKSTEP_LITERT_JS names no folder with LiteRT.js";
  }
  constexpr const char* kNodeIsNewEnough =
      "node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null";
  if (std::system(kNodeIsNewEnough) != 0) {
    GTEST_SKIP() << "LiteRT.js needs node, 18 or later";
  }
  compare({.selector = fmt::format("engine:litert:exec node '{}' '{}'", LOCKSTEP_LITERT_JS_ENGINE,
                                   std::getenv("LOCKSTEP_LITERT_JS")),
           .agreement = litert_js_agreement,
           .refusals = {kConvolutionWithoutBias, kXnnpackLimits, "failed to delegate PAD node",
                        "failed to delegate CONCATENATION node", kResizeBilinear,
                        kFullyConnectedZeroPoint, kScatteredMean}});
}

}  // namespace

int run_engines_oracle_worker(const std::string& selector) { return run_worker(selector); }

}  // namespace lockstep::conformance

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--worker") {
    return lockstep::conformance::run_engines_oracle_worker(argv[2]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
