// ONNX's quantized operators as networks of ours:
//
//   QLinearConv, ConvInteger      CONV_2D, with a PAD in front where the image is padded
//   QLinearMatMul, MatMulInteger  one FULLY_CONNECTED for each matrix of the batch
//   QuantizeLinear                one QUANTIZE of float32 for each quantized slice
//   DequantizeLinear              one DEQUANTIZE for each
//   DynamicQuantizeLinear         QUANTIZE of float32 with the scale and zero point that the vector
//                                 says it finds; finding them is no operator of ours
//
// docs/numerics.md, "ONNX", says what of ONNX's operators cannot be mapped so.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "conformance/case.h"
#include "conformance/testing/onnx_file.h"
#include "graph/status.h"

namespace lockstep::conformance::testing {

struct OnnxCase {
  Case source;
  // ConvInteger, MatMulInteger: what is expected are the accumulators of the operators, in order,
  // not the outputs.
  bool expects_accumulators = false;
  // Dense bytes, NHWC, one for each output of the case.
  std::vector<std::vector<std::byte>> expected;
};

// One of the operators above.
bool is_quantized_onnx_operator(std::string_view type);

// The last node must be one of them; those before it may only be what a DynamicQuantizeLinear was
// expanded to. kUnsupported with the reason where there is no mapping, kInvalidModel where operands
// are missing or contradict each other.
Result<OnnxCase> make_onnx_case(const OnnxVector& vector);

}  // namespace lockstep::conformance::testing
