// CONV_2D and FULLY_CONNECTED on cooperative matrices: shaders/convolution_cooperative_matrix.comp.
#pragma once

#include <span>
#include <vector>

#include "backend/vulkan/capabilities.h"
#include "backend/vulkan/dispatch_building.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend::vulkan {

// How a workgroup shares the work of its tile out: the shader's specialization constants.
struct CooperativeMatrixTile {
  CooperativeMatrixShape shape;
  uint32_t subgroup_size = 0;
  uint32_t subgroup_rows = 0;  // a grid of subgroups ...
  uint32_t subgroup_columns = 0;
  uint32_t row_matrices = 0;  // ... each with a grid of matrices
  uint32_t column_matrices = 0;
  uint32_t step_units = 0;  // of 16 bytes along the depth
  uint32_t buffers = 0;     // 1 or 2

  uint32_t invocations() const { return subgroup_size * subgroup_rows * subgroup_columns; }
  uint32_t rows() const { return subgroup_rows * row_matrices * shape.rows; }
  uint32_t columns() const { return subgroup_columns * column_matrices * shape.columns; }
  uint32_t shared_bytes(bool has_asymmetric_weights) const;

  bool operator==(const CooperativeMatrixTile&) const = default;
};

// Every tile that the kernels can be made for on a device: for each shape with int8 on both sides
// that a subgroup holds, in the device's order, from the largest tile to the smallest. None where
// the device lacks shared memory, invocations or a subgroup size of its own.
std::vector<CooperativeMatrixTile> cooperative_matrix_tiles(const Capabilities& capabilities);

// Ways to compute a convolution of one group, best first: each tile with the device's first shape,
// and the best tile with each other shape. Empty where there is none. `op` must outlive them, and
// the context too.
std::vector<Alternative> cooperative_matrix_alternatives(const PlanContext& context,
                                                         const graph::LoweredConvolution& op);

// Whether they are likely to be faster than all other kernels.
bool prefers_cooperative_matrices(const PlanContext& context, const graph::LoweredConvolution& op);

}  // namespace lockstep::backend::vulkan
