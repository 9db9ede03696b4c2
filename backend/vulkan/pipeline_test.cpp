#include "backend/vulkan/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/vulkan/device_context.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "backend/vulkan/vulkan_backend.h"

namespace lockstep::backend::vulkan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

const auto* const kValidation = testing::fail_on_validation_messages();

// One input, one output, and as many push constants as every device has room for.
PipelineKey key_of(const std::string& shader, uint32_t invocations = 64) {
  return {shader,
          {invocations},
          {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER},
          128};
}

class Pipelines : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto devices = list_devices();
    if (!devices || devices->empty()) GTEST_SKIP() << "no Vulkan device";
    context_ = open_context(0, {}).value();
  }
  PipelineStore::OnReady note() {
    return [this](size_t key, const Pipeline& pipeline) {
      ready_.push_back(key);
      pipelines_[key] = pipeline.pipeline;
      EXPECT_NE(pipeline.pipeline, VK_NULL_HANDLE);
    };
  }

  std::shared_ptr<const void> drivers_ = keep_drivers_loaded();
  std::shared_ptr<DeviceContext> context_;
  std::vector<size_t> ready_;
  std::map<size_t, VkPipeline> pipelines_;
};

TEST_F(Pipelines, AreReadyOnceEachUnderTheirFirstKey) {
  const std::vector<PipelineKey> keys = {key_of("copy_bytes"), key_of("pad_bytes"),
                                         key_of("copy_bytes"), key_of("copy_rows"),
                                         key_of("copy_bytes", 32)};
  const auto made = context_->pipelines.get(keys, note()).value();
  EXPECT_THAT(ready_, UnorderedElementsAre(0, 1, 3, 4));
  ASSERT_EQ(made.size(), keys.size());
  EXPECT_EQ(made[0].pipeline, made[2].pipeline);
  EXPECT_NE(made[0].pipeline, made[4].pipeline);
  for (const size_t key : ready_) {
    EXPECT_EQ(pipelines_[key], made[key].pipeline);
  }
  EXPECT_THAT(context_->pipelines.set_layouts(keys).value(),
              ElementsAre(made[0].set_layout, made[1].set_layout, made[2].set_layout,
                          made[3].set_layout, made[4].set_layout));
}

TEST_F(Pipelines, ThatAreThereAlreadyAreReadyAgain) {
  const std::vector<PipelineKey> keys = {key_of("copy_bytes"), key_of("copy_rows")};
  const auto first = context_->pipelines.get(std::span(keys).first(1), note()).value();
  const auto second = context_->pipelines.get(keys, note()).value();
  EXPECT_THAT(ready_, ElementsAre(0, 0, 1));
  EXPECT_EQ(first[0].pipeline, second[0].pipeline);
}

TEST_F(Pipelines, ThatCannotBeMadeDoNotKeepOthersFromBeingReady) {
  const std::vector<PipelineKey> keys = {key_of("copy_bytes"), key_of("no_such_shader"),
                                         key_of("copy_rows")};
  const auto made = context_->pipelines.get(keys, note());
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("no_such_shader"));
  EXPECT_THAT(ready_, UnorderedElementsAre(0, 2));
}

}  // namespace
}  // namespace lockstep::backend::vulkan
