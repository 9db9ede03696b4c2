// What kernels may use of a device, after masking.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "backend/vulkan/device_class.h"
#include "graph/status.h"

namespace lockstep::backend::vulkan {

// Matrices that invocations hold together: (rows x depth) * (depth x columns), 8-bit integers
// accumulated in int32 without saturation (VK_KHR_cooperative_matrix).
struct CooperativeMatrixShape {
  enum class Scope : uint8_t { kSubgroup, kWorkgroup };  // the invocations that hold it
  uint32_t rows = 0;
  uint32_t columns = 0;
  uint32_t depth = 0;
  bool is_left_signed = true;  // int8 or uint8
  bool is_right_signed = true;
  Scope scope = Scope::kSubgroup;

  bool operator==(const CooperativeMatrixShape&) const = default;
};

// "16x16x32 s8*s8"; with " (workgroup)" where a subgroup is not enough.
std::string to_string(const CooperativeMatrixShape& shape);

struct Capabilities {
  // Which kernels are likely to be the fast ones; the heuristics of device_class.h.
  DeviceClass device_class = DeviceClass::kUnknown;

  // Limits. The initial values are the smallest that Vulkan 1.1 allows.
  uint32_t max_workgroup_invocations = 128;
  std::array<uint32_t, 3> max_workgroup_size{128, 128, 64};
  std::array<uint32_t, 3> max_workgroup_count{65535, 65535, 65535};
  uint32_t max_shared_memory = 16384;
  uint64_t max_storage_buffer_range = uint64_t{1} << 27;
  uint64_t min_storage_buffer_offset_alignment = 256;
  // Of uniform texel buffers, in texels; 0 where they are masked.
  uint32_t max_texel_buffer_elements = 65536;
  uint64_t min_texel_buffer_offset_alignment = 256;
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
  // In the driver's order, which puts those it prefers first. They hold for subgroup_size as the
  // device has it by itself, and need shader_int8.
  std::vector<CooperativeMatrixShape> cooperative_matrices;
  bool unified_memory = false;  // device-local memory is the host's own and can be mapped
  bool timestamps = false;
};

// Hides capabilities. `mask` is a comma-separated list of: "int-dot", "cooperative-matrix", "int8"
// and "subgroup" (cooperative matrices go with either),
// "unified-memory", "timestamps", "shared-memory=BYTES", "invocations=N", "workgroups=N" (in x; the
// others go on in y), and "all" (every feature off, every limit at the Vulkan 1.1 minimum, no class
// known). "device-class=NAME" hides nothing, but has kernels chosen as for that class. Unknown
// names are an error that lists the valid ones; limits can only shrink. "subgroup-size=N" hides all
// subgroup sizes but one: pipelines ask for N. kInvalidArgument when N is no power of two,
// kUnsupported when the device does not offer it.
Status apply_mask(std::string_view mask, Capabilities& capabilities);

// The sizes that "subgroup-size=N" may name, ascending.
std::vector<uint32_t> offered_subgroup_sizes(const Capabilities& capabilities);

// For `lockstep devices` and reports, in display order. "subgroup sizes" lists the offered ones,
// "8, 16, 32", or says "none".
std::vector<std::pair<std::string, std::string>> describe(const Capabilities& capabilities);

}  // namespace lockstep::backend::vulkan
