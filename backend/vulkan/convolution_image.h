// CONV_2D of images with up to four channels: shaders/convolution_image.comp.
#pragma once

#include <vector>

#include "backend/vulkan/dispatch_building.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend::vulkan {

// Ways to compute a convolution of one group over an image of 1 to 4 channels, best first; empty
// where there is none. `op` must outlive them, and the context too.
std::vector<Alternative> image_alternatives(const PlanContext& context,
                                            const graph::LoweredConvolution& op);

}  // namespace lockstep::backend::vulkan
