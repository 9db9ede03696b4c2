// Makes a test program fail when the Vulkan validation layer had anything to say. One line in a
// test file registers it:
//   const auto* const validation =
//   lockstep::backend::vulkan::testing::fail_on_validation_messages();
#pragma once

#include <gtest/gtest.h>

#include <iostream>

#include "backend/vulkan/instance.h"

namespace lockstep::backend::vulkan::testing {

class ValidationEnvironment : public ::testing::Environment {
 public:
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
