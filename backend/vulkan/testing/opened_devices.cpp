#include "backend/vulkan/testing/opened_devices.h"

#include <gtest/gtest.h>

#include "backend/vulkan/vulkan_backend.h"

namespace lockstep::backend::vulkan::testing {

std::vector<OpenedDevice> open_every_device(std::span<const char* const> masks) {
  std::vector<OpenedDevice> opened;
  const auto loaded_drivers = keep_drivers_loaded();
  const auto listed = list_devices().value_or(std::vector<DeviceDescription>{});
  for (size_t i = 0; i < listed.size(); ++i) {
    for (const char* mask : masks) {
      auto device = open_device(i, {.mask = mask, .cache_dir = ""});
      EXPECT_TRUE(device) << device.error().message;
      if (device) {
        opened.push_back({listed[i].name + ", mask '" + mask + "'", std::move(*device), mask});
      }
    }
  }
  return opened;
}

const std::vector<OpenedDevice>& whole_and_masked_devices() {
  static const std::vector<OpenedDevice> opened = [] {
    const char* const masks[] = {"", "all"};
    return open_every_device(masks);
  }();
  return opened;
}

std::set<std::string> kernels_of(const Device& device, const graph::LoweredGraph& graph) {
  std::set<std::string> names{""};
  for (const graph::LoweredOperator& op : graph.operators) {
    const auto kernels = device.kernels(graph, op);
    EXPECT_TRUE(kernels) << kernels.error().message;
    names.insert(kernels->begin(), kernels->end());
  }
  return names;
}

}  // namespace lockstep::backend::vulkan::testing
