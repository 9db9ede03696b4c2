// The runtime alone: memory, barriers, borders, guards, and what happens when calls fail. Every
// network runs on every device, with unified memory and without.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "backend/vulkan/program.h"
#include "backend/vulkan/program_checks.h"
#include "backend/vulkan/testing/failing_calls.h"
#include "backend/vulkan/testing/hand_made_networks.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "backend/vulkan/vulkan_backend.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::DataType;
using graph::LoweredGraph;
using testing::Bytes;
using testing::FailingCall;
using testing::Network;
using testing::run;
using testing::tensor_binding;
using Runtime = testing::EveryDevice;

const auto* const kValidation = vulkan::testing::fail_on_validation_messages();

TEST_F(Runtime, ComputesOneOperatorForEveryWidthAndType) {
  for (const DataType type : {DataType::kInt8, DataType::kUint8}) {
    for (const int32_t channels : {1, 2, 3, 4, 5, 16, 17, 33}) {
      Network network(type);
      network.graph.outputs = {network.table(network.input({1, 5, 7, channels}), 3, 7)};
      expect_runs_right(network);
    }
  }
}

TEST_F(Runtime, LongChainsReuseTheArena) {
  Network network(DataType::kUint8);
  int32_t current = network.input({1, 9, 9, 24});
  for (int i = 0; i < 30; ++i) {
    current = network.table(current, 2 * i + 1, i);
  }
  network.graph.outputs = {current};
  expect_runs_right(network);
  const auto program = VulkanProgram::create(contexts_.front(), network.graph, network.plans);
  ASSERT_TRUE(program);
  const ProgramStatistics statistics = (*program)->statistics();
  EXPECT_EQ(statistics.dispatches, 30);
  EXPECT_EQ(statistics.pipelines, 1);
  EXPECT_EQ(statistics.arena_bytes, statistics.arena_lower_bound);
  EXPECT_GE(statistics.constant_bytes, 30 * 1024);
  EXPECT_EQ((*program)->placements().size(), 30u);
}

TEST_F(Runtime, RandomBranchesWithReusedMemoryKeepTheirValues) {
  std::mt19937 random(11);
  for (int round = 0; round < 6; ++round) {
    Network network(round % 2 == 0 ? DataType::kInt8 : DataType::kUint8);
    const int32_t channels = static_cast<int32_t>(random() % 40) + 1;
    std::vector<int32_t> alive;
    for (int i = 0; i < 2; ++i) {
      alive.push_back(network.input({static_cast<int32_t>(random() % 30) + 1, channels}));
    }
    const auto any = [&] { return alive[random() % alive.size()]; };
    for (int i = 0; i < 25; ++i) {
      switch (random() % 4) {
        case 0:
          alive.push_back(network.alias(any()));
          break;
        case 1: {
          const int32_t top = any();
          const int32_t bottom = any();
          if (network.elements(top) + network.elements(bottom) < 4000) {
            alive.push_back(network.stack(top, bottom));
          }
          break;
        }
        default:
          alive.push_back(network.table(any(), static_cast<int>(random() % 5) * 2 + 1,
                                        static_cast<int>(random() % 256)));
      }
    }
    network.graph.outputs = {alive.back(), any(), any()};
    expect_runs_right(network);
  }
}

TEST_F(Runtime, DispatchesThatFollowTheirPreviousOverwriteIt) {
  Network network;
  const int32_t below = network.input({50, 20});
  const int32_t cover = network.input({21, 20});
  network.graph.outputs = {network.table(network.cover(below, cover), 1, 1)};
  expect_runs_right(network);
}

TEST_F(Runtime, BordersMayBeAnything) {
  Network network(DataType::kUint8);
  const int32_t used_twice = network.input({4, 3});
  const int32_t passed_on = network.input({2, 5});
  const int32_t unused = network.input({3, 3});
  const int32_t first = network.table(used_twice, 5, 1);
  const int32_t second = network.table(first, 3, 0);
  const int32_t renamed = network.alias(passed_on);
  const int32_t renamed_result = network.alias(second);
  network.graph.outputs = {first, second, first, passed_on, renamed, renamed_result, used_twice};
  static_cast<void>(unused);
  expect_runs_right(network);
}

TEST_F(Runtime, GuardedProgramsComputeTheSameWhateverMemoryHeldBefore) {
  Network network(DataType::kUint8);
  const int32_t left = network.table(network.input({4, 5}), 3, 1);
  const int32_t right = network.table(network.input({3, 5}), 5, 2);
  const int32_t constant = network.constant({2, 5}, Bytes(10, std::byte{3}));
  const int32_t sum = network.stack(network.stack(left, right), constant);
  network.graph.outputs = {network.table(network.alias(sum), 7, 0), left};
  const std::vector<Bytes> inputs = network.random_inputs(1);
  for (const auto& context : contexts_) {
    SCOPED_TRACE(context->device->physical().description.name);
    for (const uint8_t fill : std::initializer_list<uint8_t>{0x00, 0x7f, 0xff}) {
      const auto program = VulkanProgram::create(context, network.graph, network.plans,
                                                 {.guard_memory = true, .fill = fill});
      ASSERT_TRUE(program) << program.error().message;
      for (int round = 0; round < 2; ++round) {
        const auto outputs = run(**program, network, inputs);
        ASSERT_TRUE(outputs) << outputs.error().message;
        EXPECT_EQ(*outputs, network.expected(inputs));
      }
    }
  }
}

TEST_F(Runtime, GuardsNoticeKernelsThatWriteTooMuch) {
  Network network;
  const int32_t inside = network.table(network.input({4, 20}), 3, 1);
  network.graph.outputs = {network.table(inside, 5, 2)};
  for (size_t op = 0; op < network.plans.size(); ++op) {
    // One row more than the output of 4 x 32 bytes has.
    std::vector<KernelPlan> plans = network.plans;
    plans[op].dispatches.front().push_constants[0] += 8;
    const std::string output = fmt::format("tensor 't{}'", op + 1);
    for (const auto& context : contexts_) {
      SCOPED_TRACE(context->device->physical().description.name);
      const auto program =
          VulkanProgram::create(context, network.graph, plans, {.guard_memory = true});
      ASSERT_TRUE(program) << program.error().message;
      const auto outputs = run(**program, network, network.random_inputs(1));
      ASSERT_FALSE(outputs);
      EXPECT_EQ(outputs.error().code, ErrorCode::kInternal);
      EXPECT_THAT(outputs.error().message,
                  ::testing::HasSubstr("outside of " + output + ", at byte 128 of its 128"));
    }
  }
}

TEST_F(Runtime, GuardsNoticeKernelsThatWriteConstants) {
  Network network;
  network.graph.outputs = {network.table(network.input({4, 20}), 3, 1)};
  // The table gets what belongs into the output.
  network.plans.front().dispatches.front().output = {Binding::Kind::kConstant, 0};
  for (const auto& context : contexts_) {
    SCOPED_TRACE(context->device->physical().description.name);
    const auto program =
        VulkanProgram::create(context, network.graph, network.plans, {.guard_memory = true});
    ASSERT_TRUE(program) << program.error().message;
    const auto outputs = run(**program, network, network.random_inputs(1));
    ASSERT_FALSE(outputs);
    EXPECT_EQ(outputs.error().code, ErrorCode::kInternal);
    EXPECT_THAT(outputs.error().message,
                ::testing::HasSubstr("to constant 0 of operator 0 (test)"));
  }
}

TEST_F(Runtime, ConstantsAreOperandsAndMayEvenBeOutputs) {
  Network network(DataType::kUint8);
  Bytes stored(6 * 5);
  for (size_t i = 0; i < stored.size(); ++i) {
    stored[i] = static_cast<std::byte>(i * 11);
  }
  const int32_t constant = network.constant({6, 5}, stored);
  const int32_t renamed = network.alias(constant);
  const int32_t stacked = network.stack(network.input({3, 5}), renamed);
  network.graph.outputs = {stacked, constant, renamed, network.table(constant, 7, 9)};
  expect_runs_right(network);
}

TEST_F(Runtime, NetworksWithoutOperatorsPassTheirInputsOn) {
  Network network;
  network.graph.outputs = {network.input({7, 3})};
  expect_runs_right(network);
  Network renamed;
  renamed.graph.outputs = {renamed.alias(renamed.input({7, 3}))};
  expect_runs_right(renamed);
}

TEST_F(Runtime, WrongCountsAndSizesAreRefused) {
  Network network;
  network.graph.outputs = {network.table(network.input({4, 3}), 1, 0)};
  const auto program = VulkanProgram::create(contexts_.front(), network.graph, network.plans);
  ASSERT_TRUE(program);
  Bytes right(12);
  Bytes wrong(13);
  std::span<const std::byte> input(right);
  std::span<const std::byte> long_input(wrong);
  std::span<std::byte> output(right);
  std::span<std::byte> long_output(wrong);
  EXPECT_TRUE((*program)->run({&input, 1}, {&output, 1}));
  for (const Status& status : {(*program)->run({}, {&output, 1}), (*program)->run({&input, 1}, {}),
                               (*program)->run({&long_input, 1}, {&output, 1}),
                               (*program)->run({&input, 1}, {&long_output, 1})}) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(Runtime, SeveralThreadsMayRunOneProgramAndSeveralPrograms) {
  Network network;
  int32_t current = network.input({20, 20});
  for (int i = 0; i < 5; ++i) {
    current = network.table(current, 3, i);
  }
  network.graph.outputs = {current};
  const auto& context = contexts_.front();
  const auto shared = VulkanProgram::create(context, network.graph, network.plans);
  ASSERT_TRUE(shared);
  std::vector<std::jthread> threads;
  for (uint32_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const auto own = VulkanProgram::create(context, network.graph, network.plans);
      ASSERT_TRUE(own);
      for (uint32_t round = 0; round < 5; ++round) {
        const std::vector<Bytes> inputs = network.random_inputs(i * 100 + round);
        for (Program* program :
             {static_cast<Program*>(own->get()), static_cast<Program*>(shared->get())}) {
          const auto outputs = run(*program, network, inputs);
          ASSERT_TRUE(outputs);
          EXPECT_EQ(*outputs, network.expected(inputs));
        }
      }
    });
  }
}

TEST_F(Runtime, ProgramsOutliveTheirDevice) {
  const Network network = testing::one_table();
  auto context = open_context(0, {});
  ASSERT_TRUE(context);
  const auto program = VulkanProgram::create(std::move(*context), network.graph, network.plans);
  contexts_.clear();
  ASSERT_TRUE(program);
  testing::expect_right_run(**program, network, 5);
}

TEST_F(Runtime, UnknownShadersAndHugeNetworksAreErrorsNotCrashes) {
  Network unknown;
  unknown.graph.outputs = {unknown.table(unknown.input({4, 3}), 3, 1)};
  unknown.plans[0].dispatches[0].shader = "no_such_shader";
  const auto& context = contexts_.front();
  const auto program = VulkanProgram::create(context, unknown.graph, unknown.plans);
  ASSERT_FALSE(program);
  EXPECT_THAT(program.error().message, ::testing::HasSubstr("no_such_shader"));

  Network huge;
  huge.graph.outputs = {huge.table(huge.input({1 << 15, 1 << 15}), 3, 1)};
  const auto refused = VulkanProgram::create(contexts_.back(), huge.graph, huge.plans);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("'t0'"));
}

TEST_F(Runtime, PipelineCacheSurvivesDamage) {
  namespace fs = std::filesystem;
  const fs::path folder =
      fs::temp_directory_path() / fmt::format("lockstep_runtime_test_{}", ::getpid());
  const Network network = testing::one_table();
  for (int round = 0; round < 3; ++round) {
    const auto context = open_context(0, {.mask = "", .cache_dir = folder.string()});
    ASSERT_TRUE(context);
    const auto program = VulkanProgram::create(*context, network.graph, network.plans);
    ASSERT_TRUE(program) << program.error().message;
    testing::expect_right_run(**program, network, 5);
    const auto is_cache = [](const auto& entry) { return entry.path().extension() == ".bin"; };
    const auto found = std::find_if(fs::directory_iterator(folder), {}, is_cache);
    ASSERT_NE(found, fs::directory_iterator());
    const fs::path file = found->path();
    EXPECT_GT(fs::file_size(file), 64u);
    if (round == 1) {
      std::ofstream(file, std::ios::binary | std::ios::trunc) << std::string(500, 'x');
    }
  }
  fs::remove_all(folder);
}

// Creates a program while calls of `kMember` fail, first at once and then later and later.
template <auto kMember>
void expect_survives_failures(const std::shared_ptr<DeviceContext>& context, const Network& network,
                              const char* name) {
  SCOPED_TRACE(name);
  for (int first_failing_call = 1; first_failing_call <= 4; ++first_failing_call) {
    const FailingCall<kMember> failing(*context->device, VK_ERROR_OUT_OF_DEVICE_MEMORY,
                                       first_failing_call);
    const auto program = VulkanProgram::create(context, network.graph, network.plans);
    if (program) {
      EXPECT_GT(first_failing_call, 1) << "the call was never made";
      break;
    }
    EXPECT_EQ(program.error().code, ErrorCode::kOutOfMemory) << program.error().message;
  }
}

TEST_F(Runtime, ProgramsThatCannotBeMadeLeaveNothingBehind) {
  Network network;
  network.graph.outputs = {
      network.stack(network.table(network.input({4, 3}), 3, 1), network.input({2, 3}))};
  const auto fresh_context = [] {
    return open_context(0, {.mask = "unified-memory", .cache_dir = ""}).value();
  };
  using Table = VolkDeviceTable;
  expect_survives_failures<&Table::vkCreateBuffer>(fresh_context(), network, "vkCreateBuffer");
  expect_survives_failures<&Table::vkAllocateMemory>(fresh_context(), network, "vkAllocateMemory");
  expect_survives_failures<&Table::vkBindBufferMemory>(fresh_context(), network,
                                                       "vkBindBufferMemory");
  expect_survives_failures<&Table::vkMapMemory>(fresh_context(), network, "vkMapMemory");
  expect_survives_failures<&Table::vkCreatePipelineCache>(fresh_context(), network,
                                                          "vkCreatePipelineCache");
  expect_survives_failures<&Table::vkCreateDescriptorSetLayout>(fresh_context(), network,
                                                                "vkCreateDescriptorSetLayout");
  expect_survives_failures<&Table::vkCreatePipelineLayout>(fresh_context(), network,
                                                           "vkCreatePipelineLayout");
  expect_survives_failures<&Table::vkCreateShaderModule>(fresh_context(), network,
                                                         "vkCreateShaderModule");
  expect_survives_failures<&Table::vkCreateComputePipelines>(fresh_context(), network,
                                                             "vkCreateComputePipelines");
  expect_survives_failures<&Table::vkCreateCommandPool>(fresh_context(), network,
                                                        "vkCreateCommandPool");
  expect_survives_failures<&Table::vkCreateFence>(fresh_context(), network, "vkCreateFence");
  expect_survives_failures<&Table::vkCreateDescriptorPool>(fresh_context(), network,
                                                           "vkCreateDescriptorPool");
  expect_survives_failures<&Table::vkAllocateDescriptorSets>(fresh_context(), network,
                                                             "vkAllocateDescriptorSets");
  expect_survives_failures<&Table::vkAllocateCommandBuffers>(fresh_context(), network,
                                                             "vkAllocateCommandBuffers");
  expect_survives_failures<&Table::vkBeginCommandBuffer>(fresh_context(), network,
                                                         "vkBeginCommandBuffer");
  expect_survives_failures<&Table::vkEndCommandBuffer>(fresh_context(), network,
                                                       "vkEndCommandBuffer");
  expect_survives_failures<&Table::vkResetFences>(fresh_context(), network, "vkResetFences");
  expect_survives_failures<&Table::vkQueueSubmit>(fresh_context(), network, "vkQueueSubmit");
  expect_runs_right(network);
}

TEST_F(Runtime, FailedRunsMayBeTriedAgain) {
  const Network network = testing::one_table();
  const auto& context = contexts_.front();
  const auto program = VulkanProgram::create(context, network.graph, network.plans);
  ASSERT_TRUE(program);
  const std::vector<Bytes> inputs = network.random_inputs(5);
  {
    const FailingCall<&VolkDeviceTable::vkQueueSubmit> failing(*context->device,
                                                               VK_ERROR_OUT_OF_HOST_MEMORY);
    const auto refused = run(**program, network, inputs);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
  }
  const auto outputs = run(**program, network, inputs);
  ASSERT_TRUE(outputs);
  EXPECT_EQ(*outputs, network.expected(inputs));
}

TEST_F(Runtime, ProgramsOfALostDeviceStayDead) {
  const Network network = testing::one_table();
  const auto& context = contexts_.front();
  const auto program = VulkanProgram::create(context, network.graph, network.plans);
  ASSERT_TRUE(program);
  const std::vector<Bytes> inputs = network.random_inputs(5);
  const auto expect_lost = [&] {
    const auto outputs = run(**program, network, inputs);
    ASSERT_FALSE(outputs);
    EXPECT_EQ(outputs.error().code, ErrorCode::kDeviceLost);
  };
  {
    const FailingCall<&VolkDeviceTable::vkQueueSubmit> failing(*context->device,
                                                               VK_ERROR_DEVICE_LOST);
    expect_lost();
  }
  expect_lost();
}

TEST_F(Runtime, DevicesThatHangAreGivenUp) {
  const Network network = testing::one_table();
  const auto context = open_context(0, {});
  ASSERT_TRUE(context);
  const auto program = VulkanProgram::create(*context, network.graph, network.plans);
  ASSERT_TRUE(program);
  const std::vector<Bytes> inputs = network.random_inputs(5);
  const FailingCall<&VolkDeviceTable::vkWaitForFences> waiting(*(*context)->device, VK_TIMEOUT);
  const FailingCall<&VolkDeviceTable::vkGetFenceStatus> status(*(*context)->device, VK_NOT_READY);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto outputs = run(**program, network, inputs);
    ASSERT_FALSE(outputs);
    EXPECT_EQ(outputs.error().code, ErrorCode::kDeviceLost);
    EXPECT_THAT(outputs.error().message, ::testing::HasSubstr("did not finish"));
  }
}

// Waiting may fail for another reason than time, and then the device may still be at work.
TEST_F(Runtime, ProgramsThatMayStillBeRunningAreNeitherFreedNorRunAgain) {
  const Network network = testing::one_table();
  for (const VkResult fence_status : {VK_NOT_READY, VK_ERROR_OUT_OF_HOST_MEMORY}) {
    auto context = open_context(0, {});
    ASSERT_TRUE(context);
    const std::weak_ptr<DeviceContext> observed = *context;
    {
      auto program = VulkanProgram::create(*context, network.graph, network.plans);
      ASSERT_TRUE(program);
      const std::vector<Bytes> inputs = network.random_inputs(5);
      const LogicalDevice& device = *(*context)->device;
      const FailingCall<&VolkDeviceTable::vkWaitForFences> waiting(device,
                                                                   VK_ERROR_OUT_OF_HOST_MEMORY);
      const FailingCall<&VolkDeviceTable::vkGetFenceStatus> status(device, fence_status);
      for (int attempt = 0; attempt < 2; ++attempt) {
        const auto outputs = run(**program, network, inputs);
        ASSERT_FALSE(outputs);
        EXPECT_EQ(outputs.error().code, ErrorCode::kDeviceLost);
        EXPECT_THAT(outputs.error().message, ::testing::HasSubstr("vkWaitForFences"));
      }
    }
    context->reset();
    EXPECT_FALSE(observed.expired()) << "freed what the device may still write to";
  }
}

TEST_F(Runtime, ProgramsOfADeviceLostWhileRunningStayDeadAndAreFreed) {
  const Network network = testing::one_table();
  auto context = open_context(0, {});
  ASSERT_TRUE(context);
  const std::weak_ptr<DeviceContext> observed = *context;
  {
    auto program = VulkanProgram::create(*context, network.graph, network.plans);
    ASSERT_TRUE(program);
    const std::vector<Bytes> inputs = network.random_inputs(5);
    const FailingCall<&VolkDeviceTable::vkGetFenceStatus> status(*(*context)->device,
                                                                 VK_ERROR_DEVICE_LOST);
    {
      const FailingCall<&VolkDeviceTable::vkWaitForFences> waiting(*(*context)->device,
                                                                   VK_ERROR_DEVICE_LOST);
      EXPECT_FALSE(run(**program, network, inputs));
    }
    const auto outputs = run(**program, network, inputs);
    ASSERT_FALSE(outputs);
    EXPECT_EQ(outputs.error().code, ErrorCode::kDeviceLost);
    // What was submitted is real here, and must be done before its memory goes.
    (*context)->device->functions().vkDeviceWaitIdle((*context)->device->get());
  }
  context->reset();
  EXPECT_TRUE(observed.expired());
}

// The first device whose memory is the host's, as if its mapped memory were not coherent.
std::shared_ptr<DeviceContext> open_without_coherence() {
  const auto instance = Instance::shared();
  auto devices = find_physical_devices(**instance).value();
  for (PhysicalDevice& physical : devices) {
    const Capabilities capabilities = physical.capabilities;
    if (capabilities.unified_memory) {
      for (VkMemoryType& type : physical.memory.memoryTypes) {
        type.propertyFlags &= ~VkMemoryPropertyFlags{VK_MEMORY_PROPERTY_HOST_COHERENT_BIT};
      }
      auto device = LogicalDevice::create(*instance, std::move(physical), capabilities);
      return std::make_shared<DeviceContext>(std::move(device.value()), DeviceOptions{});
    }
  }
  return nullptr;
}

TEST_F(Runtime, MemoryThatIsNotCoherentIsFlushedAndInvalidated) {
  const auto context = open_without_coherence();
  if (context == nullptr) {
    GTEST_SKIP() << "no device with unified memory";
  }
  // Without constants, so that only the border is mapped.
  Network network;
  network.graph.outputs = {network.stack(network.input({4, 3}), network.input({2, 3}))};
  using Table = VolkDeviceTable;
  {
    // What the host wrote to new memory must not land on the device's results later.
    const FailingCall<&Table::vkFlushMappedMemoryRanges> flushing(*context->device,
                                                                  VK_ERROR_OUT_OF_HOST_MEMORY);
    EXPECT_FALSE(VulkanProgram::create(context, network.graph, network.plans));
  }
  const auto program = VulkanProgram::create(context, network.graph, network.plans);
  ASSERT_TRUE(program) << program.error().message;
  const std::vector<Bytes> inputs = network.random_inputs(5);
  {
    const FailingCall<&Table::vkFlushMappedMemoryRanges> flushing(*context->device,
                                                                  VK_ERROR_OUT_OF_HOST_MEMORY);
    EXPECT_FALSE(run(**program, network, inputs));
  }
  {
    const FailingCall<&Table::vkInvalidateMappedMemoryRanges> invalidating(
        *context->device, VK_ERROR_OUT_OF_HOST_MEMORY);
    EXPECT_FALSE(run(**program, network, inputs));
  }
  const auto outputs = run(**program, network, inputs);
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(*outputs, network.expected(inputs));
}

class Checks : public ::testing::Test {
 protected:
  Checks() { network_.graph.outputs = {network_.table(network_.input({4, 3}), 3, 1)}; }
  Status tensors() const {
    return check_tensors(network_.graph, network_.graph.operators[0], Capabilities{});
  }
  Status plan() const {
    return check_plan(network_.plans[0], network_.graph.operators[0], Capabilities{});
  }
  static void expect(const Status& status, ErrorCode code, const char* part) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, code);
    EXPECT_THAT(status.error().message, ::testing::HasSubstr(part));
  }
  Network network_;
};

TEST_F(Checks, AcceptTheOrdinary) {
  EXPECT_TRUE(tensors());
  EXPECT_TRUE(plan());
}

TEST_F(Checks, RefuseTensorsTheDeviceDoesNotHold) {
  network_.graph.tensors[0].type = DataType::kFloat32;
  expect(tensors(), ErrorCode::kUnsupported, "float32");
  network_.graph.tensors[0].type = DataType::kInt8;
  network_.graph.tensors[0].shape = {0, 3};
  expect(tensors(), ErrorCode::kUnsupported, "'t0'");
  network_.graph.tensors[0].shape = {4, 3};
  network_.graph.tensors[1].shape = {1 << 16, 1 << 14};
  expect(tensors(), ErrorCode::kUnsupported, "'t1'");
}

TEST_F(Checks, AcceptInt32OnlyWhereAConvolutionStoresAccumulators) {
  LoweredGraph graph = network_.graph;
  graph.tensors[0].type = DataType::kInt32;
  graph.tensors[1].type = DataType::kInt32;
  EXPECT_TRUE(check_tensor(graph, 0, Capabilities{}));
  expect(check_tensors(graph, graph.operators[0], Capabilities{}), ErrorCode::kUnsupported,
         "'t0' is int32, not int8");
  graph.tensors[0].type = DataType::kInt8;
  expect(check_tensors(graph, graph.operators[0], Capabilities{}), ErrorCode::kUnsupported,
         "'t1' is int32, not int8");

  graph::LoweredConvolution convolution;
  convolution.input = 0;
  convolution.output = 1;
  graph.operators[0].operation = convolution;
  expect(check_tensors(graph, graph.operators[0], Capabilities{}), ErrorCode::kUnsupported,
         "'t1' is int32, not int8");
  convolution.output_stage.stores_accumulators = true;
  graph.operators[0].operation = convolution;
  EXPECT_TRUE(check_tensors(graph, graph.operators[0], Capabilities{}));
  graph.tensors[1].type = DataType::kInt8;
  expect(check_tensors(graph, graph.operators[0], Capabilities{}), ErrorCode::kUnsupported,
         "'t1' is int8, not int32");
}

TEST_F(Checks, CountWholeUnitsOf16BytesAsTheyAreBound) {
  Capabilities capabilities;
  capabilities.max_storage_buffer_range = 20;
  network_.graph.tensors[1].shape = {5, 1};
  expect(check_tensors(network_.graph, network_.graph.operators[0], capabilities),
         ErrorCode::kUnsupported, "'t1'");
  network_.plans[0].constants[0].resize(20);
  expect(check_plan(network_.plans[0], network_.graph.operators[0], capabilities),
         ErrorCode::kUnsupported, "constant block");
  capabilities.max_storage_buffer_range = 32;
  EXPECT_TRUE(check_tensors(network_.graph, network_.graph.operators[0], capabilities));
  EXPECT_TRUE(check_plan(network_.plans[0], network_.graph.operators[0], capabilities));
}

TEST_F(Checks, RefuseMoreElementsThanIndicesCanCount) {
  Capabilities capabilities;
  capabilities.max_storage_buffer_range = 0xffffffff;
  network_.graph.tensors[1].shape = {1 << 15, 1 << 16};
  expect(check_tensors(network_.graph, network_.graph.operators[0], capabilities),
         ErrorCode::kUnsupported, "'t1'");
}

TEST_F(Checks, RefusePlansBeyondTheDeviceOrTheOperator) {
  Dispatch& dispatch = network_.plans[0].dispatches[0];
  const Dispatch good = dispatch;
  dispatch.workgroups = {1, 0, 1};
  expect(plan(), ErrorCode::kInternal, "empty");
  dispatch.workgroups = {1, 70000, 1};
  expect(plan(), ErrorCode::kUnsupported, "70000");
  dispatch = good;
  dispatch.push_constants.resize(33);
  expect(plan(), ErrorCode::kInternal, "push constants");
  dispatch = good;
  dispatch.inputs[1].index = 1;
  expect(plan(), ErrorCode::kInternal, "constant");
  dispatch = good;
  dispatch.inputs[0].index = 1;
  expect(plan(), ErrorCode::kInternal, "not an input");
  dispatch = good;
  dispatch.output = tensor_binding(0);
  expect(plan(), ErrorCode::kInternal, "output");
  dispatch = good;
  dispatch.inputs.resize(4, tensor_binding(0));
  expect(plan(), ErrorCode::kInternal, "bindings");
}

}  // namespace
}  // namespace lockstep::backend::vulkan
