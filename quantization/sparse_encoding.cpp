#include "quantization/sparse_encoding.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "graph/tensor.h"

namespace lockstep::quantization {
namespace {

namespace schema = graph::schema;

// One level of the tree, with numbers that count elements of the dense tensor.
struct Level {
  int64_t extent = 1;
  int64_t stride = 1;  // from one index to the next
};

tl::unexpected<Error> contradiction(std::string reason) {
  return tl::unexpected(Error{ErrorCode::kInvalidModel, "sparse encoding: " + std::move(reason)});
}

// The levels of dimensions 0 to n + k - 1, where those from n on are the blocks' (`block_extents`,
// `block_map`: which dimension each of them divides). nullopt where an extent is no multiple.
std::optional<std::vector<Level>> dimension_levels(std::span<const int32_t> shape,
                                                   std::span<const int32_t> block_extents,
                                                   std::span<const int32_t> block_map) {
  const size_t rank = shape.size();
  std::vector<Level> levels(rank + block_extents.size());
  int64_t stride = 1;
  for (size_t i = rank; i-- > 0;) {
    levels[i] = {.extent = shape[i], .stride = stride};
    stride *= shape[i];
  }
  // Blocks may divide blocks: the last to divide a dimension has neighbours for elements.
  for (size_t i = block_extents.size(); i-- > 0;) {
    Level& divided = levels[static_cast<size_t>(block_map[i])];
    const int64_t extent = block_extents[i];
    if (divided.extent % extent != 0) return std::nullopt;
    levels[rank + i] = {.extent = extent, .stride = divided.stride};
    divided.extent /= extent;
    divided.stride *= extent;
  }
  return levels;
}

// ---- Indices of three widths ----

std::vector<int32_t> read_indices(const schema::SparseIndexVectorUnion& indices) {
  if (const auto* wide = indices.AsInt32Vector()) return wide->values;
  if (const auto* narrow = indices.AsUint16Vector()) {
    return {narrow->values.begin(), narrow->values.end()};
  }
  if (const auto* bytes = indices.AsUint8Vector()) {
    return {bytes->values.begin(), bytes->values.end()};
  }
  return {};
}

template <typename Vector>
Vector narrowed(const std::vector<int32_t>& values) {
  using Number = typename decltype(Vector::values)::value_type;
  Vector result;
  result.values.reserve(values.size());
  for (const int32_t value : values) result.values.push_back(static_cast<Number>(value));
  return result;
}

// In the narrowest numbers that hold them.
schema::SparseIndexVectorUnion write_indices(const std::vector<int32_t>& values) {
  schema::SparseIndexVectorUnion indices;
  const int32_t largest = values.empty() ? 0 : std::ranges::max(values);
  if (largest <= std::numeric_limits<uint8_t>::max()) {
    indices.Set(narrowed<schema::Uint8VectorT>(values));
  } else if (largest <= std::numeric_limits<uint16_t>::max()) {
    indices.Set(narrowed<schema::Uint16VectorT>(values));
  } else {
    indices.Set(narrowed<schema::Int32VectorT>(values));
  }
  return indices;
}

// ---- Decoding ----

// The dimension of each level, which must be a permutation.
Result<std::vector<size_t>> read_order(const std::vector<int32_t>& order) {
  std::vector<size_t> dimensions;
  std::vector<bool> is_seen(order.size());
  for (const int32_t dimension : order) {
    if (dimension < 0 || static_cast<size_t>(dimension) >= order.size() ||
        is_seen[static_cast<size_t>(dimension)]) {
      return contradiction("its traversal order is no permutation");
    }
    is_seen[static_cast<size_t>(dimension)] = true;
    dimensions.push_back(static_cast<size_t>(dimension));
  }
  return dimensions;
}

// Where the children of nodes begin, nodes being where their first elements lie.
using Positions = std::vector<int64_t>;

Positions dense_children(const Positions& nodes, const Level& level) {
  Positions children;
  children.reserve(nodes.size() * static_cast<size_t>(level.extent));
  for (const int64_t node : nodes) {
    for (int64_t i = 0; i < level.extent; ++i) children.push_back(node + i * level.stride);
  }
  return children;
}

// Indices must ascend, so that there are never more children than a dense level would have.
Result<Positions> compressed_children(const Positions& nodes, const Level& level,
                                      const schema::DimensionMetadataT& metadata) {
  const std::vector<int32_t> segments = read_indices(metadata.array_segments);
  const std::vector<int32_t> indices = read_indices(metadata.array_indices);
  if (segments.size() != nodes.size() + 1) {
    return contradiction(fmt::format("{} segments for {} nodes", segments.size(), nodes.size()));
  }
  if (segments.front() != 0 || static_cast<size_t>(segments.back()) != indices.size() ||
      !std::ranges::is_sorted(segments)) {
    return contradiction(fmt::format("its segments do not divide the {} indices", indices.size()));
  }
  Positions children;
  children.reserve(indices.size());
  for (size_t node = 0; node < nodes.size(); ++node) {
    int64_t previous = -1;
    for (int32_t i = segments[node]; i < segments[node + 1]; ++i) {
      const int64_t index = indices[static_cast<size_t>(i)];
      if (index <= previous || index >= level.extent) {
        return contradiction(
            fmt::format("index {} behind {}, of {}", index, previous, level.extent));
      }
      children.push_back(nodes[node] + index * level.stride);
      previous = index;
    }
  }
  return children;
}

// How many nodes a dense level can have: each has its segment in the next compressed level, or its
// elements in the end. Bounds the memory that a hostile file can ask for.
size_t most_nodes(const schema::SparsityParametersT& sparsity, size_t level, size_t stored) {
  for (size_t i = level + 1; i < sparsity.dim_metadata.size(); ++i) {
    const schema::DimensionMetadataT& metadata = *sparsity.dim_metadata[i];
    if (metadata.format == schema::DimensionType::DENSE) continue;
    return read_indices(metadata.array_segments).size();
  }
  return stored;
}

// The extents of the blocks' dimensions, which only their levels say.
Result<std::vector<int32_t>> read_block_extents(const schema::SparsityParametersT& sparsity,
                                                std::span<const size_t> order, size_t rank) {
  std::vector<int32_t> extents(order.size() - rank);
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] < rank) continue;
    const schema::DimensionMetadataT& metadata = *sparsity.dim_metadata[i];
    if (metadata.format != schema::DimensionType::DENSE) {
      return make_error(ErrorCode::kUnsupported, "sparse encoding: its blocks are compressed");
    }
    if (metadata.dense_size < 1) {
      return contradiction(fmt::format("a block's extent is {}", metadata.dense_size));
    }
    extents[order[i] - rank] = metadata.dense_size;
  }
  return extents;
}

// The levels in the order of the tree.
Result<std::vector<Level>> read_levels(const schema::SparsityParametersT& sparsity,
                                       std::span<const int32_t> shape) {
  const size_t rank = shape.size();
  const size_t count = sparsity.traversal_order.size();
  if (count != rank + sparsity.block_map.size() || count != sparsity.dim_metadata.size()) {
    return contradiction(fmt::format("{} levels and {} blocks for {} dimensions",
                                     sparsity.dim_metadata.size(), sparsity.block_map.size(),
                                     rank));
  }
  for (const int32_t dimension : sparsity.block_map) {
    if (dimension < 0 || static_cast<size_t>(dimension) >= rank) {
      return contradiction(fmt::format("a block divides dimension {} of {}", dimension, rank));
    }
  }
  const auto order = read_order(sparsity.traversal_order);
  if (!order) return tl::unexpected(order.error());
  const auto block_extents = read_block_extents(sparsity, *order, rank);
  if (!block_extents) return tl::unexpected(block_extents.error());
  const auto dimensions = dimension_levels(shape, *block_extents, sparsity.block_map);
  if (!dimensions) return contradiction("an extent is no multiple of its block's");
  std::vector<Level> levels;
  for (const size_t dimension : *order) levels.push_back((*dimensions)[dimension]);
  return levels;
}

}  // namespace

Result<std::vector<std::byte>> decode_sparse(const schema::SparsityParametersT& sparsity,
                                             std::span<const std::byte> stored, size_t element_size,
                                             std::span<const int32_t> shape) {
  const auto levels = read_levels(sparsity, shape);
  if (!levels) return tl::unexpected(levels.error());
  const auto elements = static_cast<size_t>(graph::element_count(shape).value_or(0));
  if (elements == 0) return std::vector<std::byte>{};
  if (elements > kMostDenseBytes / element_size) {
    return make_error(ErrorCode::kUnsupported, "sparse encoding: {} elements are too many to store",
                      elements);
  }
  Positions nodes = {0};
  for (size_t i = 0; i < levels->size(); ++i) {
    const Level& level = (*levels)[i];
    const schema::DimensionMetadataT& metadata = *sparsity.dim_metadata[i];
    if (metadata.format == schema::DimensionType::SPARSE_CSR) {
      auto children = compressed_children(nodes, level, metadata);
      if (!children) return tl::unexpected(children.error());
      nodes = std::move(*children);
    } else if (metadata.format != schema::DimensionType::DENSE) {
      return make_error(ErrorCode::kUnsupported, "sparse encoding: a level of kind {}",
                        static_cast<int>(metadata.format));
    } else if (metadata.dense_size != level.extent) {
      return contradiction(
          fmt::format("a dense level has {} indices, not {}", metadata.dense_size, level.extent));
    } else if (nodes.size() * static_cast<size_t>(level.extent) >
               most_nodes(sparsity, i, stored.size() / element_size)) {
      return contradiction("it describes less than its dense levels announce");
    } else {
      nodes = dense_children(nodes, level);
    }
  }
  if (stored.size() != nodes.size() * element_size) {
    return contradiction(
        fmt::format("{} bytes are stored for {} elements", stored.size(), nodes.size()));
  }
  std::vector<std::byte> dense(elements * element_size);
  for (size_t i = 0; i < nodes.size(); ++i) {
    std::memcpy(dense.data() + static_cast<size_t>(nodes[i]) * element_size,
                stored.data() + i * element_size, element_size);
  }
  return dense;
}

// ---- Encoding ----

namespace {

std::unique_ptr<schema::DimensionMetadataT> dense_level(int64_t extent) {
  auto level = std::make_unique<schema::DimensionMetadataT>();
  level->format = schema::DimensionType::DENSE;
  level->dense_size = static_cast<int32_t>(extent);
  return level;
}

std::unique_ptr<schema::DimensionMetadataT> compressed_level(const std::vector<int32_t>& segments,
                                                             const std::vector<int32_t>& indices) {
  auto level = std::make_unique<schema::DimensionMetadataT>();
  level->format = schema::DimensionType::SPARSE_CSR;
  level->array_segments = write_indices(segments);
  level->array_indices = write_indices(indices);
  return level;
}

}  // namespace

Result<SparseTensor> encode_sparse(std::span<const std::byte> dense, size_t element_size,
                                   std::span<const int32_t> shape, std::span<const int32_t> block) {
  const size_t rank = shape.size();
  if (rank == 0 || block.size() != rank ||
      std::ranges::any_of(block, [](int32_t extent) { return extent < 1; })) {
    return make_error(ErrorCode::kInvalidArgument, "blocks of {} for a tensor of {}",
                      graph::shape_to_string(block), graph::shape_to_string(shape));
  }
  SparseTensor result;
  schema::SparsityParametersT& sparsity = result.sparsity;
  std::vector<int32_t> block_extents;
  for (size_t i = 0; i < rank; ++i) {
    if (block[i] == 1) continue;
    sparsity.block_map.push_back(static_cast<int32_t>(i));
    block_extents.push_back(block[i]);
  }
  const auto levels = dimension_levels(shape, block_extents, sparsity.block_map);
  if (!levels) {
    return make_error(ErrorCode::kInvalidArgument, "{} is not made of blocks of {}",
                      graph::shape_to_string(shape), graph::shape_to_string(block));
  }
  for (size_t i = 0; i < levels->size(); ++i) {
    sparsity.traversal_order.push_back(static_cast<int32_t>(i));
  }

  // Where the rows of blocks begin, and the elements of a block from its first one on.
  Positions rows = {0};
  for (size_t i = 0; i + 1 < rank; ++i) rows = dense_children(rows, (*levels)[i]);
  Positions elements = {0};
  for (size_t i = rank; i < levels->size(); ++i) elements = dense_children(elements, (*levels)[i]);

  const auto element_at = [&](int64_t position) {
    return dense.subspan(static_cast<size_t>(position) * element_size, element_size);
  };
  const auto is_zero = [&](int64_t position) {
    return std::ranges::all_of(element_at(position), [](std::byte b) { return b == std::byte{}; });
  };
  const Level& blocks = (*levels)[rank - 1];
  std::vector<int32_t> segments = {0};
  std::vector<int32_t> indices;
  for (const int64_t row : rows) {
    for (int64_t i = 0; i < blocks.extent; ++i) {
      const int64_t first = row + i * blocks.stride;
      if (std::ranges::all_of(elements, [&](int64_t e) { return is_zero(first + e); })) continue;
      indices.push_back(static_cast<int32_t>(i));
      for (const int64_t element : elements) {
        const auto bytes = element_at(first + element);
        result.stored.insert(result.stored.end(), bytes.begin(), bytes.end());
      }
    }
    segments.push_back(static_cast<int32_t>(indices.size()));
  }

  // A constant without contents would be none: engines see that by its buffer.
  if (indices.empty() && !rows.empty() && blocks.extent > 0) {
    segments.back() = 1;
    indices.push_back(0);
    result.stored.resize(elements.size() * element_size);
  }

  for (size_t i = 0; i < levels->size(); ++i) {
    sparsity.dim_metadata.push_back(i == rank - 1 ? compressed_level(segments, indices)
                                                  : dense_level((*levels)[i].extent));
  }
  return result;
}

size_t size_in_file(const SparseTensor& tensor) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(schema::SparsityParameters::Pack(builder, &tensor.sparsity));
  return builder.GetSize() + tensor.stored.size();
}

}  // namespace lockstep::quantization
