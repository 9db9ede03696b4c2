// The operation of each kind of operator. Every function packs what it needs of its argument, which
// may go afterwards.
#pragma once

#include <memory>

#include "backend/cpu/operation.h"

namespace lockstep::backend::cpu {

using OperationPointer = std::unique_ptr<Operation>;

// convolution.cpp
OperationPointer make_operation(const graph::LoweredConvolution& convolution, const Target& target);
// depthwise_convolution.cpp
OperationPointer make_operation(const graph::LoweredDepthwiseConvolution& convolution,
                                const Target& target);
// elementwise.cpp
OperationPointer make_operation(const graph::LoweredAdd& add, const Target& target);
OperationPointer make_operation(const graph::LoweredMul& mul, const Target& target);
// pool.cpp
OperationPointer make_operation(const graph::LoweredPool& pool, const Target& target);
// mean.cpp
OperationPointer make_operation(const graph::LoweredMean& mean, const Target& target);
// data_movement.cpp
OperationPointer make_operation(const graph::LoweredPad& pad, const Target& target);
OperationPointer make_operation(const graph::LoweredConcatenation& concatenation,
                                const Target& target);
OperationPointer make_operation(const graph::LoweredTransposition& transposition,
                                const Target& target);
// `bytes`: of the tensor, whatever its type.
OperationPointer make_copy(const graph::LoweredReshape& reshape, int64_t bytes,
                           const Target& target);
// resize.cpp
OperationPointer make_operation(const graph::LoweredResizeNearestNeighbor& resize,
                                const Target& target);
OperationPointer make_operation(const graph::LoweredResizeBilinear& resize, const Target& target);
// table.cpp; `elements`: of the tensor.
OperationPointer make_table(const graph::LoweredTable& table, int64_t elements,
                            const Target& target);
// softmax.cpp
OperationPointer make_operation(const graph::LoweredSoftmax& softmax, const Target& target);
// quantize.cpp; `elements`: of the tensor.
OperationPointer make_quantize(const graph::LoweredQuantize& quantize, int64_t elements,
                               const Target& target);
OperationPointer make_dequantize(const graph::LoweredDequantize& dequantize, int64_t elements,
                                 const Target& target);

}  // namespace lockstep::backend::cpu
