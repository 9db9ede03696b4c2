// Contents of 8-bit tensors that do not depend on dice: corners are made by construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "conformance/generators/measurement.h"
#include "graph/graph_builder.h"
#include "graph/operators.h"
#include "graph/tensor.h"

namespace lockstep::conformance {

inline constexpr graph::DataType k8BitTypes[] = {graph::DataType::kInt8, graph::DataType::kUint8};

// Extents of innermost dimensions below, at and above what kernels handle at a time.
inline constexpr int32_t kChannelTails[] = {1, 3, 4, 5, 15, 16, 17, 31, 33};

size_t element_count_of(const graph::Shape& shape);

// Element i is i * step, so that an odd step gives all 256 bytes in every 256 elements. The rows of
// 256 are shifted against each other.
Bytes every_byte(size_t count, uint32_t step = 167);

// Element i is i.
Bytes counting_bytes(size_t count);

// A byte of `type` from its value in the signed domain, and its zero point likewise: uint8 tensors
// are int8 tensors moved by 128.
std::byte stored_byte(graph::DataType type, int32_t signed_value);
Bytes stored_bytes(graph::DataType type, const std::vector<int32_t>& signed_values);
graph::Quantization signed_quantization(graph::DataType type, float scale,
                                        int32_t signed_zero_point);

// Values of which a fused activation clips nothing, some or all, for tensors that hold
// activation_quantization(): 1/16 and zero point 0 in the signed domain, so [-8, 7.9375].
enum class ClippedShare : uint8_t { kNothing, kSome, kAll };
Bytes activation_contents(graph::DataType type, graph::Activation activation, ClippedShare share,
                          size_t count);
graph::Quantization activation_quantization(graph::DataType type);

inline constexpr ClippedShare kAllShares[] = {ClippedShare::kNothing, ClippedShare::kSome,
                                              ClippedShare::kAll};
inline constexpr graph::Activation kFusedActivations[] = {
    graph::Activation::kRelu, graph::Activation::kRelu6, graph::Activation::kReluN1To1};

// What a family with fused activations and channels requires: "relu clips nothing", ...; "1", "3",
// ...
std::vector<std::string> clipping_names();
std::vector<std::string> tail_names();

}  // namespace lockstep::conformance
