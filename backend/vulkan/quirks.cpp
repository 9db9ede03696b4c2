#include "backend/vulkan/quirks.h"

namespace lockstep::backend::vulkan {

Quirks quirks_of(VkDriverId driver_id) {
  Quirks quirks;
  // Measured: 80 to 240 ms at the first dispatch of each pipeline.
  quirks.compiles_at_first_dispatch = driver_id == VK_DRIVER_ID_MESA_LLVMPIPE;
  // Reported for the proprietary driver on GCN to RDNA2; newer devices have the same driver id, and
  // exactness goes before speed.
  quirks.wrong_integer_dot_product = driver_id == VK_DRIVER_ID_AMD_PROPRIETARY;
  return quirks;
}

void apply_quirks(const Quirks& quirks, Capabilities& capabilities) {
  if (quirks.wrong_integer_dot_product) {
    capabilities.integer_dot_product = false;
    capabilities.integer_dot_product_accelerated = false;
  }
}

}  // namespace lockstep::backend::vulkan
