#include "backend/vulkan/quirks.h"

#include <algorithm>

namespace lockstep::backend::vulkan {

Quirks quirks_of(VkDriverId driver_id) {
  Quirks quirks;
  // Measured: 80 to 240 ms at the first dispatch of each pipeline.
  quirks.compiles_at_first_dispatch = driver_id == VK_DRIVER_ID_MESA_LLVMPIPE;
  // Measured with Mesa 22.3: wrong sums from 65,536 iterations on, counted over all loops of an
  // invocation.
  if (driver_id == VK_DRIVER_ID_MESA_LLVMPIPE) {
    quirks.max_loop_iterations = 65'535;
  }
  // Measured: convolutions of depth 32 are eight times as fast, and compile in a tenth of the time,
  // with constants in place of specialization constants.
  // Reported for the proprietary driver on GCN to RDNA2; newer devices have the same driver id, and
  // exactness goes before speed.
  quirks.wrong_integer_dot_product = driver_id == VK_DRIVER_ID_AMD_PROPRIETARY;
  return quirks;
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
