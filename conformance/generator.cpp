#include "conformance/generator.h"

#include "conformance/generators/families.h"

namespace lockstep::conformance {

std::span<const Generator> all_generators() {
  static const std::vector<Generator> kGenerators = {
      conv_2d_family(),
      depthwise_conv_2d_family(),
      fully_connected_family(),
      add_family(),
      mul_family(),
      average_pool_2d_family(),
      max_pool_2d_family(),
      mean_family(),
      pad_family(),
      concatenation_family(),
      reshape_family(),
      resize_bilinear_family(),
      resize_nearest_neighbor_family(),
      depth_to_space_family(),
      space_to_depth_family(),
      softmax_family(),
      quantize_family(),
      dequantize_family(),
      logistic_family(),
      tanh_family(),
      relu_family(),
      relu6_family(),
      relu_n1_to_1_family(),
      hard_swish_family(),
      leaky_relu_family(),
      blocks_family(),
      fused_family(),
      random_networks_family(),
  };
  return kGenerators;
}

}  // namespace lockstep::conformance
