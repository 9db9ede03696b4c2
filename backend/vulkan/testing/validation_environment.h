// Makes a test program fail when the Vulkan validation layer had anything to say. One line in a
// test file registers it:
//   const auto* const kValidation = vulkan::testing::fail_on_validation_messages();
//
// Under the leak checker it also sets aside what the drivers and the layer themselves leave behind.
#pragma once

#include <gtest/gtest.h>

#include <iostream>
#include <memory>

#include "backend/vulkan/instance.h"

// Asked for by the leak checker's runtime; reports that touch these libraries are not ours.
extern "C" __attribute__((used, visibility("default"))) inline const char*
__lsan_default_suppressions() {
  return "leak:libvulkan\nleak:libVkLayer\nleak:libvk_swiftshader\nleak:libLLVM\n";
}

namespace lockstep::backend::vulkan::testing {

class ValidationEnvironment : public ::testing::Environment {
 public:
  // The drivers stay loaded until the process ends: some keep memory in globals, which a leak
  // checker cannot find any more once they are unloaded.
  void SetUp() override {
    static const auto* const drivers = new Result<std::shared_ptr<Instance>>(Instance::shared());
    static_cast<void>(drivers);
  }
  void TearDown() override {
    EXPECT_EQ(validation_error_count(), 0u) << "the messages are above, 'Vulkan validation: ...'";
    if (validation_state() == ValidationState::kLayerMissing) {
      std::cerr << "NOTE: validation was asked for, but the layer is not installed\n";
    }
  }
};

inline ::testing::Environment* fail_on_validation_messages() {
  return ::testing::AddGlobalTestEnvironment(new ValidationEnvironment());
}

}  // namespace lockstep::backend::vulkan::testing
