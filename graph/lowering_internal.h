// What the lowerings of the operator families share. Private to graph/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/lowered_graph.h"
#include "graph/lowering.h"

namespace lockstep::graph {

// The operator being lowered.
struct LoweringContext {
  const Graph& graph;
  const Operator& op;
  size_t operator_index;
  numerics::Contract contract;
};

// Whose formula an operator follows. Under `litert` that is XNNPACK's where XNNPACK takes the
// operator and the builtin kernel's where it does not; under the other contracts always the latter.
enum class Engine : uint8_t { kBuiltin, kXnnpack };

// kUnsupported, naming the graph and the operator.
tl::unexpected<Error> refuse(const LoweringContext& context, std::string_view reason);

// Operand `position`, or null where it is absent.
const Tensor* optional_input(const LoweringContext& context, size_t position);
const Tensor& input_tensor(const LoweringContext& context, size_t position);
const Tensor& output_tensor(const LoweringContext& context);

// The operand or result is a non-empty int8 or uint8 tensor with one scale and one zero point.
Status require_quantized(const LoweringContext& context, const Tensor& tensor);
// All operands at `positions` and the result are such tensors, of one type.
Status require_one_type(const LoweringContext& context, std::span<const size_t> positions);
// A dense constant that the lowering can read now.
Status require_constant(const LoweringContext& context, const Tensor& tensor);

// --- The signed domain -------------------------------------------------------------------------

// What is taken off a value of `type` to store it: 128 for uint8, 0 for int8.
constexpr int32_t storage_offset(DataType type) { return type == DataType::kUint8 ? 128 : 0; }

inline float scale_of(const Tensor& tensor) { return tensor.quantization.scales[0]; }
// The zero point in the model's own domain, and in the signed domain.
int32_t model_zero_point(const Tensor& tensor);
int32_t stored_zero_point(const Tensor& tensor);
bool same_quantization(const Tensor& a, const Tensor& b);
// An 8-bit constant in the signed domain.
std::vector<int8_t> stored_values(const Tensor& tensor);
// An int32 or int64 constant. A value outside int32 is clamped to it.
std::vector<int32_t> index_values(const Tensor& tensor);

// --- Windows and extents -----------------------------------------------------------------------

// Extents of a rank-4 tensor.
Extent4d extent_of(const Tensor& tensor);

// Fills in the padding that puts the windows onto `input` so that they give `output`. That every
// coordinate fits in 32 bits is shape inference's promise.
Window2d padded_window(Window2d window, const Extent4d& input, const Extent4d& output);

// --- Ends of kernels ---------------------------------------------------------------------------

// Bounds of a fused activation, in the signed domain.
struct ActivationRange {
  int32_t minimum = -128;
  int32_t maximum = 127;
};

// kUnsupported for activations that no engine clamps integers for (TANH, SIGN_BIT).
Result<ActivationRange> activation_range(const LoweringContext& context, Activation activation,
                                         Engine engine);

// The rounding of builtin kernels: that of the contract, or of `tflite` where the contract is
// litert and XNNPACK left the operator alone.
numerics::Rounding builtin_rounding(numerics::Contract contract, numerics::OperatorKind kind);

// The scale, or its magnitude, is one that integers express (numerics::is_usable_scale).
Status require_usable_scale(const LoweringContext& context, double scale);

// --- Families ----------------------------------------------------------------------------------

Result<LoweredOperation> lower_convolution(const LoweringContext& context,
                                           const Conv2dAttributes& attributes);
Result<LoweredOperation> lower_depthwise_convolution(const LoweringContext& context,
                                                     const DepthwiseConv2dAttributes& attributes);
Result<LoweredOperation> lower_fully_connected(const LoweringContext& context,
                                               const FullyConnectedAttributes& attributes);
Result<LoweredOperation> lower_binary(const LoweringContext& context,
                                      const BinaryAttributes& attributes);
Result<LoweredOperation> lower_pool(const LoweringContext& context,
                                    const Pool2dAttributes& attributes);
Result<LoweredOperation> lower_mean(const LoweringContext& context,
                                    const MeanAttributes& attributes);
Result<LoweredOperation> lower_pad(const LoweringContext& context);
Result<LoweredOperation> lower_concatenation(const LoweringContext& context,
                                             const ConcatenationAttributes& attributes);
Result<LoweredOperation> lower_reshape(const LoweringContext& context);
Result<LoweredOperation> lower_pixel_blocks(const LoweringContext& context,
                                            const PixelBlockAttributes& attributes);
Result<LoweredOperation> lower_resize(const LoweringContext& context,
                                      const ResizeAttributes& attributes);
Result<LoweredOperation> lower_softmax(const LoweringContext& context,
                                       const SoftmaxAttributes& attributes);
Result<LoweredOperation> lower_unary(const LoweringContext& context,
                                     const UnaryAttributes& attributes);
Result<LoweredOperation> lower_quantize(const LoweringContext& context);
Result<LoweredOperation> lower_dequantize(const LoweringContext& context);

}  // namespace lockstep::graph
