// FULLY_CONNECTED as a convolution of 1x1 pixels, which has a weight scale for each output channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

#include "quantization/affine.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

// Puts RESHAPE, CONV_2D, RESHAPE in the place of every FULLY_CONNECTED of the first subgraph that
// has constant float32 weights: [rows, inputs] becomes an image of [rows, 1, 1, inputs]. TFLite 2.9
// takes the first weight scale of an int8 FULLY_CONNECTED for all its channels, without a word; its
// CONV_2D has one for each. New tensors get the ranges of what they are made from. Operators that
// make one of `kept_outputs` stay as they are. Returns how many were replaced.
size_t convolve_fully_connected(schema::ModelT& model, Ranges& ranges,
                                const std::set<int32_t>& kept_outputs);

}  // namespace lockstep::quantization
