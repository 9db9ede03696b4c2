// What becomes of each operator when a uint8 network is made int8 (signed_domain.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quantization/model_editing.h"

namespace lockstep::quantization {

enum class SignedTreatment : uint8_t {
  kUntouched,  // has no quantized uint8 tensor
  kInt8,       // its activations and weights become int8
  kEither,     // QUANTIZE and DEQUANTIZE: take what their tensors become
  kUint8,      // stays as it is; QUANTIZE stands where it meets int8
};

struct SignedChoice {
  SignedTreatment treatment = SignedTreatment::kUntouched;
  std::string reason;    // kUint8: why, for a person
  std::string rounding;  // kInt8: how TFLite's int8 kernel rounds otherwise; empty: it does not
};

// Whether the tensor is uint8 with one scale and zero point: what can change its sign.
bool is_quantized_uint8(const schema::TensorT& tensor);

// One for each operator of the subgraph.
std::vector<SignedChoice> choose_signed_operators(const schema::ModelT& model,
                                                  const schema::SubGraphT& subgraph);

}  // namespace lockstep::quantization
