// TFLite's encoding of sparse constants, and back.
//
// A tensor of n dimensions is stored in blocks of k of them as a tree of n + k levels. A level is
// dense: each node has a child for every index; or compressed: it has children for the listed
// indices. The leaves, in order, are the stored elements; elements without a leaf are zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/editable_model.h"
#include "graph/status.h"

namespace lockstep::quantization {

// A few bytes may stand for any number of zeros. No .tflite file holds more than this of them
// densely (graph/editable_model.h).
inline constexpr size_t kMostDenseBytes = size_t{1} << 30;

// The dense elements. Any order of levels, any blocks whose own levels are dense, all three widths
// of indices. kInvalidModel, with the reason alone, where the encoding contradicts itself, the
// shape or the number of stored bytes; kUnsupported where it is none we know, or where the dense
// elements are more than kMostDenseBytes. Precondition: the shape has an element count.
Result<std::vector<std::byte>> decode_sparse(const graph::schema::SparsityParametersT& sparsity,
                                             std::span<const std::byte> stored, size_t element_size,
                                             std::span<const int32_t> shape);

struct SparseTensor {
  graph::schema::SparsityParametersT sparsity;
  std::vector<std::byte> stored;
};

// Encodes dense elements in blocks of these extents, one for each dimension, all 1 for single
// elements. A block is stored where any byte of it is not zero, so that nothing is lost. Levels
// stand in the order of the dimensions, blocks last; the last dimension is the compressed one,
// which is what TFLite's FULLY_CONNECTED asks for. kInvalidArgument where an extent is no multiple
// of its block's, or the tensor has no dimensions.
Result<SparseTensor> encode_sparse(std::span<const std::byte> dense, size_t element_size,
                                   std::span<const int32_t> shape, std::span<const int32_t> block);

// What the encoding takes of a file, its description included.
size_t size_in_file(const SparseTensor& tensor);

}  // namespace lockstep::quantization
