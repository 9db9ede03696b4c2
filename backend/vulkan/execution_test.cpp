// What goes on while programs run: profiling, work handed over in pieces, several runs under way at
// once. Every network runs on every device, with unified memory and without, with the device's own
// clock and without.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <ranges>
#include <thread>

#include "backend/vulkan/program.h"
#include "backend/vulkan/testing/counted_calls.h"
#include "backend/vulkan/testing/failing_calls.h"
#include "backend/vulkan/testing/hand_made_networks.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "backend/vulkan/vulkan_backend.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::DataType;
using testing::Bytes;
using testing::CountedCalls;
using ::testing::ElementsAre;
using testing::FailingCall;
using ::testing::HasSubstr;
using testing::Network;
using testing::OutputRoom;
using testing::run;
using Table = VolkDeviceTable;
using Profiling = testing::EveryDevice;
using Splitting = testing::EveryDevice;
using Pending = testing::EveryDevice;

const auto* const kValidation = vulkan::testing::fail_on_validation_messages();

// A table, two dispatches for a stack, and an output that is an input of something else.
Network branched_network(DataType type = DataType::kInt8) {
  Network network(type);
  const int32_t input = network.input({9, 70, 20});
  const int32_t first = network.table(input, 3, 1);
  const int32_t stacked = network.stack(first, network.input({2, 20}));
  network.graph.outputs = {network.table(stacked, 5, 2), first};
  return network;
}

std::vector<std::span<const std::byte>> spans_of(const std::vector<Bytes>& inputs) {
  return {inputs.begin(), inputs.end()};
}

// ---- Profiling ----------------------------------------------------------------------------------

TEST_F(Profiling, EveryDispatchHasItsTimeAndResultsStayTheSame) {
  const Network network = branched_network(DataType::kUint8);
  for (const auto& context : contexts_) {
    const Capabilities& capabilities = context->device->capabilities();
    SCOPED_TRACE(context->device->physical().description.name);
    const auto program =
        VulkanProgram::create(context, network.graph, network.plans, {.profile = true});
    ASSERT_TRUE(program) << program.error().message;
    for (uint32_t seed = 1; seed <= 3; ++seed) {
      const std::vector<Bytes> inputs = network.random_inputs(seed);
      OutputRoom outputs(network);
      const auto profile = (*program)->profile(spans_of(inputs), outputs.spans);
      ASSERT_TRUE(profile) << profile.error().message;
      EXPECT_EQ(outputs.bytes, network.expected(inputs));
      EXPECT_EQ(profile->clock, capabilities.timestamps ? RunProfile::Clock::kTimestamps
                                                        : RunProfile::Clock::kSubmissions);
      std::vector<std::pair<int32_t, std::string>> items;
      double end_us = 0;
      for (const DispatchTime& item : profile->dispatches) {
        items.emplace_back(item.operator_index, item.kernel);
        EXPECT_EQ(item.source_operator, item.operator_index);
        EXPECT_DOUBLE_EQ(item.begin_us, end_us) << "gaps belong to the dispatch behind them";
        EXPECT_GE(item.end_us, item.begin_us);
        end_us = item.end_us;
        EXPECT_GT(item.bytes_read, 0);
        EXPECT_GT(item.bytes_written, 0);
        EXPECT_EQ(item.workgroups[0] == 0, item.operator_index < 0);
      }
      EXPECT_GT(end_us, 0);
      std::vector<std::pair<int32_t, std::string>> expected = {
          {0, "test"}, {1, "test, copy_rows"}, {1, "test, copy_rows"}, {2, "test"}};
      if (!capabilities.unified_memory) {
        expected.insert(expected.begin(), {-1, "copies to the device"});
        expected.push_back({-1, "copies from the device"});
      }
      EXPECT_EQ(items, expected);
      double host_end_us = 0;
      for (const HostTime& time : profile->host) {
        EXPECT_GE(time.begin_us, host_end_us);
        host_end_us = time.end_us;
      }
      EXPECT_GE(profile->host_us, host_end_us);
      EXPECT_EQ(profile->host.front().what, "write inputs");
      EXPECT_EQ(profile->host.back().what, "read outputs");
      // An ordinary run in between needs none of this.
      const auto ordinary = run(**program, network, inputs);
      ASSERT_TRUE(ordinary);
      EXPECT_EQ(*ordinary, network.expected(inputs));
    }
  }
}

TEST_F(Profiling, BytesAreThoseTheDispatchIsBoundTo) {
  Network network;
  network.graph.outputs = {network.table(network.input({4, 20}), 3, 1)};
  const auto program =
      VulkanProgram::create(contexts_.front(), network.graph, network.plans, {.profile = true});
  ASSERT_TRUE(program);
  OutputRoom outputs(network);
  const std::vector<Bytes> inputs = network.random_inputs(1);
  const auto profile = (*program)->profile(spans_of(inputs), outputs.spans);
  ASSERT_TRUE(profile);
  const auto dispatch = std::ranges::find(profile->dispatches, 0, &DispatchTime::operator_index);
  ASSERT_NE(dispatch, profile->dispatches.end());
  EXPECT_EQ(dispatch->bytes_read, 4 * 32 + 256 * 4);
  EXPECT_EQ(dispatch->bytes_written, 4 * 32);
  EXPECT_EQ(dispatch->workgroups, network.plans[0].dispatches[0].workgroups);
}

TEST_F(Profiling, GoesTogetherWithGuardsAndPieces) {
  const Network network = branched_network();
  const std::vector<Bytes> inputs = network.random_inputs(1);
  for (const auto& context : contexts_) {
    const auto program = VulkanProgram::create(
        context, network.graph, network.plans,
        {.guard_memory = true, .fill = 0x7f, .profile = true, .split_everywhere = true});
    ASSERT_TRUE(program) << program.error().message;
    OutputRoom outputs(network);
    const auto profile = (*program)->profile(spans_of(inputs), outputs.spans);
    ASSERT_TRUE(profile) << profile.error().message;
    EXPECT_EQ(outputs.bytes, network.expected(inputs));
    EXPECT_EQ(std::ranges::count_if(profile->dispatches,
                                    [](const auto& item) { return item.operator_index >= 0; }),
              4);
  }
}

TEST_F(Profiling, NetworksWithoutCommandsHaveNothingToTime) {
  Network network;
  network.graph.outputs = {network.input({7, 3})};
  for (const auto& context : contexts_) {
    const auto program =
        VulkanProgram::create(context, network.graph, network.plans, {.profile = true});
    ASSERT_TRUE(program) << program.error().message;
    OutputRoom outputs(network);
    const std::vector<Bytes> inputs = network.random_inputs(1);
    const auto profile = (*program)->profile(spans_of(inputs), outputs.spans);
    ASSERT_TRUE(profile) << profile.error().message;
    EXPECT_EQ(outputs.bytes, inputs);
  }
}

TEST_F(Profiling, MustBeAskedFor) {
  const Network network = branched_network();
  const auto program = VulkanProgram::create(contexts_.front(), network.graph, network.plans);
  ASSERT_TRUE(program);
  OutputRoom outputs(network);
  const std::vector<Bytes> inputs = network.random_inputs(1);
  const auto profile = (*program)->profile(spans_of(inputs), outputs.spans);
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().code, ErrorCode::kUnsupported);
}

TEST_F(Profiling, WrongSizesAndFailingCallsAreErrors) {
  const Network network = branched_network();
  const std::vector<Bytes> inputs = network.random_inputs(1);
  for (const auto& context : contexts_) {
    const bool has_clock = context->device->capabilities().timestamps;
    SCOPED_TRACE(context->device->physical().description.name);
    if (has_clock) {
      const FailingCall<&Table::vkCreateQueryPool> failing(*context->device,
                                                           VK_ERROR_OUT_OF_HOST_MEMORY);
      EXPECT_FALSE(VulkanProgram::create(context, network.graph, network.plans, {.profile = true}));
      EXPECT_TRUE(VulkanProgram::create(context, network.graph, network.plans));
    }
    const auto program =
        VulkanProgram::create(context, network.graph, network.plans, {.profile = true});
    ASSERT_TRUE(program);
    OutputRoom outputs(network);
    EXPECT_FALSE((*program)->profile({}, outputs.spans));
    if (has_clock) {
      const FailingCall<&Table::vkGetQueryPoolResults> failing(*context->device, VK_NOT_READY);
      EXPECT_FALSE((*program)->profile(spans_of(inputs), outputs.spans));
    }
    for (const int first_failing_call : {1, 2}) {
      const FailingCall<&Table::vkQueueSubmit> failing(
          *context->device, VK_ERROR_OUT_OF_HOST_MEMORY, first_failing_call);
      const auto refused = (*program)->profile(spans_of(inputs), outputs.spans);
      // With the device's clock there is but one submission.
      EXPECT_EQ(refused.has_value(), has_clock && first_failing_call == 2)
          << (refused ? "" : refused.error().message);
    }
    const auto profile = (*program)->profile(spans_of(inputs), outputs.spans);
    EXPECT_TRUE(profile) << profile.error().message;
    EXPECT_EQ(outputs.bytes, network.expected(inputs));
  }
}

// ---- Work in pieces -----------------------------------------------------------------------------

TEST_F(Splitting, SmallNetworksAreOneSubmission) {
  const Network network = branched_network();
  for (const auto& context : contexts_) {
    const auto program = VulkanProgram::create(context, network.graph, network.plans);
    ASSERT_TRUE(program);
    CountedCalls<&Table::vkQueueSubmit> submissions(*context->device);
    ASSERT_TRUE(run(**program, network, network.random_inputs(1)));
    EXPECT_EQ(submissions.take(), 1);
  }
}

TEST_F(Splitting, ResultsStayTheSameInAsManyPiecesAsPossible) {
  for (const DataType type : {DataType::kInt8, DataType::kUint8}) {
    Network network = branched_network(type);
    const int32_t below = network.table(network.graph.inputs[0], 7, 0);
    network.graph.outputs.push_back(network.cover(below, network.table(below, 1, 9)));
    expect_runs_right(network, {.split_everywhere = true});
    expect_runs_right(network, {.reverse_unordered = true, .split_everywhere = true});
    expect_runs_right(network, {.guard_memory = true, .split_everywhere = true});
  }
}

TEST_F(Splitting, EveryPieceIsASubmission) {
  Network network;
  // Two dispatches of more than three workgroups: three pieces each.
  network.graph.outputs = {network.table(network.table(network.input({1000, 16}), 3, 1), 5, 2)};
  for (const auto& context : contexts_) {
    const auto program =
        VulkanProgram::create(context, network.graph, network.plans, {.split_everywhere = true});
    ASSERT_TRUE(program);
    CountedCalls<&Table::vkQueueSubmit> submissions(*context->device);
    ASSERT_TRUE(run(**program, network, network.random_inputs(1)));
    EXPECT_EQ(submissions.take(), 6);
  }
}

TEST_F(Splitting, LongChainsAreCutAndGrowTogetherOnceTheDeviceTurnsOutToBeFast) {
  Network network;
  network.graph.outputs = {network.input({4, 20})};
  for (int i = 0; i < 6; ++i) {
    const int32_t input = network.graph.outputs[0];
    network.graph.outputs[0] = network.table(input, 3, i);
    // As far as anybody can tell this takes long: 3 * 10^10 multiply-accumulates.
    graph::LoweredConvolution convolution;
    convolution.input = input;
    convolution.output = network.graph.outputs[0];
    convolution.output_extent = {1, 1000, 1000, 30};
    convolution.input_extent.channels = 1000;
    network.graph.operators.back().operation = convolution;
  }
  for (const auto& context : contexts_) {
    SCOPED_TRACE(context->device->physical().description.name);
    const auto program = VulkanProgram::create(context, network.graph, network.plans);
    ASSERT_TRUE(program) << program.error().message;
    const std::vector<Bytes> inputs = network.random_inputs(1);
    CountedCalls<&Table::vkQueueSubmit> submissions(*context->device);
    // Dispatches of one or two workgroups cannot be cut into more.
    const auto pieces = 6 * static_cast<int>(network.plans[0].dispatches[0].workgroups[0]);
    std::vector<int> counts;
    for (int round = 0; round < 30; ++round) {
      const auto outputs = run(**program, network, inputs);
      ASSERT_TRUE(outputs);
      EXPECT_EQ(*outputs, network.expected(inputs));
      counts.push_back(submissions.take());
    }
    EXPECT_EQ(counts.front(), pieces);
    EXPECT_EQ(counts.back(), 1);
  }
}

TEST_F(Splitting, RunsThatFailInTheMiddleMayBeTriedAgain) {
  const Network network = branched_network();
  const std::vector<Bytes> inputs = network.random_inputs(5);
  for (const auto& context : contexts_) {
    const auto program =
        VulkanProgram::create(context, network.graph, network.plans, {.split_everywhere = true});
    ASSERT_TRUE(program);
    {
      // The third submission fails, the one that marks the end of the first two does not.
      const FailingCall<&Table::vkQueueSubmit> failing(*context->device,
                                                       VK_ERROR_OUT_OF_HOST_MEMORY, 3, 1);
      const auto refused = run(**program, network, inputs);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
    }
    const auto outputs = run(**program, network, inputs);
    ASSERT_TRUE(outputs) << outputs.error().message;
    EXPECT_EQ(*outputs, network.expected(inputs));
  }
}

TEST_F(Splitting, WhatCannotBeKnownToHaveEndedIsNeverFreed) {
  const Network network = branched_network();
  const std::vector<Bytes> inputs = network.random_inputs(5);
  auto context = open_context(0, {});
  ASSERT_TRUE(context);
  const std::weak_ptr<DeviceContext> observed = *context;
  {
    const auto program =
        VulkanProgram::create(*context, network.graph, network.plans, {.split_everywhere = true});
    ASSERT_TRUE(program);
    const FailingCall<&Table::vkQueueSubmit> failing(*(*context)->device,
                                                     VK_ERROR_OUT_OF_HOST_MEMORY, 3);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto outputs = run(**program, network, inputs);
      ASSERT_FALSE(outputs);
      EXPECT_EQ(outputs.error().code, ErrorCode::kDeviceLost);
    }
    // What was submitted is real here, and must be done before the process ends.
    (*context)->device->functions().vkDeviceWaitIdle((*context)->device->get());
  }
  context->reset();
  EXPECT_FALSE(observed.expired());
}

// ---- Several runs under way ---------------------------------------------------------------------

// A run with everything it needs.
struct Started {
  Started(Program& program, const Network& network, uint32_t seed)
      : inputs(network.random_inputs(seed)), outputs(network), expected(network.expected(inputs)) {
    auto started = program.submit(spans_of(inputs), outputs.spans);
    EXPECT_TRUE(started) << started.error().message;
    if (started) {
      run = std::move(*started);
    }
    inputs.clear();  // they were read
  }
  void expect_right() const {
    const Status status = run->wait();
    EXPECT_TRUE(status) << status.error().message;
    EXPECT_TRUE(run->poll());
    EXPECT_EQ(outputs.bytes, expected);
  }
  std::vector<Bytes> inputs;
  OutputRoom outputs;
  std::vector<Bytes> expected;
  std::unique_ptr<PendingRun> run;
};

// A device of its own, a program, and three runs of it that nobody has waited for; no runs, and the
// test has failed, where there is no program.
struct ThreeUnderWay {
  ThreeUnderWay() {
    const auto opened = open_context(0, {});
    EXPECT_TRUE(opened) << opened.error().message;
    if (!opened) {
      return;
    }
    context = *opened;
    auto created =
        VulkanProgram::create(context, network.graph, network.plans, {.runs_in_flight = 3});
    EXPECT_TRUE(created) << created.error().message;
    if (!created) {
      return;
    }
    program = std::move(*created);
    for (uint32_t seed = 0; seed < 3; ++seed) {
      runs.push_back(std::make_unique<Started>(*program, network, seed));
    }
  }
  // What was submitted is real even where a test says otherwise, and must be done before its memory
  // goes.
  void wait_for_the_device() const {
    context->device->functions().vkDeviceWaitIdle(context->device->get());
  }

  Network network = branched_network();
  std::shared_ptr<DeviceContext> context;
  std::unique_ptr<Program> program;
  std::vector<std::unique_ptr<Started>> runs;
};

TEST_F(Pending, RunsUnderWayDoNotDisturbOneAnother) {
  const Network network = branched_network(DataType::kUint8);
  for (const auto& context : contexts_) {
    SCOPED_TRACE(context->device->physical().description.name);
    for (const bool guard_memory : {false, true}) {
      const auto program =
          VulkanProgram::create(context, network.graph, network.plans,
                                {.guard_memory = guard_memory, .runs_in_flight = 3});
      ASSERT_TRUE(program) << program.error().message;
      // More than there is room for: the oldest are completed on the way.
      std::vector<std::unique_ptr<Started>> runs;
      for (uint32_t seed = 0; seed < 8; ++seed) {
        runs.push_back(std::make_unique<Started>(**program, network, seed));
      }
      EXPECT_TRUE(runs[0]->run->poll());
      EXPECT_EQ(runs[0]->outputs.bytes, runs[0]->expected);
      for (const auto& started : runs | std::views::reverse) {
        started->expect_right();
      }
    }
  }
}

TEST_F(Pending, PollingAloneCompletesARun) {
  const Network network = branched_network();
  for (const auto& context : contexts_) {
    const auto program = VulkanProgram::create(context, network.graph, network.plans);
    ASSERT_TRUE(program);
    const Started started(**program, network, 1);
    while (!started.run->poll()) {
      std::this_thread::yield();
    }
    EXPECT_EQ(started.outputs.bytes, started.expected);
    started.expect_right();
  }
}

TEST_F(Pending, PollingDoesNotWaitForTheDevice) {
  const Network network = branched_network();
  const auto& context = contexts_.front();
  const auto program = VulkanProgram::create(context, network.graph, network.plans);
  ASSERT_TRUE(program);
  const Started started(**program, network, 1);
  {
    const FailingCall<&Table::vkGetFenceStatus> busy(*context->device, VK_NOT_READY);
    EXPECT_FALSE(started.run->poll());
  }
  started.expect_right();
}

TEST_F(Pending, RunsWaitWhenTheyAreDroppedAndMayOutliveTheirProgram) {
  const Network network = branched_network();
  for (const auto& context : contexts_) {
    auto program =
        VulkanProgram::create(context, network.graph, network.plans, {.runs_in_flight = 2});
    ASSERT_TRUE(program);
    Started dropped(**program, network, 1);
    dropped.run.reset();
    EXPECT_EQ(dropped.outputs.bytes, dropped.expected);
    const Started kept(**program, network, 2);
    program->reset();
    kept.expect_right();
  }
}

TEST_F(Pending, SeveralThreadsMaySubmitAndWait) {
  const Network network = branched_network();
  const auto& context = contexts_.front();
  for (const int32_t runs_in_flight : {1, 2, 3}) {
    const auto program = VulkanProgram::create(context, network.graph, network.plans,
                                               {.runs_in_flight = runs_in_flight});
    ASSERT_TRUE(program);
    std::vector<std::jthread> threads;
    for (uint32_t thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        for (uint32_t round = 0; round < 10; ++round) {
          const Started first(**program, network, thread * 1000 + 2 * round);
          const Started second(**program, network, thread * 1000 + 2 * round + 1);
          second.expect_right();
          const auto whole = run(**program, network, network.random_inputs(round));
          EXPECT_TRUE(whole);
          first.expect_right();
        }
      });
    }
  }
}

TEST_F(Pending, OneRunMayBeWaitedForBySeveralThreads) {
  const Network network = branched_network();
  const auto program = VulkanProgram::create(contexts_.front(), network.graph, network.plans);
  ASSERT_TRUE(program);
  for (uint32_t round = 0; round < 20; ++round) {
    const Started started(**program, network, round);
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 3; ++thread) {
      threads.emplace_back([&] { EXPECT_TRUE(started.run->wait()); });
    }
    while (!started.run->poll()) {
      std::this_thread::yield();
    }
    threads.clear();
    EXPECT_EQ(started.outputs.bytes, started.expected);
  }
}

TEST_F(Pending, ImpossibleNumbersOfRunsAreRefused) {
  const Network network = branched_network();
  for (const int32_t runs_in_flight : {0, -1, 65, 2000000000}) {
    const auto program = VulkanProgram::create(contexts_.front(), network.graph, network.plans,
                                               {.runs_in_flight = runs_in_flight});
    ASSERT_FALSE(program);
    EXPECT_EQ(program.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(program.error().message, HasSubstr("1 to 64"));
  }
}

TEST_F(Pending, ALostDeviceFailsAllRunsUnderWayAndIsFreed) {
  std::weak_ptr<DeviceContext> observed;
  {
    const ThreeUnderWay under_way;
    const auto& runs = under_way.runs;
    ASSERT_EQ(runs.size(), 3u);
    observed = under_way.context;
    const LogicalDevice& device = *under_way.context->device;
    under_way.wait_for_the_device();
    const FailingCall<&Table::vkGetFenceStatus> status(device, VK_ERROR_DEVICE_LOST);
    const FailingCall<&Table::vkWaitForFences> waiting(device, VK_ERROR_DEVICE_LOST);
    for (const size_t i : {1, 0, 2}) {
      for (int attempt = 0; attempt < 2; ++attempt) {
        const Status lost = runs[i]->run->wait();
        ASSERT_FALSE(lost);
        EXPECT_EQ(lost.error().code, ErrorCode::kDeviceLost);
        EXPECT_TRUE(runs[i]->run->poll());
      }
    }
    const Network& network = under_way.network;
    const std::vector<Bytes> inputs = network.random_inputs(1);
    const auto refused = under_way.program->submit(spans_of(inputs), OutputRoom(network).spans);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kDeviceLost);
  }
  EXPECT_TRUE(observed.expired());
}

TEST_F(Pending, AHangingDeviceIsWaitedForOnceAndItsMemoryKept) {
  std::weak_ptr<DeviceContext> observed;
  {
    const ThreeUnderWay under_way;
    const auto& runs = under_way.runs;
    ASSERT_EQ(runs.size(), 3u);
    observed = under_way.context;
    const LogicalDevice& device = *under_way.context->device;
    const FailingCall<&Table::vkGetFenceStatus> status(device, VK_NOT_READY);
    const FailingCall<&Table::vkWaitForFences> waiting(device, VK_TIMEOUT);
    CountedCalls<&Table::vkWaitForFences> waits(device);
    EXPECT_FALSE(runs[0]->run->wait());
    EXPECT_GT(waits.take(), 0);
    for (const size_t i : {1, 2}) {
      const Status lost = runs[i]->run->wait();
      ASSERT_FALSE(lost);
      EXPECT_EQ(lost.error().code, ErrorCode::kDeviceLost);
      EXPECT_THAT(lost.error().message, HasSubstr("did not finish"));
    }
    EXPECT_EQ(waits.take(), 0);
    under_way.wait_for_the_device();
  }
  EXPECT_FALSE(observed.expired());
}

}  // namespace
}  // namespace lockstep::backend::vulkan
