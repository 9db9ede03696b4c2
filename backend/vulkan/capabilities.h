// What kernels may use of a device, after masking.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "graph/status.h"

namespace lockstep::backend::vulkan {

struct Capabilities {
  // Limits. The initial values are the smallest that Vulkan 1.1 allows.
  uint32_t max_workgroup_invocations = 128;
  std::array<uint32_t, 3> max_workgroup_size{128, 128, 64};
  std::array<uint32_t, 3> max_workgroup_count{65535, 65535, 65535};
  uint32_t max_shared_memory = 16384;
  uint64_t max_storage_buffer_range = uint64_t{1} << 27;
  uint64_t min_storage_buffer_offset_alignment = 256;
  uint32_t max_push_constants = 128;
  // Of one invocation, all its loops together; beyond it a driver silently leaves them (quirks.h).
  int64_t max_loop_iterations = std::numeric_limits<int64_t>::max();
  uint32_t subgroup_size = 1;
  // The subgroup sizes that compute pipelines may ask for, powers of two; 0 where they cannot ask
  // (core 1.3 or the EXT extension).
  uint32_t min_subgroup_size = 0;
  uint32_t max_subgroup_size = 0;
  uint32_t max_workgroup_subgroups = 0;  // of pipelines that ask
  uint32_t required_subgroup_size = 0;   // what pipelines ask for; 0: nothing

  // Optional features; false until the device says otherwise.
  bool integer_dot_product = false;  // OpSDot on packed 4x8 bits (core 1.3 or the KHR extension)
  bool integer_dot_product_accelerated = false;  // the driver says it pays
  bool storage_8bit = false;
  bool shader_int8 = false;
  bool subgroup_arithmetic = false;
  bool unified_memory = false;  // device-local memory is the host's own and can be mapped
  bool timestamps = false;
};

// Hides capabilities. `mask` is a comma-separated list of: "int-dot", "int8", "subgroup",
// "unified-memory", "timestamps", "shared-memory=BYTES", "invocations=N", "workgroups=N" (in x; the
// others go on in y), and "all" (every feature
// off, every limit at the Vulkan 1.1 minimum). Unknown names are an error that lists the valid
// ones; limits can only shrink.
// "subgroup-size=N" hides all subgroup sizes but one: pipelines ask for N. kInvalidArgument when N
// is no power of two, kUnsupported when the device does not offer it.
Status apply_mask(std::string_view mask, Capabilities& capabilities);

// The sizes that "subgroup-size=N" may name, ascending.
std::vector<uint32_t> offered_subgroup_sizes(const Capabilities& capabilities);

// For `lockstep devices` and reports, in display order. "subgroup sizes" lists the offered ones,
// "8, 16, 32", or says "none".
std::vector<std::pair<std::string, std::string>> describe(const Capabilities& capabilities);

}  // namespace lockstep::backend::vulkan
