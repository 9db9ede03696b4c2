// Weights of little magnitude set to zero.
//
// The weights of a layer are seen as a matrix of [output channels, everything else], cut into
// blocks of rows x columns from its first element on; blocks at the end may be smaller. A block's
// magnitude is the root of the mean of its squared weights, as real numbers. Blocks go by ascending
// magnitude, equal ones in order, as long as not more than the wanted share of the elements goes.
// Whatever is zero already counts, and goes first.
//
// Zero is what stands for the real number zero: the zero point of quantized weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/status.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

struct PruningBlock {
  size_t rows = 1;
  size_t columns = 1;
};

// Whose share it is that goes.
enum class PruningScope : uint8_t {
  kLayer,  // of every layer
  // Of all layers together. Magnitudes are relative to the root of the mean square of their layer,
  // so that layers of small numbers do not go before others.
  kNetwork,
};

struct PruningOptions {
  double sparsity = 0.5;
  PruningBlock block = {};
  PruningScope scope = PruningScope::kLayer;
  // Depthwise convolutions have few weights, and need all of them.
  bool depthwise = false;
};

struct PrunedWeights {
  int32_t tensor = 0;  // of the first subgraph
  std::string name;
  std::string op;  // name of an operator that reads them
  size_t channel_axis = 0;
  size_t elements = 0;
  size_t zeros_before = 0;
  size_t zeros = 0;
};

// Prunes the constants behind weights of the first subgraph: float32, float16, int8 and uint8. They
// must be dense. kInvalidArgument for a sparsity outside [0, 1), blocks without extent and weights
// that are no finite numbers; kUnsupported for sparse ones; kInvalidModel where a constant
// contradicts itself.
Result<std::vector<PrunedWeights>> prune_weights(schema::ModelT& model,
                                                 const PruningOptions& options);

}  // namespace lockstep::quantization
