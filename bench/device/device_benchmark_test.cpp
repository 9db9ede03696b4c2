// Every form of multiplying and adding on every device, and that a wrong sum would be seen.
#include "bench/device/device_benchmark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/registry.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "bench/device/device_cooperative_matrix.h"
#include "bench/device/multiply_add_form.h"

namespace lockstep::bench {
namespace {

using testing::HasSubstr;

const auto* const kValidation = backend::vulkan::testing::fail_on_validation_messages();

DeviceBenchmarkOptions tiny(const std::string& filter) {
  DeviceBenchmarkOptions options;
  options.filter = filter;
  options.quick = true;
  options.measure = {.minimum_seconds = 1e-4, .repetitions = 1};
  return options;
}

const Progress kSilence = [](const std::string&) {};

std::vector<size_t> vulkan_devices() {
  std::vector<size_t> indices;
  const auto listed = backend::list_devices();
  for (size_t i = 0; i < listed.size(); ++i) {
    if (listed[i].backend == "vulkan") indices.push_back(i);
  }
  return indices;
}

TEST(DeviceBenchmark, MeasuresEverythingOnEveryDevice) {
  const auto devices = vulkan_devices();
  if (devices.empty()) GTEST_SKIP() << "no Vulkan device";
  for (const size_t index : devices) {
    const auto context = open_vulkan_context(std::to_string(index), {});
    ASSERT_TRUE(context) << context.error().message;
    SCOPED_TRACE((*context)->device->physical().description.name);
    const auto benchmark = run_device_benchmark(*context, tiny(""), kSilence);
    ASSERT_TRUE(benchmark) << benchmark.error().message;
    size_t forms = 0;
    for (const DeviceMeasurement& each : benchmark->measurements) {
      forms += each.name.starts_with("multiply-add/") ? 1 : 0;
      if (!each.unavailable.empty()) continue;
      EXPECT_GT(each.value, 0) << each.name;
      EXPECT_GT(each.time.samples, 0u) << each.name;
    }
    // Cooperative matrices: one for each shape, or one that says there is none.
    EXPECT_GT(forms, kAllMultiplyAddForms.size());
    EXPECT_TRUE(benchmark->roofline.is_known());
  }
}

TEST(DeviceBenchmark, FormsThatTheMaskHidesSayWhy) {
  const auto devices = vulkan_devices();
  if (devices.empty()) GTEST_SKIP() << "no Vulkan device";
  const auto context =
      open_vulkan_context(std::to_string(devices.back()), {.mask = "int-dot,timestamps"});
  ASSERT_TRUE(context) << context.error().message;
  const auto benchmark = run_device_benchmark(*context, tiny("dot"), kSilence);
  ASSERT_TRUE(benchmark) << benchmark.error().message;
  ASSERT_EQ(benchmark->measurements.size(), 2u);
  for (const DeviceMeasurement& each : benchmark->measurements) {
    EXPECT_THAT(each.unavailable, HasSubstr("no integer dot product")) << each.name;
  }
  EXPECT_THAT(benchmark->clock, HasSubstr("no timestamps"));
  EXPECT_FALSE(benchmark->roofline.is_known());
}

TEST(DeviceBenchmark, AFilterThatLeavesNothingIsAnError) {
  const auto devices = vulkan_devices();
  if (devices.empty()) GTEST_SKIP() << "no Vulkan device";
  const auto context = open_vulkan_context(std::to_string(devices.back()), {});
  ASSERT_TRUE(context) << context.error().message;
  const auto benchmark = run_device_benchmark(*context, tiny("teleport"), kSilence);
  ASSERT_FALSE(benchmark);
  EXPECT_THAT(benchmark.error().message, HasSubstr("teleport"));
}

TEST(DeviceBenchmark, TheReferenceHasNothingToMeasureBelowLayers) {
  const auto context = open_vulkan_context("ref", {});
  ASSERT_FALSE(context);
  EXPECT_EQ(context.error().code, ErrorCode::kUnsupported);
  const auto roofline = quick_roofline("ref", {});
  ASSERT_TRUE(roofline);
  EXPECT_FALSE(roofline->is_known());
}

Seeds numbered_seeds() {
  Seeds seeds{};
  for (size_t i = 0; i < seeds.size(); ++i) seeds[i] = static_cast<uint32_t>(i * 0x85ebca6bu);
  return seeds;
}

TEST(MultiplyAddForm, OneStepByHand) {
  // All products are of the lowest bytes: 3 * 5 in every sum of forms with four operands each, and
  // four times that where 16 meet 4.
  Seeds seeds{};
  for (size_t i = 0; i < seeds.size(); ++i) seeds[i] = i < 16 ? 3 : 5;
  const auto hash_of = [](int32_t total) {
    uint32_t sum = 0;
    for (int i = 0; i < 16; ++i) sum = sum * 31 + static_cast<uint32_t>(total);
    return static_cast<int32_t>(sum);
  };
  EXPECT_EQ(expected_sum(MultiplyAddForm::kShifts, seeds, 0, 1), hash_of(15));
  EXPECT_EQ(expected_sum(MultiplyAddForm::kFloat32Unpack, seeds, 0, 1), hash_of(15));
  EXPECT_EQ(expected_sum(MultiplyAddForm::kDot, seeds, 0, 1), hash_of(60));
  EXPECT_EQ(expected_sum(MultiplyAddForm::kDotSaturating, seeds, 0, 1), hash_of(60));
  EXPECT_EQ(expected_sum(MultiplyAddForm::kFloat32, seeds, 0, 1), hash_of(60));
  // In the next step each number has moved on to its neighbour's place.
  EXPECT_EQ(expected_sum(MultiplyAddForm::kFloat32, seeds, 0, 2), hash_of(120));
  seeds[1] = 4;
  EXPECT_EQ(expected_sum(MultiplyAddForm::kFloat32, seeds, 0, 4), hash_of(3 * 60 + 80));
}

TEST(MultiplyAddForm, EveryStepAndInvocationCounts) {
  const Seeds seeds = numbered_seeds();
  for (const MultiplyAddForm form : kAllMultiplyAddForms) {
    SCOPED_TRACE(describe(form).name);
    const int32_t sum = expected_sum(form, seeds, 5, 300);
    EXPECT_NE(sum, expected_sum(form, seeds, 5, 299));
    EXPECT_NE(sum, expected_sum(form, seeds, 6, 300));
    Seeds other = seeds;
    other[3] ^= 1;
    EXPECT_NE(sum, expected_sum(form, other, 5, 300));
  }
}

TEST(CooperativeMatrix, SumsAreThoseOfASlowLoop) {
  const backend::vulkan::CooperativeMatrixShape shape{.rows = 3, .columns = 2, .depth = 4};
  const auto operands = matrix_operands(shape);
  constexpr size_t kLeftBytes = 3 * 4;
  constexpr size_t kRightBytes = 2 * 4;
  constexpr uint32_t kSteps = 300;  // more than the values of a byte
  const size_t set = 2 * kLeftBytes + 8 * kRightBytes;
  std::vector<int32_t> expected;
  for (size_t row = 0; row < 3; ++row) {
    for (size_t column = 0; column < 2; ++column) {
      uint32_t total = 0;
      for (size_t left = 0; left < 2; ++left) {
        for (size_t right = 0; right < 8; ++right) {
          int32_t sum = 0;
          for (uint32_t step = 0; step < kSteps; ++step) {
            for (size_t d = 0; d < 4; ++d) {
              const auto a = static_cast<int8_t>(static_cast<uint8_t>(
                  static_cast<unsigned>(operands[set + left * kLeftBytes + row * 4 + d]) + step));
              const auto b = static_cast<int8_t>(
                  operands[set + 2 * kLeftBytes + right * kRightBytes + column * 4 + d]);
              sum += a * b;
            }
          }
          total = 2 * total + static_cast<uint32_t>(sum);
        }
      }
      expected.push_back(static_cast<int32_t>(total));
    }
  }
  // Workgroup 5 takes set 1.
  EXPECT_EQ(expected_matrix(shape, operands, 5, kSteps), expected);
  EXPECT_NE(expected_matrix(shape, operands, 4, kSteps), expected);
}

}  // namespace
}  // namespace lockstep::bench
