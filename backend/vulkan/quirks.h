// Everything this backend knows about particular drivers. A quirk names the driver, the fact and
// what is done about it; nothing elsewhere asks who made a device.
#pragma once

#include <volk.h>

#include <cstdint>
#include <limits>

#include "backend/vulkan/capabilities.h"

namespace lockstep::backend::vulkan {

struct Quirks {
  // The driver translates a pipeline to machine code at its first dispatch instead of at creation.
  // One workgroup of each is then dispatched while a program is compiled, so that the first run is
  // no slower than the others.
  bool compiles_at_first_dispatch = false;
  // An invocation leaves its loops after so many iterations, whatever their condition says.
  int64_t max_loop_iterations = std::numeric_limits<int64_t>::max();
  // Integer dot products are advertised but give wrong results.
  bool wrong_integer_dot_product = false;
};

// `driver_id` is 0 where the driver does not say.
Quirks quirks_of(VkDriverId driver_id);

void apply_quirks(const Quirks& quirks, Capabilities& capabilities);

}  // namespace lockstep::backend::vulkan
