// Cooperative matrices as one more form of multiplying and adding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/vulkan/capabilities.h"
#include "bench/device/stepped_kernel.h"

namespace lockstep::bench {

// The shapes of int8 x int8 that a subgroup of the device holds; none where it has none.
std::vector<backend::vulkan::CooperativeMatrixShape> benchmarked_shapes(
    const backend::vulkan::Capabilities& capabilities);

// "cooperative matrix 16x16x32 s8*s8"
std::string cooperative_matrix_name(const backend::vulkan::CooperativeMatrixShape& shape);

// Ready to be timed.
Result<SteppedKernel> prepare_cooperative_matrix(
    const backend::vulkan::LogicalDevice& device,
    const backend::vulkan::CooperativeMatrixShape& shape, double target_seconds);

// The operands of multiply_add_cooperative_matrix.comp, and what workgroup `workgroup` makes of
// them in `steps` steps: rows x columns sums.
std::vector<std::byte> matrix_operands(const backend::vulkan::CooperativeMatrixShape& shape);
std::vector<int32_t> expected_matrix(const backend::vulkan::CooperativeMatrixShape& shape,
                                     std::span<const std::byte> operands, uint32_t workgroup,
                                     uint32_t steps);

}  // namespace lockstep::bench
