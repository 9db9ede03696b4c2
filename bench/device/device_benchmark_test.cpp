// Every form of multiplying and adding on every device, and that a wrong sum would be seen.
#include "bench/device/device_benchmark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/cpu/isa.h"
#include "backend/registry.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "bench/device/device_cooperative_matrix.h"
#include "bench/device/device_layers.h"
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
    const auto benchmark = run_device_benchmark(std::to_string(index), {}, tiny(""), kSilence);
    ASSERT_TRUE(benchmark) << benchmark.error().message;
    SCOPED_TRACE(benchmark->device.name);
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
    const auto gemm =
        std::ranges::find(benchmark->measurements, "gemm/512", &DeviceMeasurement::name);
    ASSERT_NE(gemm, benchmark->measurements.end());
    EXPECT_DOUBLE_EQ(gemm->percent_of_peak, 100 * gemm->value / benchmark->roofline.peak_gops);
  }
}

TEST(DeviceBenchmark, FormsThatTheMaskHidesSayWhy) {
  const auto devices = vulkan_devices();
  if (devices.empty()) GTEST_SKIP() << "no Vulkan device";
  const auto benchmark = run_device_benchmark(
      std::to_string(devices.back()), {.mask = "int-dot,timestamps"}, tiny("dot"), kSilence);
  ASSERT_TRUE(benchmark) << benchmark.error().message;
  ASSERT_EQ(benchmark->measurements.size(), 2u);
  for (const DeviceMeasurement& each : benchmark->measurements) {
    EXPECT_THAT(each.unavailable, HasSubstr("no integer dot product")) << each.name;
  }
  EXPECT_THAT(benchmark->clock, HasSubstr("no timestamps"));
  EXPECT_FALSE(benchmark->roofline.is_known());
}

TEST(DeviceBenchmark, AFilterThatLeavesNothingIsAnError) {
  const auto benchmark = run_device_benchmark("ref", {}, tiny("teleport"), kSilence);
  ASSERT_FALSE(benchmark);
  EXPECT_THAT(benchmark.error().message, HasSubstr("teleport"));
}

TEST(DeviceBenchmark, TheReferenceHasNothingToMeasureBelowLayers) {
  const auto benchmark = run_device_benchmark("ref", {}, tiny(""), kSilence);
  ASSERT_TRUE(benchmark) << benchmark.error().message;
  ASSERT_EQ(benchmark->measurements.size(), 2u);
  EXPECT_EQ(benchmark->measurements[0].name, "gemm/512");
  EXPECT_EQ(benchmark->measurements[1].name, "depthwise/3x3");
  for (const DeviceMeasurement& each : benchmark->measurements) {
    EXPECT_GT(each.value, 0) << each.name;
    EXPECT_EQ(each.percent_of_peak, 0) << each.name;
  }
  const auto roofline = quick_roofline("ref", {});
  ASSERT_TRUE(roofline);
  EXPECT_FALSE(roofline->is_known());
}

TEST(DeviceBenchmark, TheProcessorReachesAPartOfItsPeakWithEachInstructionSet) {
  const auto listed = backend::list_devices();
  const auto cpu = std::ranges::find(listed, "cpu", &backend::DeviceDescription::backend);
  if (cpu == listed.end()) GTEST_SKIP() << "no processor";
  const auto benchmark =
      run_device_benchmark("cpu", {}, tiny("multiply-add|memory|gemm"), kSilence);
  ASSERT_TRUE(benchmark) << benchmark.error().message;
  EXPECT_TRUE(benchmark->roofline.is_known());
  for (const backend::cpu::Isa isa : backend::cpu::executable_isas()) {
    const std::string name = fmt::format("gemm/512-{}", backend::cpu::isa_name(isa));
    const auto gemm = std::ranges::find(benchmark->measurements, name, &DeviceMeasurement::name);
    ASSERT_NE(gemm, benchmark->measurements.end()) << name;
    EXPECT_EQ(gemm->unavailable, "") << name;
    EXPECT_GT(gemm->percent_of_peak, 0) << name;
  }
}

class DeviceLayers : public testing::Test {
 protected:
  static Result<std::vector<DeviceMeasurement>> measure_layers(
      std::vector<LayerContender> contenders) {
    return measure_device_layers(contenders, {.minimum_seconds = 1e-4, .repetitions = 1},
                                 [](const std::string& name) { return name.starts_with("gemm"); });
  }
  static Result<std::shared_ptr<backend::Device>> open_reference() {
    return backend::open_device("ref", {});
  }
};

TEST_F(DeviceLayers, EachContenderIsComparedWithItsOwnPeak) {
  const auto layers = measure_layers({{"-a", open_reference, 10}, {"-b", open_reference, 20}});
  ASSERT_TRUE(layers) << layers.error().message;
  ASSERT_EQ(layers->size(), 2u);
  EXPECT_EQ((*layers)[0].name, "gemm/512-a");
  EXPECT_DOUBLE_EQ((*layers)[0].percent_of_peak, 100 * (*layers)[0].value / 10);
  EXPECT_EQ((*layers)[1].name, "gemm/512-b");
  EXPECT_DOUBLE_EQ((*layers)[1].percent_of_peak, 100 * (*layers)[1].value / 20);
}

TEST_F(DeviceLayers, WhoCannotBeOpenedSaysWhyAndWhoIsLostFails) {
  const auto fail = [](ErrorCode code) {
    return [code]() -> Result<std::shared_ptr<backend::Device>> {
      return make_error(code, "not today");
    };
  };
  const auto layers = measure_layers({{"", fail(ErrorCode::kUnsupported), 10}});
  ASSERT_TRUE(layers) << layers.error().message;
  EXPECT_EQ(layers->at(0).unavailable, "not today");
  const auto lost = measure_layers({{"", fail(ErrorCode::kDeviceLost), 10}});
  ASSERT_FALSE(lost);
  EXPECT_THAT(lost.error().message, HasSubstr("gemm/512: not today"));
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
