// Which build of the kernels this is: what caches depend on besides device and driver.
#pragma once

#include <string_view>

namespace lockstep::backend::vulkan {

// Version of the project and a hash of the sources of this backend and its shaders,
// "0.1.0-1f3c...": other shaders, other heuristics or other packing never meet choices that were
// measured before.
std::string_view build_identity();

}  // namespace lockstep::backend::vulkan
