#include "backend/vulkan/device_class.h"

#include <gtest/gtest.h>

#include <set>

#include "backend/vulkan/capabilities.h"

namespace lockstep::backend::vulkan {
namespace {

constexpr VkPhysicalDeviceType kDiscrete = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
constexpr VkPhysicalDeviceType kIntegrated = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
constexpr VkPhysicalDeviceType kProcessor = VK_PHYSICAL_DEVICE_TYPE_CPU;

TEST(DeviceClass, NamesAreDistinctAndParse) {
  std::set<std::string_view> names;
  for (const DeviceClass device_class : kAllDeviceClasses) {
    EXPECT_TRUE(names.insert(device_class_name(device_class)).second);
    EXPECT_EQ(parse_device_class(device_class_name(device_class)), device_class);
  }
  EXPECT_EQ(parse_device_class("toaster"), std::nullopt);
}

TEST(DeviceClass, WhatRunsOnTheProcessorIsCpuLikeWhoeverMadeIt) {
  EXPECT_EQ(classify({kProcessor, 0x10005, VK_DRIVER_ID_MESA_LLVMPIPE}), DeviceClass::kCpuLike);
  EXPECT_EQ(classify({kProcessor, 0x1ae0, VK_DRIVER_ID_GOOGLE_SWIFTSHADER}), DeviceClass::kCpuLike);
  EXPECT_EQ(classify({kProcessor, 0x8086, {}}), DeviceClass::kCpuLike);
}

TEST(DeviceClass, VendorsAreKnownWhateverTheirDriver) {
  EXPECT_EQ(classify({kDiscrete, 0x10de, VK_DRIVER_ID_NVIDIA_PROPRIETARY}), DeviceClass::kNvidia);
  EXPECT_EQ(classify({kDiscrete, 0x10de, {}}), DeviceClass::kNvidia);
  EXPECT_EQ(classify({kDiscrete, 0x1002, VK_DRIVER_ID_MESA_RADV}), DeviceClass::kAmd);
  EXPECT_EQ(classify({kIntegrated, 0x144d, {}}), DeviceClass::kAmd);
  EXPECT_EQ(classify({kIntegrated, 0x8086, {}}), DeviceClass::kIntel);
  EXPECT_EQ(classify({kIntegrated, 0x5143, {}}), DeviceClass::kAdreno);
  EXPECT_EQ(classify({kIntegrated, 0x13b5, {}}), DeviceClass::kMali);
  EXPECT_EQ(classify({kIntegrated, 0x1010, {}}), DeviceClass::kPowerVr);
  EXPECT_EQ(classify({kIntegrated, 0x106b, {}}), DeviceClass::kApple);
  // The vendor is the hardware; the driver may be a layer above it.
  EXPECT_EQ(classify({kDiscrete, 0x1002, VK_DRIVER_ID_MOLTENVK}), DeviceClass::kAmd);
}

TEST(DeviceClass, AnUnknownVendorIsToldByItsDriver) {
  EXPECT_EQ(classify({kIntegrated, 0x10005, VK_DRIVER_ID_MESA_TURNIP}), DeviceClass::kAdreno);
  EXPECT_EQ(classify({kIntegrated, 0x10005, static_cast<VkDriverId>(26)}), DeviceClass::kApple);
  EXPECT_EQ(classify({kIntegrated, 0x7777, {}}), DeviceClass::kUnknown);
}

TEST(DeviceClass, SharedMemoryIsNoHelpWhereItIsOrdinaryMemory) {
  EXPECT_FALSE(preferences_of(DeviceClass::kCpuLike).shared_memory_staging);
  EXPECT_FALSE(preferences_of(DeviceClass::kMali).shared_memory_staging);
  EXPECT_TRUE(preferences_of(DeviceClass::kNvidia).shared_memory_staging);
}

TEST(DeviceClass, AMaskMakesADeviceStandInForAnotherClass) {
  Capabilities capabilities;
  capabilities.device_class = DeviceClass::kCpuLike;
  ASSERT_TRUE(apply_mask("device-class=nvidia", capabilities));
  EXPECT_EQ(capabilities.device_class, DeviceClass::kNvidia);
  const Status unknown = apply_mask("device-class=toaster", capabilities);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("adreno"), std::string::npos);
  ASSERT_TRUE(apply_mask("all", capabilities));
  EXPECT_EQ(capabilities.device_class, DeviceClass::kUnknown);
}

}  // namespace
}  // namespace lockstep::backend::vulkan
