// A kernel whose work grows with a number of steps, as long as the device needs to be measured.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "backend/vulkan/memory.h"
#include "bench/device/micro_kernel.h"
#include "graph/status.h"

namespace lockstep::bench {

struct SteppedKernel {
  std::string name;
  double multiply_adds_of_step = 0;  // of one workgroup
  uint32_t workgroups = 0;
  uint32_t steps = 0;
  backend::vulkan::Buffer operands;
  backend::vulkan::Buffer sums;  // host memory
  std::unique_ptr<MicroKernel> kernel;
  std::unique_ptr<TimedCommands> commands;
  // Whether the sums of the last run are right; kInternal where they are not.
  std::function<Status(const SteppedKernel&)> check;

  double multiply_adds() const { return multiply_adds_of_step * workgroups * steps; }
};

// Records as many workgroups as keep the device busy, then as many steps as a run needs to take
// `target_seconds`. The kernel's first push constant is the number of steps, the second, if there
// is one, 0. `most_workgroups`: as many as the sums have room for.
Status calibrate(const backend::vulkan::LogicalDevice& device, uint32_t most_workgroups,
                 double target_seconds, SteppedKernel& kernel);

}  // namespace lockstep::bench
