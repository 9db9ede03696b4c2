#include "backend/cpu/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfenv>
#include <optional>
#include <thread>

#include "backend/cpu/round_to_nearest.h"
#include "backend/cpu/testing/small_networks.h"
#include "backend/testing/program_runs.h"
#include "backend/testing/random_networks.h"
#include "graph/graph_builder.h"
#include "graph/lowering.h"

namespace lockstep::backend::cpu {
namespace {

using backend::testing::first_difference;
using backend::testing::NetworkKind;
using backend::testing::run;
using testing::Bytes;
using ::testing::HasSubstr;
using testing::small_network;

Target best_target(int32_t threads = 2) { return {executable_isas().back(), threads}; }

std::unique_ptr<Program> make(const graph::LoweredGraph& graph, const Target& target,
                              const CompileOptions& options = {}) {
  auto program = make_program(graph, target, shared_thread_pool(target.threads), options);
  if (!program) throw std::logic_error(program.error().message);
  return *std::move(program);
}

void expect_like_reference(Program& program, const graph::LoweredGraph& graph, uint32_t seed) {
  const std::vector<Bytes> inputs = testing::random_inputs(graph, seed);
  EXPECT_EQ(first_difference(graph, run(program, graph, inputs),
                             testing::reference_outputs(graph, inputs)),
            "");
}

// --- Whatever operators ------------------------------------------------------------------------

class Programs : public ::testing::TestWithParam<NetworkKind> {};

TEST_P(Programs, EqualTheReferenceWithEveryInstructionSet) {
  constexpr int kNetworks = 16;
  std::mt19937 random(static_cast<uint32_t>(GetParam()) + 500);
  int compared = 0;
  for (int i = 0; i < kNetworks; ++i) {
    const auto type = i % 2 == 0 ? graph::DataType::kInt8 : graph::DataType::kUint8;
    const numerics::Contract contract = numerics::kAllContracts[static_cast<size_t>(i / 2) % 4];
    const auto lowered =
        graph::lower(backend::testing::random_network(GetParam(), type, random), contract);
    if (!lowered) {
      ASSERT_EQ(lowered.error().code, ErrorCode::kUnsupported) << lowered.error().message;
      continue;
    }
    ++compared;
    const std::vector<Bytes> inputs = testing::random_inputs(*lowered, static_cast<uint32_t>(i));
    const std::vector<Bytes> expected = testing::reference_outputs(*lowered, inputs);
    for (const Isa isa : executable_isas()) {
      const CompileOptions options{.guard_memory = i % 3 == 0,
                                   .fill = static_cast<uint8_t>(i),
                                   .reverse_unordered = i % 4 == 1};
      const auto program = make(*lowered, {isa, 1 + i % 3}, options);
      for (int round = 0; round < 2; ++round) {
        ASSERT_EQ(first_difference(*lowered, run(*program, *lowered, inputs), expected), "")
            << isa_name(isa) << ", network " << i << ", run " << round;
      }
    }
  }
  EXPECT_GE(compared, kNetworks / 2) << "lowering refused nearly everything";
}

INSTANTIATE_TEST_SUITE_P(Kinds, Programs, ::testing::ValuesIn(backend::testing::kAllNetworkKinds),
                         [](const auto& instance) {
                           return std::string(backend::testing::network_kind_name(instance.param));
                         });

// --- Nothing to compute ------------------------------------------------------------------------

const graph::Quantization kQuantization = graph::per_tensor(0.1f, 3);

int32_t ones(graph::GraphBuilder& builder, const graph::Shape& shape) {
  const auto count = static_cast<size_t>(graph::element_count(shape).value());
  return builder.constant<int8_t>("w", shape, std::vector<int8_t>(count, 1),
                                  graph::per_tensor(0.1f));
}

// Makes one operator of an image of so many channels.
struct OperatorOfImage {
  const char* name;
  int32_t (*make)(graph::GraphBuilder& builder, int32_t image, int32_t channels);
};

const OperatorOfImage kOperatorsOfImages[] = {
    {"convolution",
     [](graph::GraphBuilder& builder, int32_t image, int32_t channels) {
       return builder.conv_2d(image, ones(builder, {7, 3, 3, channels}), graph::kAbsentTensor,
                              kQuantization);
     }},
    {"pointwise convolution",
     [](graph::GraphBuilder& builder, int32_t image, int32_t channels) {
       return builder.conv_2d(image, ones(builder, {7, 1, 1, channels}), graph::kAbsentTensor,
                              kQuantization);
     }},
    {"depthwise convolution",
     [](graph::GraphBuilder& builder, int32_t image, int32_t channels) {
       return builder.depthwise_conv_2d(image, ones(builder, {1, 3, 3, channels}),
                                        graph::kAbsentTensor, kQuantization);
     }},
    {"addition", [](graph::GraphBuilder& builder, int32_t image,
                    int32_t) { return builder.add(image, image, kQuantization); }},
    {"multiplication", [](graph::GraphBuilder& builder, int32_t image,
                          int32_t) { return builder.mul(image, image, kQuantization); }},
    {"pool",
     [](graph::GraphBuilder& builder, int32_t image, int32_t) {
       return builder.pool_2d(image, {.filter_height = 2, .filter_width = 2}, kQuantization);
     }},
    {"mean",
     [](graph::GraphBuilder& builder, int32_t image, int32_t) {
       return builder.mean(image, {1, 2}, true, kQuantization);
     }},
    {"padding",
     [](graph::GraphBuilder& builder, int32_t image, int32_t) {
       return builder.pad(image, {0, 0, 1, 1, 1, 1, 0, 0});
     }},
    {"concatenation",
     [](graph::GraphBuilder& builder, int32_t image, int32_t) {
       return builder.concatenation({image, image}, 3, kQuantization);
     }},
    {"bilinear resizing",
     [](graph::GraphBuilder& builder, int32_t image, int32_t) {
       return builder.resize(image, 5, 6, {.kind = graph::ResizeKind::kBilinear});
     }},
    {"resizing to the nearest",
     [](graph::GraphBuilder& builder, int32_t image, int32_t) {
       return builder.resize(image, 5, 6, {.kind = graph::ResizeKind::kNearestNeighbor});
     }},
    {"table", [](graph::GraphBuilder& builder, int32_t image,
                 int32_t) { return builder.unary(graph::UnaryKind::kRelu, image, kQuantization); }},
    {"softmax",
     [](graph::GraphBuilder& builder, int32_t image, int32_t) {
       return builder.softmax(image, graph::per_tensor(1.0f / 256.0f, -128));
     }},
    {"space to depth", [](graph::GraphBuilder& builder, int32_t image,
                          int32_t) { return builder.space_to_depth(image, 2); }},
    {"dequantization", [](graph::GraphBuilder& builder, int32_t image,
                          int32_t) { return builder.dequantize(image); }},
};

// Nothing where graphs do not have such an operator.
std::optional<graph::LoweredGraph> network_of(const OperatorOfImage& op,
                                              const graph::Shape& shape) {
  graph::GraphBuilder builder(op.name);
  const int32_t image = builder.input("x", graph::DataType::kInt8, shape, kQuantization);
  const auto graph = builder.build({op.make(builder, image, shape.back())});
  if (!graph) return std::nullopt;
  auto lowered = graph::lower(*graph, numerics::Contract::kTflite);
  if (!lowered) return std::nullopt;
  return *std::move(lowered);
}

TEST(EmptyTensors, AreComputedAsTheReferenceDoes) {
  for (const OperatorOfImage& op : kOperatorsOfImages) {
    ASSERT_TRUE(network_of(op, {2, 6, 6, 4})) << op.name;
    for (const graph::Shape& shape : {graph::Shape{0, 6, 6, 4}, graph::Shape{2, 0, 6, 4},
                                      graph::Shape{2, 6, 0, 4}, graph::Shape{2, 6, 6, 0}}) {
      const auto network = network_of(op, shape);
      if (!network) continue;
      SCOPED_TRACE(std::string(op.name) + " of " + graph::shape_to_string(shape));
      const std::vector<Bytes> inputs = testing::random_inputs(*network, 1);
      const std::vector<Bytes> expected = testing::reference_outputs(*network, inputs);
      for (const Isa isa : executable_isas()) {
        const auto program = make(*network, {isa, 3});
        EXPECT_EQ(run(*program, *network, inputs), expected) << isa_name(isa);
      }
    }
  }
}

// --- One small network -------------------------------------------------------------------------

class CpuProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    if (executable_isas().empty()) GTEST_SKIP() << "no kernels for this kind of processor";
  }

  const graph::LoweredGraph network_ = small_network();
};

TEST_F(CpuProgram, EqualsTheReferenceUnderEveryContract) {
  for (const numerics::Contract contract : numerics::kAllContracts) {
    const graph::LoweredGraph network = small_network(contract);
    expect_like_reference(*make(network, best_target()), network, 1);
  }
}

TEST_F(CpuProgram, RefusesOtherSizesByName) {
  const auto program = make(network_, best_target());
  const std::vector<Bytes> inputs = testing::random_inputs(network_, 1);
  std::vector<Bytes> outputs = run(*program, network_, inputs);
  const auto refusal = [&](const std::vector<Bytes>& given, std::vector<Bytes>& room) {
    const std::vector<std::span<const std::byte>> input_spans(given.begin(), given.end());
    const std::vector<std::span<std::byte>> output_spans(room.begin(), room.end());
    const Status status = program->run(input_spans, output_spans);
    EXPECT_FALSE(status);
    if (status) return std::string();
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    return status.error().message;
  };
  const std::vector<Bytes> short_input = {Bytes(179)};
  EXPECT_EQ(refusal(short_input, outputs),
            "small network: input 0 ('x') has 180 bytes; 179 were given");
  const std::vector<Bytes> long_input = {Bytes(181)};
  EXPECT_THAT(refusal(long_input, outputs), HasSubstr("181 were given"));
  outputs[4].push_back({});
  EXPECT_THAT(refusal(inputs, outputs), HasSubstr("output 4"));
  EXPECT_THAT(refusal(inputs, outputs), HasSubstr("has 9 bytes; room for 10 was given"));
  outputs.pop_back();
  EXPECT_EQ(refusal({}, outputs),
            "small network: the program has 1 inputs and 8 outputs; 0 and 7 were given");
}

TEST_F(CpuProgram, RefusesOutputsThatNothingFills) {
  graph::LoweredGraph network = network_;
  network.tensors.push_back({.name = "nobody's", .shape = {4}, .constant = {}});
  network.outputs.push_back(static_cast<int32_t>(network.tensors.size()) - 1);
  const auto program = make_program(network, best_target(), shared_thread_pool(1), {});
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(program.error().message, "small network: nothing fills its output 'nobody's'");
}

TEST_F(CpuProgram, GivesInputsAndConstantsAsOutputs) {
  graph::LoweredGraph network = network_;
  network.outputs.push_back(network.inputs.front());
  for (size_t i = 0; i < network.tensors.size(); ++i) {
    if (network.tensors[i].name == "offsets") network.outputs.push_back(static_cast<int32_t>(i));
  }
  ASSERT_EQ(network.outputs.size(), network_.outputs.size() + 2);
  expect_like_reference(*make(network, best_target()), network, 3);
}

TEST_F(CpuProgram, RunsOfSeveralThreadsDoNotDisturbEachOther) {
  for (const int32_t runs_in_flight : {0, 1, 3}) {
    const auto program = make(network_, best_target(), {.runs_in_flight = runs_in_flight});
    std::vector<std::thread> threads;
    for (uint32_t thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        for (uint32_t i = 0; i < 8; ++i) expect_like_reference(*program, network_, thread * 8 + i);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST_F(CpuProgram, ProgramsOfOnePoolRunAtOnce) {
  std::vector<graph::LoweredGraph> networks;
  std::vector<std::unique_ptr<Program>> programs;
  for (const numerics::Contract contract : numerics::kAllContracts) {
    networks.push_back(small_network(contract));
    programs.push_back(make(networks.back(), best_target(3)));
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < programs.size(); ++i) {
    threads.emplace_back([&, i] {
      for (uint32_t seed = 0; seed < 8; ++seed) {
        expect_like_reference(*programs[i], networks[i], seed);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// A convolution whose work is cut.
graph::LoweredGraph wide_network() {
  graph::LoweredGraph network;
  network.name = "wide network";
  graph::LoweredConvolution convolution;
  convolution.output = 1;
  convolution.input_extent = convolution.output_extent = {1, 48, 48, 32};
  convolution.window = {.kernel_height = 3, .kernel_width = 3, .padding_top = 1, .padding_left = 1};
  for (int i = 0; i < 32 * 9 * 32; ++i) {
    convolution.weights.push_back(static_cast<int8_t>(i * 37));
  }
  convolution.weights_zero_points.resize(32);
  convolution.bias.resize(32);
  convolution.folded_bias.resize(32);
  convolution.output_stage.scales.assign(
      32, numerics::channel_scale(0.0003, convolution.output_stage.rounding));
  network.operators.push_back({"CONV_2D", 0, std::move(convolution)});
  for (const char* name : {"x", "y"}) {
    network.tensors.push_back({.name = name, .shape = {1, 48, 48, 32}, .constant = {}});
  }
  network.inputs = {0};
  network.outputs = {1};
  return network;
}

TEST_F(CpuProgram, ThreadsShareTheWorkOfOneOperator) {
  const graph::LoweredGraph network = wide_network();
  const auto program = make(network, best_target(3), {.profile = true, .runs_in_flight = 4});
  const std::vector<Bytes> inputs = testing::random_inputs(network, 1);
  const std::vector<Bytes> expected = testing::reference_outputs(network, inputs);
  // Often enough that threads meet, whatever else the machine does.
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(first_difference(network, run(*program, network, inputs), expected), "") << i;
  }
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(first_difference(network, run(*program, network, inputs), expected), "");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<Bytes> outputs(1, Bytes(expected.front().size()));
  const std::vector<std::span<const std::byte>> input_spans(inputs.begin(), inputs.end());
  const std::vector<std::span<std::byte>> output_spans(outputs.begin(), outputs.end());
  const auto profile = program->profile(input_spans, output_spans);
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_GT(profile->dispatches.front().workgroups[0], 1u);
  EXPECT_EQ(outputs, expected);
}

TEST_F(CpuProgram, GivesTheSameWhateverMemoryHeld) {
  for (const int fill : {0x00, 0x55, 0xff}) {
    const auto program =
        make(network_, best_target(), {.guard_memory = true, .fill = static_cast<uint8_t>(fill)});
    for (uint32_t seed = 0; seed < 3; ++seed) expect_like_reference(*program, network_, seed);
  }
}

TEST_F(CpuProgram, ProfilesEveryOperatorOnce) {
  const auto program = make(network_, best_target(), {.profile = true});
  const std::vector<Bytes> inputs = testing::random_inputs(network_, 1);
  std::vector<Bytes> outputs = run(*program, network_, inputs);
  const std::vector<std::span<const std::byte>> input_spans(inputs.begin(), inputs.end());
  const std::vector<std::span<std::byte>> output_spans(outputs.begin(), outputs.end());
  const auto profile = program->profile(input_spans, output_spans);
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_EQ(first_difference(network_, outputs, testing::reference_outputs(network_, inputs)), "");

  const std::vector<OperatorPlacement> placements = program->placements();
  ASSERT_EQ(placements.size(), network_.operators.size());
  std::vector<std::string> computed;
  for (const OperatorPlacement& placement : placements) {
    if (placement.variant != "in place") computed.push_back(placement.variant);
  }
  EXPECT_EQ(computed.size() + 1, placements.size()) << "the reshape";
  std::vector<std::string> profiled;
  double last = 0.0;
  for (const DispatchTime& dispatch : profile->dispatches) {
    profiled.push_back(dispatch.kernel);
    EXPECT_GE(dispatch.begin_us, last);
    EXPECT_GE(dispatch.end_us, dispatch.begin_us);
    EXPECT_GT(dispatch.bytes_read, 0);
    EXPECT_GT(dispatch.bytes_written, 0);
    last = dispatch.end_us;
  }
  EXPECT_EQ(profiled, computed);
  EXPECT_GE(profile->host_us, last);
}

TEST_F(CpuProgram, ProfilesOnlyWhereAsked) {
  const auto program = make(network_, best_target());
  const auto profile = program->profile({}, {});
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().code, ErrorCode::kUnsupported);
}

// --- The plan ----------------------------------------------------------------------------------

TEST_F(CpuProgram, IsMadeAsPlanned) {
  for (const bool guard_memory : {false, true}) {
    const CompileOptions options{.guard_memory = guard_memory};
    const auto program = make(network_, best_target(), options);
    const auto plan = plan_program(network_, best_target(), options);
    ASSERT_TRUE(plan) << plan.error().message;
    const ProgramStatistics statistics = program->statistics();
    EXPECT_EQ(plan->arena_bytes, statistics.arena_bytes);
    EXPECT_EQ(plan->arena_lower_bound, statistics.arena_lower_bound);
    EXPECT_EQ(plan->constant_bytes, statistics.constant_bytes);
    int64_t dispatches = 0;
    const std::vector<OperatorPlacement> placements = program->placements();
    ASSERT_EQ(plan->operators.size(), placements.size());
    for (size_t i = 0; i < placements.size(); ++i) {
      dispatches += plan->operators[i].dispatches;
      EXPECT_EQ(plan->operators[i].kernel, placements[i].variant);
      EXPECT_EQ(plan->operators[i].source_operator, placements[i].source_operator);
    }
    EXPECT_EQ(dispatches, statistics.dispatches);
    size_t constants = 0;
    for (const PlannedTensor& tensor : plan->tensors) {
      constants += tensor.memory == PlannedTensor::Memory::kConstants ? 1 : 0;
    }
    EXPECT_EQ(constants, 1u) << "'offsets'";
  }
}

// --- Rounding of floats ------------------------------------------------------------------------

class RoundUpward {
 public:
  RoundUpward() { std::fesetround(FE_UPWARD); }
  ~RoundUpward() { std::fesetround(FE_TONEAREST); }
};

TEST_F(CpuProgram, RoundsAsEverUnderAThreadThatRoundsUpward) {
  for (const numerics::Contract contract : numerics::kAllContracts) {
    const graph::LoweredGraph network = small_network(contract);
    const auto program = make(network, best_target());
    const std::vector<Bytes> inputs = testing::random_inputs(network, 7);
    std::vector<Bytes> outputs;
    {
      const RoundUpward round_upward;
      outputs = run(*program, network, inputs);
      EXPECT_EQ(std::fegetround(), FE_UPWARD);
    }
    EXPECT_EQ(first_difference(network, outputs, testing::reference_outputs(network, inputs)), "");
  }
}

TEST(RoundToNearest, HoldsOnThreadsThatWereStartedRoundingUpward) {
  std::unique_ptr<ThreadPool> pool;
  {
    const RoundUpward round_upward;
    pool = std::make_unique<ThreadPool>(3);
  }
  std::atomic<int> arrived{0};
  std::atomic<int> rounding_upward{0};
  ThreadPool::Lease lease = pool->lease();
  lease.run(3, [&](int64_t, int32_t) {
    ++arrived;
    while (arrived < 3) std::this_thread::yield();
    if (std::fegetround() != FE_TONEAREST) ++rounding_upward;
  });
  EXPECT_EQ(rounding_upward, 0);
}

TEST(RoundToNearest, PutsBackWhatItFound) {
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST}) {
    std::fesetround(mode);
    {
      const RoundToNearest round_to_nearest;
      EXPECT_EQ(std::fegetround(), FE_TONEAREST);
    }
    const int after = std::fegetround();
    std::fesetround(FE_TONEAREST);
    EXPECT_EQ(after, mode);
  }
}

}  // namespace
}  // namespace lockstep::backend::cpu
