// The operators we understand, with typed attributes; everything else is an OpaqueAttributes.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace lockstep::graph {

// How a window meets the border. SAME: output = ceil(input / stride), zero-point padding split with
// the smaller half before. VALID: windows lie inside the image.
enum class Padding : uint8_t { kSame, kValid };

// Clamps fused into an operator's end, on real values.
enum class Activation : uint8_t { kNone, kRelu, kReluN1To1, kRelu6, kTanh, kSignBit };

// Inputs: [0] NHWC, [1] weights OHWI (I may be C / groups), [2] bias int32, optional.
struct Conv2dAttributes {
  Padding padding = Padding::kSame;
  int32_t stride_height = 1;
  int32_t stride_width = 1;
  int32_t dilation_height = 1;
  int32_t dilation_width = 1;
  Activation activation = Activation::kNone;
  bool operator==(const Conv2dAttributes&) const = default;
};

// Inputs: [0] NHWC, [1] weights 1HWO with O = C * depth_multiplier, [2] bias int32, optional.
// Output channel c * depth_multiplier + m is made from input channel c.
struct DepthwiseConv2dAttributes {
  Padding padding = Padding::kSame;
  int32_t stride_height = 1;
  int32_t stride_width = 1;
  int32_t dilation_height = 1;
  int32_t dilation_width = 1;
  int32_t depth_multiplier = 1;
  Activation activation = Activation::kNone;
  bool operator==(const DepthwiseConv2dAttributes&) const = default;
};

// Inputs: [0] any shape, read as [rows, input_channels]; [1] weights [output_channels,
// input_channels]; [2] bias int32, optional. keep_num_dims keeps the leading extents.
struct FullyConnectedAttributes {
  Activation activation = Activation::kNone;
  bool keep_num_dims = false;
  bool default_weights_format = true;  // false: a shuffled layout that we leave to the host
  bool operator==(const FullyConnectedAttributes&) const = default;
};

enum class BinaryKind : uint8_t { kAdd, kMul };

// Inputs: two tensors, numpy broadcasting.
struct BinaryAttributes {
  BinaryKind kind = BinaryKind::kAdd;
  Activation activation = Activation::kNone;
  bool operator==(const BinaryAttributes&) const = default;
};

enum class PoolKind : uint8_t { kAverage, kMax };

struct Pool2dAttributes {
  PoolKind kind = PoolKind::kAverage;
  Padding padding = Padding::kSame;
  int32_t stride_height = 1;
  int32_t stride_width = 1;
  int32_t filter_height = 1;
  int32_t filter_width = 1;
  Activation activation = Activation::kNone;
  bool operator==(const Pool2dAttributes&) const = default;
};

// Inputs: [0] values, [1] int32 axes (constant).
struct MeanAttributes {
  bool keep_dims = false;
  bool operator==(const MeanAttributes&) const = default;
};

// Inputs: [0] values, [1] int32/int64 [rank, 2] amounts (constant), [2] pad value (PADV2,
// optional).
struct PadAttributes {
  bool operator==(const PadAttributes&) const = default;
};

struct ConcatenationAttributes {
  int32_t axis = 0;  // negative counts from the end
  Activation activation = Activation::kNone;
  bool operator==(const ConcatenationAttributes&) const = default;
};

// Which of the three operators that only rename a shape this is.
enum class ReshapeKind : uint8_t { kReshape, kSqueeze, kExpandDims };

// The result has the output tensor's shape; elements keep their order. Inputs: [0] values, [1] for
// kReshape the new shape (int32, optional; wins over new_shape), for kExpandDims the axis (int32).
struct ReshapeAttributes {
  ReshapeKind kind = ReshapeKind::kReshape;
  // kReshape: as given by the file, -1 for "whatever is left". Where this and input [1] are both
  // absent the output tensor's declared shape counts.
  std::vector<int32_t> new_shape;
  // kSqueeze: the extent-1 axes that go away, negative ones count from the end; empty for all.
  std::vector<int32_t> squeezed_axes;
  bool operator==(const ReshapeAttributes&) const = default;
};

enum class ResizeKind : uint8_t { kBilinear, kNearestNeighbor };

// Where in the input output pixel i lies, along either direction of the image: at i * scale with
//   scale = input / output, or (input - 1) / (output - 1) with align_corners: corners coincide.
// With half_pixel_centers its centre is meant: (i + 0.5) * scale is in input pixel number
// floor((i + 0.5) * scale), and lies between the centres of those around (i + 0.5) * scale - 0.5.
// Inputs: [0] NHWC, [1] int32 height and width of the output (constant).
struct ResizeAttributes {
  ResizeKind kind = ResizeKind::kBilinear;
  bool align_corners = false;
  bool half_pixel_centers = false;
  bool operator==(const ResizeAttributes&) const = default;
};

enum class PixelBlockKind : uint8_t { kDepthToSpace, kSpaceToDepth };

// DEPTH_TO_SPACE lays the channels of a pixel out as a block of block_size x block_size pixels, row
// by row, each with that part of the channels; SPACE_TO_DEPTH is its inverse. Inputs: [0] NHWC.
struct PixelBlockAttributes {
  PixelBlockKind kind = PixelBlockKind::kDepthToSpace;
  int32_t block_size = 1;
  bool operator==(const PixelBlockAttributes&) const = default;
};

struct SoftmaxAttributes {
  float beta = 1.0f;  // over the last dimension
  bool operator==(const SoftmaxAttributes&) const = default;
};

// One input, one output, one element at a time.
enum class UnaryKind : uint8_t {
  kLogistic,
  kTanh,
  kRelu,
  kReluN1To1,
  kRelu6,
  kHardSwish,
  kLeakyRelu
};

struct UnaryAttributes {
  UnaryKind kind = UnaryKind::kLogistic;
  float alpha = 0.0f;  // slope below zero, kLeakyRelu only
  bool operator==(const UnaryAttributes&) const = default;
};

// float32 -> 8 bit, or 8 bit -> 8 bit with another scale, zero point or signedness.
struct QuantizeAttributes {
  bool operator==(const QuantizeAttributes&) const = default;
};
// 8 bit, int16 or float16 -> float32.
struct DequantizeAttributes {
  bool operator==(const DequantizeAttributes&) const = default;
};

// An operator we do not know, or know but with options we do not: kept so that a partitioner can
// leave it to the host.
struct OpaqueAttributes {
  std::string reason;  // why it is opaque, for a person
  bool operator==(const OpaqueAttributes&) const = default;
};

using OperatorAttributes =
    std::variant<Conv2dAttributes, DepthwiseConv2dAttributes, FullyConnectedAttributes,
                 BinaryAttributes, Pool2dAttributes, MeanAttributes, PadAttributes,
                 ConcatenationAttributes, ReshapeAttributes, ResizeAttributes, PixelBlockAttributes,
                 SoftmaxAttributes, UnaryAttributes, QuantizeAttributes, DequantizeAttributes,
                 OpaqueAttributes>;

inline constexpr int32_t kAbsentTensor = -1;

struct Operator {
  std::string name;          // "CONV_2D"; a custom operator's own name
  int32_t builtin_code = 0;  // as in the file
  int32_t version = 1;
  OperatorAttributes attributes;
  std::vector<int32_t> inputs;  // indices into Graph::tensors; kAbsentTensor for an absent optional
  std::vector<int32_t> outputs;
};

}  // namespace lockstep::graph
