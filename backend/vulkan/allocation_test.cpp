// That runs do not allocate memory on the thread that asks for them. In a program of its own,
// because it replaces operator new.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "backend/vulkan/instance.h"
#include "backend/vulkan/program.h"
#include "backend/vulkan/testing/hand_made_networks.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "backend/vulkan/vulkan_backend.h"

namespace {
thread_local int allocations = 0;
}  // namespace

__attribute__((noinline)) void* operator new(size_t bytes) {
  ++allocations;
  void* const memory = std::malloc(bytes != 0 ? bytes : 1);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace lockstep::backend::vulkan {
namespace {

const auto* const kValidation = testing::fail_on_validation_messages();

using Allocation = testing::EveryDevice;

TEST_F(Allocation, RunsAllocateNothing) {
  if (validation_state() == ValidationState::kActive) {
    GTEST_SKIP() << "the validation layer allocates";
  }
  testing::Network network;
  network.graph.outputs = {network.table(network.table(network.input({9, 20}), 3, 1), 5, 2)};
  const std::vector<testing::Bytes> inputs = network.random_inputs(1);
  const std::vector<std::span<const std::byte>> input_spans(inputs.begin(), inputs.end());
  testing::OutputRoom outputs(network);
  for (const auto& context : contexts_) {
    SCOPED_TRACE(context->device->physical().description.name);
    for (const bool split_everywhere : {false, true}) {
      const auto program = VulkanProgram::create(context, network.graph, network.plans,
                                                 {.split_everywhere = split_everywhere});
      ASSERT_TRUE(program) << program.error().message;
      ASSERT_TRUE((*program)->run(input_spans, outputs.spans));
      const int before = allocations;
      const Status status = (*program)->run(input_spans, outputs.spans);
      EXPECT_EQ(allocations, before);
      EXPECT_TRUE(status);
      EXPECT_GT(before, 0) << "nothing was counted";
    }
  }
}

}  // namespace
}  // namespace lockstep::backend::vulkan
