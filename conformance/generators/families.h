// Every family of cases, one function and one source file each; generator.cpp lists them.
#pragma once

#include "conformance/generator.h"

namespace lockstep::conformance {

Generator conv_2d_family();
Generator depthwise_conv_2d_family();
Generator fully_connected_family();
Generator add_family();
Generator mul_family();
Generator average_pool_2d_family();
Generator max_pool_2d_family();
Generator mean_family();
Generator pad_family();
Generator concatenation_family();
Generator reshape_family();
Generator resize_bilinear_family();
Generator resize_nearest_neighbor_family();
Generator depth_to_space_family();
Generator space_to_depth_family();
Generator softmax_family();
Generator quantize_family();
Generator dequantize_family();
Generator logistic_family();
Generator tanh_family();
Generator relu_family();
Generator relu6_family();
Generator relu_n1_to_1_family();
Generator hard_swish_family();
Generator leaky_relu_family();
Generator blocks_family();
Generator fused_family();
Generator random_networks_family();

}  // namespace lockstep::conformance
