// What kernels may use of a device, after masking.
#pragma once

#include <array>
#include <cstdint>
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
  uint32_t subgroup_size = 1;

  // Optional features; false until the device says otherwise.
  bool integer_dot_product = false;  // OpSDot on packed 4x8 bits (core 1.3 or the KHR extension)
  bool integer_dot_product_accelerated = false;  // the driver says it pays
  bool storage_8bit = false;
  bool shader_int8 = false;
  bool subgroup_arithmetic = false;
  bool unified_memory = false;  // device-local memory the host can map
  bool timestamps = false;
};

// Hides capabilities. `mask` is a comma-separated list of: "int-dot", "int8", "subgroup",
// "unified-memory", "timestamps", "shared-memory=BYTES", "invocations=N", and "all" (every feature
// off, every limit at the Vulkan 1.1 minimum). Unknown names are an error that lists the valid
// ones; limits can only shrink.
Status apply_mask(std::string_view mask, Capabilities& capabilities);

// For `lockstep devices` and reports, in display order.
std::vector<std::pair<std::string, std::string>> describe(const Capabilities& capabilities);

}  // namespace lockstep::backend::vulkan
