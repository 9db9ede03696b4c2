#include "quantization/weight_storage.h"

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "graph/tensor.h"
#include "quantization/constants.h"
#include "quantization/sparse_encoding.h"
#include "quantization/sparse_storage.h"

namespace lockstep::quantization {
namespace {

using Extents = std::vector<int32_t>;

// A block of the matrix of [output channels, everything else] in the tensor's own dimensions: rows
// count along the channels, columns along the last of the others. nullopt where these are no
// multiples of it.
std::optional<Extents> block_of_tensor(const Extents& shape, size_t channel_axis,
                                       PruningBlock block) {
  Extents extents(shape.size(), 1);
  const size_t last = channel_axis + 1 == shape.size() ? channel_axis - 1 : shape.size() - 1;
  const bool has_columns = shape.size() > 1;
  if (!has_columns && block.columns > 1) return std::nullopt;
  const auto divides = [&](size_t extent, size_t axis) {
    return static_cast<size_t>(shape[axis]) % extent == 0;
  };
  if (!divides(block.rows, channel_axis)) return std::nullopt;
  extents[channel_axis] = static_cast<int32_t>(block.rows);
  if (!has_columns) return extents;
  if (!divides(block.columns, last)) return std::nullopt;
  extents[last] = static_cast<int32_t>(block.columns);
  return extents;
}

size_t stored_bytes(const schema::ModelT& model, const schema::TensorT& tensor) {
  const auto& data = model.buffers[tensor.buffer]->data;
  if (tensor.sparsity == nullptr) return data.size();
  const auto bytes = std::as_bytes(std::span(data));
  return size_in_file({*tensor.sparsity, {bytes.begin(), bytes.end()}});
}

// The blocks in which the encoding takes least.
Result<Extents> best_blocks(const schema::ModelT& model, const schema::TensorT& tensor,
                            size_t channel_axis, PruningBlock block) {
  const auto contents = dense_contents(model, tensor);
  if (!contents) return tl::unexpected(contents.error());
  const size_t elements = static_cast<size_t>(graph::element_count(tensor.shape).value_or(0));
  const Extents single(tensor.shape.size(), 1);
  const auto blocks = block_of_tensor(tensor.shape, channel_axis, block);
  if (!blocks || elements == 0) return single;
  const auto size_in = [&](const Extents& extents) -> Result<size_t> {
    return encode_sparse(*contents, contents->size() / elements, tensor.shape, extents)
        .transform(size_in_file);
  };
  const auto of_blocks = size_in(*blocks);
  if (!of_blocks) return tl::unexpected(of_blocks.error());
  const auto of_single = size_in(single);
  if (!of_single) return tl::unexpected(of_single.error());
  return *of_blocks <= *of_single ? *blocks : single;
}

}  // namespace

StoredWeights weights_as_they_are(const schema::ModelT& model, int32_t tensor, std::string reason) {
  const auto& subgraph = *model.subgraphs.front();
  StoredWeights stored;
  stored.dense_bytes = stored_bytes(model, *subgraph.tensors[static_cast<size_t>(tensor)]);
  stored.bytes = stored.dense_bytes;
  stored.reason = std::move(reason);
  return stored;
}

Result<StoredWeights> store_weights_sparsely(schema::ModelT& model, int32_t tensor,
                                             size_t channel_axis, PruningBlock block) {
  schema::SubGraphT& subgraph = *model.subgraphs.front();
  const schema::TensorT& weights = *subgraph.tensors[static_cast<size_t>(tensor)];
  if (weights.type == schema::TensorType::UINT8) {
    return weights_as_they_are(model, tensor, "TFLite has no sparse uint8");
  }
  StoredWeights stored =
      weights_as_they_are(model, tensor, "the sparse encoding would be no smaller");
  const auto blocks = best_blocks(model, weights, channel_axis, block);
  if (!blocks) return tl::unexpected(blocks.error());
  const auto is_sparse = store_sparsely(model, subgraph, tensor, *blocks);
  if (!is_sparse) return tl::unexpected(is_sparse.error());
  if (*is_sparse) {
    stored.reason.clear();
    stored.bytes = stored_bytes(model, weights);
  }
  return stored;
}

}  // namespace lockstep::quantization
