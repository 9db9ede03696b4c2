// The shaders' arithmetic (shaders/requantization.glsl) against the header it mirrors, on every
// device: scale_accumulator at ties, at the ends of int32 and of every scale, where no network
// would take it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <random>

#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/program.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "backend/vulkan/vulkan_backend.h"
#include "numerics/requantization.h"

namespace lockstep::backend::vulkan {
namespace {

using numerics::ChannelScale;
using numerics::Rounding;

const auto* const kValidation = vulkan::testing::fail_on_validation_messages();

struct Case {
  int32_t accumulator;
  ChannelScale scale;
};

std::vector<ChannelScale> scales_at_extremes(Rounding rounding) {
  std::vector<ChannelScale> scales{{0, 0}};
  if (rounding == Rounding::kFloat32TiesEven) {
    for (int32_t exponent = -149; exponent <= 104; exponent += 3) {
      for (const int32_t mantissa : {0x800000, 0x800001, 0xaaaaab, 0xffffff}) {
        scales.push_back({mantissa, exponent});
      }
    }
    return scales;
  }
  const int32_t largest_shift = rounding == Rounding::kSingle ? 30 : 31;
  for (int32_t shift = -31; shift <= largest_shift; ++shift) {
    for (const int32_t multiplier : {1 << 30, (1 << 30) + 1, 0x55555555, 0x7fffffff}) {
      scales.push_back({multiplier, shift});
    }
  }
  return scales;
}

std::vector<int32_t> accumulators_at_extremes() {
  std::vector<int32_t> accumulators;
  for (int32_t near_zero = -20; near_zero <= 20; ++near_zero) {
    accumulators.push_back(near_zero);
  }
  for (int exponent = 5; exponent < 32; ++exponent) {
    for (const int64_t delta : {-1, 0, 1}) {
      const int64_t value = (int64_t{1} << exponent) + delta;
      for (const int64_t signed_value : {value, -value}) {
        accumulators.push_back(static_cast<int32_t>(
            std::clamp<int64_t>(signed_value, std::numeric_limits<int32_t>::min(),
                                std::numeric_limits<int32_t>::max())));
      }
    }
  }
  return accumulators;
}

std::vector<Case> cases_of(Rounding rounding) {
  std::vector<Case> cases;
  for (const ChannelScale scale : scales_at_extremes(rounding)) {
    for (const int32_t accumulator : accumulators_at_extremes()) {
      cases.push_back({accumulator, scale});
    }
  }
  // Beside every half way point of an int8 output, for scales as networks have them.
  for (const double real : {0.5, 0.25, 0.3, 1.0 / 3.0, 1.0 / 128.0, 0.00217, 1.0, 1.7}) {
    const ChannelScale scale = numerics::channel_scale(real, rounding);
    for (int32_t output = -130; output <= 130; ++output) {
      const auto tie = static_cast<int32_t>(std::lrint((output + 0.5) / real));
      for (int32_t accumulator = tie - 2; accumulator <= tie + 2; ++accumulator) {
        cases.push_back({accumulator, scale});
      }
    }
  }
  std::mt19937 random(17);
  std::uniform_real_distribution<double> exponents(-16.0, 2.0);
  for (int i = 0; i < 50'000; ++i) {
    const auto word = static_cast<int32_t>(random());
    cases.push_back(
        {word >> (random() % 24), numerics::channel_scale(std::exp2(exponents(random)), rounding)});
  }
  // Whole rows of 16 bytes.
  while (cases.size() % 4 != 0) {
    cases.push_back({0, {0, 0}});
  }
  return cases;
}

// Those whose accumulators are small enough for a NarrowScale.
std::vector<Case> narrow_cases(std::span<const Case> cases, Rounding rounding) {
  std::vector<Case> narrow;
  std::ranges::copy_if(cases, std::back_inserter(narrow), [&](const Case& each) {
    return numerics::is_narrow(each.scale, rounding, std::abs(int64_t{each.accumulator}));
  });
  narrow.resize(narrow.size() / 4 * 4);  // whole rows of 16 bytes
  return narrow;
}

// A program of one dispatch of the probe with specialization constant `end`, dressed as an operator
// from the accumulators' bytes to the results'.
Result<std::vector<int32_t>> scale_on_device(const std::shared_ptr<DeviceContext>& context,
                                             std::span<const Case> cases, uint32_t end) {
  std::vector<int32_t> accumulators;
  std::vector<ChannelScale> scales;
  for (const Case& each : cases) {
    accumulators.push_back(each.accumulator);
    scales.push_back(each.scale);
  }
  const auto count = static_cast<uint32_t>(cases.size());
  const auto bytes = static_cast<int32_t>(cases.size() * sizeof(int32_t));
  graph::LoweredGraph graph;
  graph.name = "probe";
  graph.tensors = {{"accumulators", graph::DataType::kInt8, {bytes}, {}},
                   {"results", graph::DataType::kInt8, {bytes}, {}}};
  graph.operators = {{"PROBE", 0, graph::LoweredTable{0, 1, {}}}};
  graph.inputs = {0};
  graph.outputs = {1};

  KernelPlan plan;
  plan.variant = "probe";
  Dispatch dispatch;
  dispatch.shader = "requantization_probe";
  dispatch.specialization = {end};
  dispatch.push_constants = push_constants(count);
  dispatch.inputs = {tensor_binding(0), add_constant(plan, std::span<const ChannelScale>(scales))};
  dispatch.output = tensor_binding(1);
  // Few columns, so that the workgroups fold into many rows.
  Capabilities capabilities = context->device->capabilities();
  capabilities.max_workgroup_count[0] = 7;
  if (Status status = size_dispatch(capabilities, count, dispatch); !status) {
    return tl::unexpected(status.error());
  }
  plan.dispatches.push_back(std::move(dispatch));
  const auto program = VulkanProgram::create(context, graph, std::span(&plan, 1));
  if (!program) {
    return tl::unexpected(program.error());
  }
  std::vector<int32_t> results(cases.size());
  const std::span<const std::byte> input = std::as_bytes(std::span(accumulators));
  const std::span<std::byte> output = std::as_writable_bytes(std::span(results));
  if (Status status = (*program)->run(std::span(&input, 1), std::span(&output, 1)); !status) {
    return tl::unexpected(status.error());
  }
  return results;
}

class RequantizationShader : public ::testing::TestWithParam<Rounding> {
 protected:
  static void expect_equal_on_every_device(std::span<const Case> cases, uint32_t end) {
    const auto listed = list_devices();
    if (!listed || listed->empty()) {
      GTEST_SKIP() << "no Vulkan device";
    }
    for (size_t device = 0; device < listed->size(); ++device) {
      SCOPED_TRACE((*listed)[device].name);
      const auto context = open_context(device, {.mask = "all", .cache_dir = ""});
      ASSERT_TRUE(context) << context.error().message;
      const auto results = scale_on_device(*context, cases, end);
      ASSERT_TRUE(results) << results.error().message;
      for (size_t i = 0; i < cases.size(); ++i) {
        ASSERT_EQ((*results)[i],
                  numerics::scale_accumulator(cases[i].accumulator, cases[i].scale, GetParam()))
            << cases[i].accumulator << " * (" << cases[i].scale.multiplier << ", "
            << cases[i].scale.shift << ")";
      }
    }
  }
};

TEST_P(RequantizationShader, EqualsTheHeaderItMirrorsOnEveryDevice) {
  expect_equal_on_every_device(cases_of(GetParam()), static_cast<uint32_t>(GetParam()));
}

class NarrowRequantizationShader : public RequantizationShader {};

TEST_P(NarrowRequantizationShader, EqualsTheHeaderForSmallAccumulators) {
  const std::vector<Case> cases = narrow_cases(cases_of(GetParam()), GetParam());
  ASSERT_GT(cases.size(), 10'000u);
  expect_equal_on_every_device(cases, static_cast<uint32_t>(GetParam()) + kNarrow);
}

std::string name_of(const ::testing::TestParamInfo<Rounding>& instance) {
  return std::string(numerics::rounding_name(instance.param));
}

INSTANTIATE_TEST_SUITE_P(Roundings, RequantizationShader,
                         ::testing::ValuesIn(numerics::kAllRoundings), name_of);
INSTANTIATE_TEST_SUITE_P(IntegerRoundings, NarrowRequantizationShader,
                         ::testing::Values(Rounding::kDoubleTiesUp, Rounding::kDoubleTiesAway,
                                           Rounding::kSingle),
                         name_of);

}  // namespace
}  // namespace lockstep::backend::vulkan
