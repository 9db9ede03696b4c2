// What every kernel family does alike: constant blocks, push constants, sizes of dispatches.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {

inline constexpr int32_t kWordBytes = 4;   // channels of a word
inline constexpr int32_t kUnitBytes = 16;  // channels of a uvec4

template <std::integral T>
constexpr T divide_up(T value, T divisor) {
  return (value + divisor - 1) / divisor;
}

// Words of a row that hold channels.
constexpr uint32_t row_words(const TensorLayout& layout) {
  return static_cast<uint32_t>(divide_up(layout.channels, kWordBytes));
}

// What shaders divide by `divisor` with: see division.glsl. Precondition: 1 <= divisor < 2^31; 1 is
// not divided by.
constexpr uint32_t division_multiplier(uint32_t divisor) {
  const uint32_t logarithm = static_cast<uint32_t>(std::bit_width(divisor - 1));
  return static_cast<uint32_t>((uint64_t{1} << (31 + logarithm)) / divisor + 1);
}

// From the start of a row to the next, in words of four 8-bit channels. Kernels that store
// accumulators number their output alike and write four words for each.
constexpr uint32_t stride_words(const TensorLayout& layout) {
  return static_cast<uint32_t>(layout.channel_stride / (kWordBytes * layout.element_bytes));
}

// Specialization constant 1 of the convolutions: how their accumulators end, which is a
// numerics::Rounding, one + kNarrow, or kStoreAccumulators of requantization.glsl.
constexpr uint32_t kStoreAccumulators = 4;
constexpr uint32_t kNarrow = 8;

// For any accumulators.
constexpr uint32_t end_constant(const graph::OutputStage& stage) {
  return stage.stores_accumulators ? kStoreAccumulators : static_cast<uint32_t>(stage.rounding);
}

// `bounds`: what no |accumulator| of a channel exceeds.
uint32_t end_constant(const graph::OutputStage& stage, std::span<const int64_t> bounds);

// A channel's scale as kernels take it; accumulators that are stored have none.
inline numerics::ChannelScale scale_of(const graph::OutputStage& stage, size_t channel) {
  return stage.stores_accumulators ? numerics::ChannelScale{} : stage.scales[channel];
}

// A word of four equal bytes.
constexpr uint32_t replicate(int32_t value) {
  return static_cast<uint32_t>(value & 0xff) * 0x01010101u;
}

// A push constant block, in the order of the shader's declaration; every number one word, negative
// ones in two's complement.
template <typename... Numbers>
std::vector<uint32_t> push_constants(Numbers... numbers) {
  return {static_cast<uint32_t>(numbers)...};
}

// Appends a constant block to the plan.
template <typename Element>
Binding add_constant(KernelPlan& plan, std::span<const Element> contents) {
  const auto bytes = std::as_bytes(contents);
  plan.constants.emplace_back(bytes.begin(), bytes.end());
  return {Binding::Kind::kConstant, static_cast<int32_t>(plan.constants.size() - 1)};
}

inline Binding tensor_binding(int32_t tensor) { return {Binding::Kind::kTensor, tensor}; }

// The table of shaders compiled with TABLE: one word for each of the 256 entries.
Binding add_table(KernelPlan& plan, std::span<const int8_t> table);

// A way to compute an operator, and the name it is known by.
struct Alternative {
  std::string name;
  std::function<Result<KernelPlan>()> plan;  // leaves KernelPlan::variant and ::kernels to others
  // Of one invocation: an upper bound of the iterations of all its loops together. Loops that are
  // always short (over the lanes of a word, say) need not count.
  int64_t loop_iterations = 0;
};

// Whether the device carries out so many iterations; short loops have a share of their own.
bool carries_out(const Capabilities& capabilities, int64_t loop_iterations);

// Of `alternatives`, best first, the one that context.kernel names, or the first one where none has
// that name. Those that loop too often for the device do not count; null where none is left.
const Alternative* choose(const PlanContext& context, std::span<const Alternative> alternatives);

// The plan of the one that choose() chooses; kUnsupported where there is none.
Result<KernelPlan> plan_one_of(const PlanContext& context,
                               std::span<const Alternative> alternatives);

// Fills in how many workgroups `invocations` need, and their size as specialization constant 0.
// Workgroups fill x first and go on in y, as invocation.glsl numbers them. kUnsupported when that
// exceeds the device.
Status size_dispatch(const Capabilities& capabilities, uint64_t invocations, Dispatch& dispatch);

// Sizes the dispatch and appends it to the plan. Fails as size_dispatch() does.
Status add_dispatch(const PlanContext& context, uint64_t invocations, Dispatch dispatch,
                    KernelPlan& plan);

// The same as the end of a plan.
Result<KernelPlan> with_dispatch(const PlanContext& context, uint64_t invocations,
                                 Dispatch dispatch, KernelPlan plan);

}  // namespace lockstep::backend::vulkan
