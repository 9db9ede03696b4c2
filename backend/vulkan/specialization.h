// Specialization of shaders ahead of the driver.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::backend::vulkan {

// The module with `values` in place of its specialization constants 0, 1, 2, ..., and without
// whatever they make dead. Empty where this build has no SPIR-V optimizer, or it refuses the
// module: then the driver has to do it.
std::vector<uint32_t> specialize(std::span<const uint32_t> module,
                                 std::span<const uint32_t> values);

// Whether this build has a SPIR-V optimizer.
bool can_specialize();

}  // namespace lockstep::backend::vulkan
