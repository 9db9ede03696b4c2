// A uint8 network as an int8 one.
//
//   real = scale * (q - zero_point) = scale * ((q - 128) - (zero_point - 128))
//
// Taking 128 off both changes the type and no real value. Weights keep a zero point by that, which
// int8 convolutions ignore: symmetrize.h goes on from there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "quantization/model_editing.h"

namespace lockstep::quantization {

// What becomes of the uint8 inputs and outputs of the network.
enum class UnsignedBorders : uint8_t {
  kKept,  // QUANTIZE stands behind the inputs and before the outputs
  kInt8,
};

struct OperatorNote {
  size_t subgraph = 0;
  size_t op = 0;       // position in the network as it was
  std::string name;    // of the operator
  std::string output;  // name of its first output
  std::string text;
};

struct SignedDomainReport {
  size_t signed_tensors = 0;                 // that were uint8
  size_t added_operators = 0;                // QUANTIZE
  std::vector<OperatorNote> kept;            // what stays uint8, and why
  std::vector<OperatorNote> other_rounding;  // how TFLite's int8 kernels round otherwise
};

// Works on all subgraphs; only the first one's borders may change. A network without uint8 stays as
// it is.
SignedDomainReport move_to_signed_domain(schema::ModelT& model, UnsignedBorders borders);

}  // namespace lockstep::quantization
