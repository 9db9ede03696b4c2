// Numbers, names and versions of the file format's builtin operators that we understand.
#pragma once

#include <cstdint>
#include <string>

#include "graph/operators.h"

namespace lockstep::graph {

// As numbered by the file format and by the host's C API.
namespace builtin {
inline constexpr int32_t kAdd = 0;
inline constexpr int32_t kAveragePool2d = 1;
inline constexpr int32_t kConcatenation = 2;
inline constexpr int32_t kConv2d = 3;
inline constexpr int32_t kDepthwiseConv2d = 4;
inline constexpr int32_t kDepthToSpace = 5;
inline constexpr int32_t kDequantize = 6;
inline constexpr int32_t kFullyConnected = 9;
inline constexpr int32_t kLogistic = 14;
inline constexpr int32_t kMaxPool2d = 17;
inline constexpr int32_t kMul = 18;
inline constexpr int32_t kRelu = 19;
inline constexpr int32_t kReluN1To1 = 20;
inline constexpr int32_t kRelu6 = 21;
inline constexpr int32_t kReshape = 22;
inline constexpr int32_t kResizeBilinear = 23;
inline constexpr int32_t kSoftmax = 25;
inline constexpr int32_t kSpaceToDepth = 26;
inline constexpr int32_t kTanh = 28;
inline constexpr int32_t kCustom = 32;
inline constexpr int32_t kPad = 34;
inline constexpr int32_t kMean = 40;
inline constexpr int32_t kSqueeze = 43;
inline constexpr int32_t kPadV2 = 60;
inline constexpr int32_t kExpandDims = 70;
inline constexpr int32_t kResizeNearestNeighbor = 97;
inline constexpr int32_t kLeakyRelu = 98;
inline constexpr int32_t kQuantize = 114;
inline constexpr int32_t kHardSwish = 117;
}  // namespace builtin

// "CONV_2D"; "BUILTIN_250" for a number this build has no name for.
std::string builtin_operator_name(int32_t builtin_code);

// The newest version of a builtin operator whose meaning we know; 0 when the operator is not an
// understood one. Versions only ever added types and options, so all from 1 up to it are known.
int32_t newest_understood_version(int32_t builtin_code);

// The first version of the builtin operator that can mean the attributes. Most could from the
// start; half_pixel_centers came with version 3, and older engines' parameters have no place for
// it.
int32_t first_version_of(const OperatorAttributes& attributes);

// The builtin operator that the attributes describe. Padding with an explicit value is PADV2, which
// shows in the number of inputs. -1 for opaque attributes, whose code only the file knows.
int32_t builtin_code_of(const OperatorAttributes& attributes, size_t input_count);

}  // namespace lockstep::graph
