#include "backend/vulkan/quirks.h"

#include <algorithm>

namespace lockstep::backend::vulkan {

namespace {

// The bits of a range that such drivers look at, and the least that sets one of them.
constexpr uint64_t kLastLevelBits = 0xff00;
constexpr uint64_t kLastLevelUnit = 0x100;

}  // namespace

Quirks quirks_of(VkDriverId driver_id) {
  Quirks quirks;
  // Measured: 80 to 240 ms at the first dispatch of each pipeline.
  quirks.compiles_at_first_dispatch = driver_id == VK_DRIVER_ID_MESA_LLVMPIPE;
  // Read in Mesa 22.3 (level_zero_only in lp_bld_sample.c): code is generated for the bits of the
  // range that would be a texture's last mip level. Measured: SSD MobileNetV2's two most expensive
  // pipelines were compiled twice, and once more at the second start.
  quirks.compiles_again_for_texel_ranges = driver_id == VK_DRIVER_ID_MESA_LLVMPIPE;
  // Measured with Mesa 22.3: wrong sums from 65,536 iterations on, counted over all loops of an
  // invocation.
  if (driver_id == VK_DRIVER_ID_MESA_LLVMPIPE) {
    quirks.max_loop_iterations = 65'535;
  }
  // Reported for the proprietary driver on GCN to RDNA2; newer devices have the same driver id, and
  // exactness goes before speed.
  quirks.wrong_integer_dot_product = driver_id == VK_DRIVER_ID_AMD_PROPRIETARY;
  return quirks;
}

uint64_t texel_range(const Quirks& quirks, uint64_t bytes) {
  const bool is_odd_one_out =
      quirks.compiles_again_for_texel_ranges && (bytes & kLastLevelBits) == 0;
  return is_odd_one_out ? bytes + kLastLevelUnit : bytes;
}

uint64_t texel_range_slack(const Quirks& quirks) {
  return quirks.compiles_again_for_texel_ranges ? kLastLevelUnit : 0;
}

void apply_quirks(const Quirks& quirks, Capabilities& capabilities) {
  capabilities.max_loop_iterations =
      std::min(capabilities.max_loop_iterations, quirks.max_loop_iterations);
  if (quirks.wrong_integer_dot_product) {
    capabilities.integer_dot_product = false;
    capabilities.integer_dot_product_accelerated = false;
  }
}

}  // namespace lockstep::backend::vulkan
