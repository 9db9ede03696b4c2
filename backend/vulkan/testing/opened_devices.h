// Every device of this machine, opened for tests that compare what all of them compute.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"

namespace lockstep::backend::vulkan::testing {

struct OpenedDevice {
  std::string name;  // with its mask, for messages
  std::shared_ptr<Device> device;
  std::string mask{};
};

// Every Vulkan device under each of `masks` (DeviceOptions::mask), without files of its own; empty
// where there is none. One that cannot be opened fails the test. Starting a driver takes longer
// than most tests, so a test program keeps what it gets.
std::vector<OpenedDevice> open_every_device(std::span<const char* const> masks);

// Every device as it is and with everything optional hidden, opened when it is first asked for.
const std::vector<OpenedDevice>& whole_and_masked_devices();

// Every name that some operator of the graph has a kernel of; the empty one, for the device's
// choice, first.
std::set<std::string> kernels_of(const Device& device, const graph::LoweredGraph& graph);

}  // namespace lockstep::backend::vulkan::testing
