// Cases whose graph is drawn at random: what fills the space between the corners.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "conformance/generator.h"
#include "conformance/generators/case_collector.h"

namespace lockstep::conformance {

// The operators that random cases are made of. Their numbers are part of what is drawn: new ones
// come last.
enum class RandomOperator : uint8_t {
  kConvolution,
  kDepthwiseConvolution,
  kFullyConnected,
  kAdd,
  kMul,
  kAveragePool,
  kMaxPool,
  kMean,
  kPad,
  kConcatenation,
  kReshape,
  kSoftmax,
  kRequantize,
  kQuantizeDequantize,
  kLogistic,
  kTanh,
  kRelu,
  kRelu6,
  kReluN1To1,
  kHardSwish,
  kLeakyRelu,
  kResizeBilinear,
  kResizeNearestNeighbor,
  kDepthToSpace,
  kSpaceToDepth,
};

// options.random_cases further cases "random 0", ... of one operator on tensors of random type,
// shape, quantization and contents.
void add_random_cases(CaseCollector& cases, const GeneratorOptions& options, RandomOperator kind);

// A network of `operator_count` random operators, each reading tensors made before it; every tensor
// that no operator reads is an output. `is_quick` puts it into the quick suite.
void add_random_network(CaseCollector& cases, uint64_t seed, std::string_view name,
                        graph::DataType type, int32_t operator_count, bool is_quick);

}  // namespace lockstep::conformance
