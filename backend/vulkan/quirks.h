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
  // A pipeline is compiled once more for texel buffers of under 256 bytes and of up to 255 bytes
  // above a multiple of 65,536: those of constants go around such sizes by texel_range().
  bool compiles_again_for_texel_ranges = false;
  // An invocation leaves its loops after so many iterations, whatever their condition says.
  int64_t max_loop_iterations = std::numeric_limits<int64_t>::max();
  // Integer dot products are advertised but give wrong results.
  bool wrong_integer_dot_product = false;
};

// `driver_id` is 0 where the driver does not say.
Quirks quirks_of(VkDriverId driver_id);

// What a view of a texel buffer of so many bytes covers instead, and by how much at most that is
// more: every buffer has so many bytes to spare.
uint64_t texel_range(const Quirks& quirks, uint64_t bytes);
uint64_t texel_range_slack(const Quirks& quirks);

void apply_quirks(const Quirks& quirks, Capabilities& capabilities);

}  // namespace lockstep::backend::vulkan
