// The plain float network that a file stands for, whatever its constants are stored as.
#pragma once

#include <cstddef>

#include "graph/status.h"
#include "quantization/affine.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

struct FloatNetworkReport {
  size_t sparse_constants = 0;  // made dense
  size_t narrow_constants = 0;  // float16 or integers that stood for real numbers, made float32
  size_t trained_ranges = 0;    // FAKE_QUANT operators, removed
};

// What is known of the values of the first subgraph's tensors from FAKE_QUANT operators, which
// quantization-aware training leaves behind: the ranges that the network was trained with.
struct FloatNetwork {
  Ranges trained_ranges;
  FloatNetworkReport report;
};

// Makes the network plain: constants that are sparse or float16, and those of int8 or uint8 that
// operators compute floats from (dynamic-range quantization), become dense float32; DENSIFY,
// DEQUANTIZE of a constant and FAKE_QUANT go; the constant keeps its name. Nothing else changes,
// save that what nobody uses is removed and that tensors are numbered anew.
//
// kInvalidModel and kUnsupported name the tensor: activations that are quantized already, ranges
// that are none, FAKE_QUANT of other widths than 8 bits. The model is broken then.
Result<FloatNetwork> make_float_network(schema::ModelT& model);

}  // namespace lockstep::quantization
