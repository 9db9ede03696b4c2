// The network after its floats were left at the door: integer operators with packed parameters.
// Backends and the reference execute exactly this; nobody below or beside needs a scale again.
//
// The signed domain. Every 8-bit tensor is held as int8: a uint8 value q is stored as q - 128
// (which is q ^ 0x80), and its zero point likewise. All formulae of conv, pool, add, ... are
// invariant under that shift except where a field says otherwise, so kernels exist once, for int8.
// Conversion happens only where bytes enter or leave (to_stored / from_stored).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "numerics/contract.h"
#include "numerics/requantization.h"
#include "numerics/rounding.h"

namespace lockstep::graph {

// A window sliding over an NHWC image. Output (y, x) reads input rows
// y * stride_height - padding_top + ky * dilation_height, columns likewise. Padding after the image
// follows from the output's extent.
struct Window2d {
  int32_t kernel_height = 1;
  int32_t kernel_width = 1;
  int32_t stride_height = 1;
  int32_t stride_width = 1;
  int32_t dilation_height = 1;
  int32_t dilation_width = 1;
  int32_t padding_top = 0;
  int32_t padding_left = 0;
};

// Extents of a 4-D activation, NHWC.
struct Extent4d {
  int32_t batch = 1;
  int32_t height = 1;
  int32_t width = 1;
  int32_t channels = 1;

  int64_t elements() const { return int64_t{batch} * height * width * channels; }
};

// The end of a kernel: output = clamp(scale(accumulator) + zero_point, minimum, maximum), see
// numerics/requantization.h. All values are in the signed domain.
struct OutputStage {
  numerics::Rounding rounding = numerics::Rounding::kDoubleTiesUp;
  std::vector<numerics::ChannelScale> scales;  // one for each output channel
  int32_t zero_point = 0;
  int32_t activation_min = -128;
  int32_t activation_max = 127;
  // The output tensor is int32 and holds the accumulators themselves, modulo 2^32; scales, zero
  // point and clamp are not used. Only the two convolutions below look at it.
  bool stores_accumulators = false;
};

// CONV_2D of any kind, and FULLY_CONNECTED as a 1x1 convolution over [rows, 1, 1, channels].
//   accumulator[o] = bias[o] + sum (x - input_zero_point) * (w - weights_zero_points[o])
// over the taps that lie in the image and the input channels of o's group. Equal modulo 2^32:
//   accumulator[o] = folded_bias[o] + sum x * w - weights_zero_points[o] * sum x
// over ALL taps, where a tap outside the image reads x = input_zero_point, with
//   folded_bias[o] = bias[o] - input_zero_point * sum (w - weights_zero_points[o]).
struct LoweredConvolution {
  int32_t input = 0;
  int32_t output = 0;
  Extent4d input_extent;
  Extent4d output_extent;
  Window2d window;
  int32_t groups = 1;
  int32_t input_zero_point = 0;
  std::vector<int8_t> weights;               // OHWI, I = input channels / groups
  std::vector<int32_t> weights_zero_points;  // one for each output channel
  std::vector<int32_t> bias;  // one for each output channel, 0 where the model has none
  std::vector<int32_t> folded_bias;
  OutputStage output_stage;
};

// As above with weights HWO; output channel o reads input channel o / depth_multiplier only.
struct LoweredDepthwiseConvolution {
  int32_t input = 0;
  int32_t output = 0;
  Extent4d input_extent;
  Extent4d output_extent;
  Window2d window;
  int32_t depth_multiplier = 1;
  int32_t input_zero_point = 0;
  std::vector<int8_t> weights;  // [kernel_height][kernel_width][output channel]
  std::vector<int32_t> weights_zero_points;
  std::vector<int32_t> bias;
  std::vector<int32_t> folded_bias;
  OutputStage output_stage;
};

// Two operands with numpy broadcasting, collapsed to at most 4 dimensions; an extent-1 dimension of
// an operand has stride 0 (in elements of the dense tensor).
struct BroadcastExtents {
  std::array<int32_t, 4> output{1, 1, 1, 1};
  std::array<int32_t, 4> left_strides{0, 0, 0, 0};
  std::array<int32_t, 4> right_strides{0, 0, 0, 0};
};

// How a sum of two differently scaled values is formed.
enum class AddArithmetic : uint32_t {
  // gemmlowp's way: each operand (q - zero_point) << left_shift is scaled by its own multiplier,
  // the sum by the output's; every scaling rounds as output_stage.rounding says.
  kRescaledOperands = 0,
  // XNNPACK's way: (bias + left * left_multiplier + right * right_multiplier) >> shift, arithmetic,
  // with the rounding half and both zero points inside the bias.
  kSharedShift = 1,
};

struct LoweredAdd {
  int32_t left = 0;
  int32_t right = 0;
  int32_t output = 0;
  BroadcastExtents extents;
  AddArithmetic arithmetic = AddArithmetic::kRescaledOperands;
  int32_t left_zero_point = 0;
  int32_t right_zero_point = 0;
  int32_t left_shift = 0;                // kRescaledOperands
  numerics::ChannelScale left_scale{};   // kRescaledOperands; kSharedShift: .multiplier only
  numerics::ChannelScale right_scale{};  // likewise
  int32_t shared_bias = 0;               // kSharedShift
  int32_t shared_shift = 0;              // kSharedShift
  OutputStage output_stage;              // kSharedShift: its scales are empty
};

// accumulator = (left - left_zero_point) * (right - right_zero_point), then the output stage.
struct LoweredMul {
  int32_t left = 0;
  int32_t right = 0;
  int32_t output = 0;
  BroadcastExtents extents;
  int32_t left_zero_point = 0;
  int32_t right_zero_point = 0;
  OutputStage output_stage;  // one scale
};

// Average: (sum + n/2) / n or (sum - n/2) / n by the sum's sign (round half away from zero), where
// n counts the taps inside the image and sum adds x + accumulator_offset; the quotient has
// accumulator_offset taken off again. The offset is 128 for tensors that are uint8 outside, because
// rounding half away from zero is not invariant under the shift to the signed domain.
struct LoweredPool {
  PoolKind kind = PoolKind::kAverage;
  int32_t input = 0;
  int32_t output = 0;
  Extent4d input_extent;
  Extent4d output_extent;
  Window2d window;
  int32_t accumulator_offset = 0;
  int32_t activation_min = -128;
  int32_t activation_max = 127;
};

// Sum over a block, then a step function of the sum: every engine's MEAN is a non-decreasing
// function of the integer sum (whatever floats it uses), so 255 thresholds capture it exactly:
//   output = -128 + number of thresholds t with sum >= t,   thresholds ascending.
// The tensor is viewed as [outer][reduced][inner]: reducing axes that are neighbours needs no more.
struct LoweredMean {
  int32_t input = 0;
  int32_t output = 0;
  int32_t outer = 1;
  int32_t reduced = 1;
  int32_t inner = 1;
  std::array<int32_t, 255> thresholds{};
};

// Copies the input into the middle of the output, which is `value` elsewhere. At most 4 dimensions
// after neighbouring unpadded ones were merged; before[i] elements are put in front of dimension i.
struct LoweredPad {
  int32_t input = 0;
  int32_t output = 0;
  std::array<int32_t, 4> input_extents{1, 1, 1, 1};
  std::array<int32_t, 4> output_extents{1, 1, 1, 1};
  std::array<int32_t, 4> before{0, 0, 0, 0};
  int8_t value = 0;
};

// The tensor seen as [outer][rows][columns][inner] becomes [outer][columns][rows][inner]: what
// DEPTH_TO_SPACE and SPACE_TO_DEPTH do, of which either `rows` or `columns` is the block's size.
struct LoweredTransposition {
  int32_t input = 0;
  int32_t output = 0;
  int32_t outer = 1;
  int32_t rows = 1;
  int32_t columns = 1;
  int32_t inner = 1;

  int64_t elements() const { return int64_t{outer} * rows * columns * inner; }
};

// RESIZE_NEAREST_NEIGHBOR: output (y, x) is input (rows[y], columns[x]), all channels.
struct LoweredResizeNearestNeighbor {
  int32_t input = 0;
  int32_t output = 0;
  Extent4d input_extent;
  Extent4d output_extent;
  std::vector<int32_t> rows;     // one for each row of the output
  std::vector<int32_t> columns;  // one for each column of the output
};

// Between which two rows (or columns) of the input a row (or column) of the output lies, and their
// shares in it.
struct Interpolation {
  int32_t first = 0;
  int32_t second = 0;
  // kFixedPoint...: not negative, 2^fraction_bits together. kFloat32: the bits of float32 numbers,
  // about 1 together; the second may be negative where both rows are the same.
  int32_t first_weight = 0;
  int32_t second_weight = 0;

  bool operator==(const Interpolation&) const = default;
};

// With r and c the interpolations of an output's row and column, and x the input:
enum class InterpolationArithmetic : uint8_t {
  // s = (x[r.first][c.first] * c.first_weight + x[r.first][c.second] * c.second_weight)
  //         * r.first_weight
  //   + (x[r.second][c.first] * c.first_weight + x[r.second][c.second] * c.second_weight)
  //         * r.second_weight
  // and then s / 2^(2 * fraction_bits) to the nearest integer. s fits in 32 bits.
  kFixedPointTiesUp = 0,
  kFixedPointTiesAway = 1,
  // With x as uint8 and w_ij = r.i_weight * c.j_weight, every operation rounded to float32:
  // the integer part of (((x_11 * w_11 + x_12 * w_12) + x_21 * w_21) + x_22 * w_22) + 0.5.
  kFloat32 = 2,
};

// RESIZE_BILINEAR.
struct LoweredResizeBilinear {
  int32_t input = 0;
  int32_t output = 0;
  Extent4d input_extent;
  Extent4d output_extent;
  InterpolationArithmetic arithmetic = InterpolationArithmetic::kFixedPointTiesUp;
  int32_t fraction_bits = 0;           // at most 11; not of kFloat32
  std::vector<Interpolation> rows;     // one for each row of the output
  std::vector<Interpolation> columns;  // one for each column of the output
};

// Indexed by stored value + 128.
using ByteTable = std::array<int8_t, 256>;

// Tensors viewed as [outer][axis extent * inner]: input i gives axis_sizes[i] = its axis extent *
// inner consecutive elements of every outer row. An input whose quantization differs from the
// output's goes through a table on its way (tables[i]; empty: copied as it is).
struct LoweredConcatenation {
  std::vector<int32_t> inputs;
  int32_t output = 0;
  int32_t outer = 1;
  std::vector<int32_t> axis_sizes;
  std::vector<std::vector<int8_t>> tables;  // one for each input: empty or 256 entries
};

// Same elements in the same order under another shape.
struct LoweredReshape {
  int32_t input = 0;
  int32_t output = 0;
};

// Every element-wise function of one 8-bit tensor: LOGISTIC, TANH, RELU..., requantization.
struct LoweredTable {
  int32_t input = 0;
  int32_t output = 0;
  ByteTable table{};
};

// SOFTMAX in the engine's own arithmetic: float sums of table entries in ascending order. Only
// hosts compute it. exponentials[d] belongs to max - x = d.
struct LoweredSoftmax {
  int32_t input = 0;
  int32_t output = 0;
  int32_t rows = 1;
  int32_t depth = 1;
  std::array<float, 256> exponentials{};
  float output_scale = 1.0f / 256.0f;
  int32_t output_zero_point = 0;  // in the model's own domain
  bool output_is_unsigned = false;
};

// float32 -> 8 bit and back; only hosts compute them.
struct LoweredQuantize {
  int32_t input = 0;
  int32_t output = 0;
  float scale = 1.0f;
  int32_t zero_point = 0;  // signed domain
  numerics::Contract contract = numerics::Contract::kTflite;
};
struct LoweredDequantize {
  int32_t input = 0;
  int32_t output = 0;
  float scale = 1.0f;
  int32_t zero_point = 0;  // signed domain
};

using LoweredOperation =
    std::variant<LoweredConvolution, LoweredDepthwiseConvolution, LoweredAdd, LoweredMul,
                 LoweredPool, LoweredMean, LoweredPad, LoweredConcatenation, LoweredReshape,
                 LoweredTransposition, LoweredResizeNearestNeighbor, LoweredResizeBilinear,
                 LoweredTable, LoweredSoftmax, LoweredQuantize, LoweredDequantize>;

struct LoweredOperator {
  std::string name;             // the model's name for it, "CONV_2D"
  int32_t source_operator = 0;  // index into Graph::operators
  LoweredOperation operation;
};

struct LoweredTensor {
  std::string name;
  DataType type = DataType::kInt8;  // as the host sees it; kUint8 is stored in the signed domain
  Shape shape;
  std::vector<std::byte> constant;  // stored-domain contents of a constant operand; else empty
};

struct LoweredGraph {
  std::string name;
  numerics::Contract contract = numerics::Contract::kTflite;
  std::vector<LoweredTensor> tensors;  // same indices as Graph::tensors
  std::vector<LoweredOperator> operators;
  std::vector<int32_t> inputs;   // tensors that come from outside
  std::vector<int32_t> outputs;  // tensors that must be readable afterwards, any of them
};

// Input and output tensors of an operation that hold activations or constant operands (weights,
// biases and tables live inside the operation).
std::vector<int32_t> operation_inputs(const LoweredOperation& operation);
int32_t operation_output(const LoweredOperation& operation);

// uint8 <-> signed domain, in place or while copying: q ^ 0x80. Other types are copied as they are.
void to_stored(DataType type, const std::byte* source, std::byte* destination, size_t bytes);
void from_stored(DataType type, const std::byte* source, std::byte* destination, size_t bytes);

}  // namespace lockstep::graph
