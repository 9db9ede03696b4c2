// A float network becomes an int8 one, by TFLite's int8 quantization specification.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/status.h"
#include "quantization/affine.h"
#include "quantization/model_editing.h"
#include "quantization/treatment.h"

namespace lockstep::quantization {

// What a program hands to the network and takes from it, where int8 reaches its border.
enum class BorderType : uint8_t { kInt8, kUint8, kFloat32 };

// What the integers of an activation, and of those that share its scale, shall stand for.
struct DemandedRange {
  std::string tensor;
  TensorRange range;
};

struct Int8Options {
  BorderType borders = BorderType::kInt8;
  // FULLY_CONNECTED becomes a convolution with a weight scale for each output channel.
  bool per_channel_fully_connected = false;
  // Operators that stay float; see find_kept_outputs().
  std::vector<std::string> keep_float = {};
  std::vector<DemandedRange> ranges = {};
};

// The tensors that `demanded` names: graph inputs and what operators make. kInvalidArgument where a
// name stands for none or for several, or a range is not one.
Result<Ranges> find_demanded_ranges(const schema::ModelT& model,
                                    std::span<const DemandedRange> demanded);

struct QuantizedOperator {
  std::string name;    // "CONV_2D"
  std::string output;  // the name of its first output
  OperatorTreatment treatment;
};

struct Int8Report {
  std::vector<QuantizedOperator> operators;  // those of the float network, fused ones left out
  size_t fused_activations = 0;
  size_t added_conversions = 0;  // QUANTIZE and DEQUANTIZE operators

  size_t count(Treatment treatment) const;
};

// `model`: a plain float network whose first subgraph graph::validate() accepts; that subgraph is
// quantized, others stay as they are. `ranges`: of every float tensor that an operator of it makes
// or that is its input; operators with tensors that have none stay float.
//
// Tensors keep their names. Where a graph input or output is converted, that one keeps the name and
// place, and the int8 tensor behind it is called "NAME_int8"; float copies for operators that stay
// float are called "NAME_float", int8 copies with another scale "NAME_requantized".
//
// kInvalidArgument where a constant or range is not finite, or an option selects nothing or asks
// for what cannot be; kUnsupported where no operator can be quantized. The model is broken then.
Result<Int8Report> quantize_to_int8(schema::ModelT& model, Ranges ranges,
                                    const Int8Options& options);

}  // namespace lockstep::quantization
