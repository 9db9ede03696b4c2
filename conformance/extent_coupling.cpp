#include "conformance/extent_coupling.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <set>
#include <utility>
#include <variant>

namespace lockstep::conformance {
namespace {

using Bytes = std::vector<std::byte>;

KeptIndices first_indices(int64_t count) {
  KeptIndices indices(static_cast<size_t>(std::max<int64_t>(count, 0)));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

int32_t size_of(const KeptIndices& indices) { return static_cast<int32_t>(indices.size()); }

// Positions of a window, as shape inference has it; 0 where it does not fit.
int64_t window_positions(graph::Padding padding, int64_t input, int64_t window, int64_t stride,
                         int64_t dilation) {
  if (stride < 1 || dilation < 1 || window < 1) return 0;
  if (padding == graph::Padding::kSame) return (input + stride - 1) / stride;
  const int64_t dilated_window = (window - 1) * dilation + 1;
  return input < dilated_window ? 0 : (input - dilated_window) / stride + 1;
}

// Of block b of `from` (from_block wide) the first `kept_of_block` of block b (to_block wide).
KeptIndices map_blocks(const KeptIndices& from, int32_t from_block, int32_t to_block,
                       int32_t kept_of_block) {
  KeptIndices to;
  for (size_t i = 0; i < from.size(); i += static_cast<size_t>(from_block)) {
    const int32_t block = from[i] / from_block;
    for (int32_t j = 0; j < kept_of_block; ++j) to.push_back(block * to_block + j);
  }
  return to;
}

// Indices into dimensions merged to one, the last of them running fastest.
KeptIndices merge_indices(const std::vector<KeptIndices>& kept,
                          const std::vector<int32_t>& extents) {
  KeptIndices merged{0};
  for (size_t i = 0; i < kept.size(); ++i) {
    KeptIndices next;
    next.reserve(merged.size() * kept[i].size());
    for (const int32_t outer : merged) {
      for (const int32_t inner : kept[i]) next.push_back(outer * extents[i] + inner);
    }
    merged = std::move(next);
  }
  return merged;
}

bool consists_of_blocks(const KeptIndices& indices, int32_t block) {
  if (size_of(indices) % block != 0) return false;
  for (size_t i = 0; i < indices.size(); ++i) {
    const auto within = static_cast<int32_t>(i) % block;
    if (indices[i] % block != within) return false;
    if (within != 0 && indices[i] != indices[i - 1] + 1) return false;
  }
  return true;
}

// The elements of a dense tensor whose index is kept in every dimension.
Bytes slice(std::span<const std::byte> bytes, const graph::Shape& shape, size_t element_size,
            const std::vector<const KeptIndices*>& kept) {
  Bytes result;
  std::vector<size_t> strides(shape.size(), element_size);
  for (size_t i = shape.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * static_cast<size_t>(shape[i]);
  }
  const std::function<void(size_t, size_t)> copy = [&](size_t dimension, size_t offset) {
    if (dimension == shape.size()) {
      const auto element = bytes.subspan(offset, element_size);
      result.insert(result.end(), element.begin(), element.end());
      return;
    }
    for (const int32_t index : *kept[dimension]) {
      copy(dimension + 1, offset + static_cast<size_t>(index) * strides[dimension]);
    }
  };
  copy(0, 0);
  return result;
}

std::vector<int32_t> int32_values(const Bytes& bytes) {
  std::vector<int32_t> values(bytes.size() / sizeof(int32_t));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(int32_t));
  return values;
}

std::vector<int32_t> index_operand(const EditableCase& source, int32_t index) {
  const Bytes& bytes = source.contents[static_cast<size_t>(index)];
  if (source.tensor(index).type == graph::DataType::kInt32) return int32_values(bytes);
  std::vector<int64_t> wide(bytes.size() / sizeof(int64_t));
  if (!wide.empty()) std::memcpy(wide.data(), bytes.data(), wide.size() * sizeof(int64_t));
  std::vector<int32_t> values;
  for (const int64_t value : wide) values.push_back(static_cast<int32_t>(value));
  return values;
}

}  // namespace

// Joins extents while it goes through the operators; one overload for each.
struct ExtentCoupling::Builder {
  const EditableCase& source;
  std::vector<size_t> offsets;  // of each tensor's first dimension among all
  std::vector<int32_t> parents;
  std::vector<bool> is_fixed;
  std::vector<int32_t> extents;

  // A rule before classes have their numbers.
  struct RawRule {
    std::vector<int32_t> from;
    int32_t to = 0;
    std::function<KeptIndices(const std::vector<KeptIndices>&)> formula;
    int32_t block = 1;
  };
  std::vector<RawRule> rules;
  const graph::Operator* op = nullptr;

  explicit Builder(const EditableCase& edited) : source(edited) {
    for (const graph::Tensor& tensor : source.graph.tensors) {
      offsets.push_back(parents.size());
      for (const int32_t extent : tensor.shape) {
        parents.push_back(static_cast<int32_t>(parents.size()));
        extents.push_back(extent);
      }
    }
    is_fixed.resize(parents.size());
  }

  int32_t find(int32_t node) {
    while (parents[static_cast<size_t>(node)] != node) {
      auto& parent = parents[static_cast<size_t>(node)];
      parent = parents[static_cast<size_t>(parent)];
      node = parent;
    }
    return node;
  }
  void join(int32_t left, int32_t right) {
    // The smaller number stays, so that a class is called after the first tensor that has it.
    left = find(left);
    right = find(right);
    parents[static_cast<size_t>(std::max(left, right))] = std::min(left, right);
  }

  const graph::Shape& shape(int32_t tensor) const { return source.tensor(tensor).shape; }
  int32_t input(size_t operand) const { return op->inputs[operand]; }
  int32_t output() const { return op->outputs[0]; }
  int32_t node(int32_t tensor, size_t dimension) const {
    return static_cast<int32_t>(offsets[static_cast<size_t>(tensor)] + dimension);
  }
  void fix(int32_t tensor, size_t dimension) {
    is_fixed[static_cast<size_t>(node(tensor, dimension))] = true;
  }
  void add_rule(std::vector<int32_t> from, int32_t to,
                std::function<KeptIndices(const std::vector<KeptIndices>&)> formula,
                int32_t block = 1) {
    rules.push_back({std::move(from), to, std::move(formula), block});
  }

  void join_all(int32_t left, int32_t right) {
    for (size_t i = 0; i < shape(left).size(); ++i) join(node(left, i), node(right, i));
  }

  void couple_bias(int32_t channels) {
    if (op->inputs.size() < 3 || input(2) == graph::kAbsentTensor) return;
    const int32_t bias = input(2);
    for (size_t i = 0; i < shape(bias).size(); ++i) {
      if (shape(bias)[i] == extents[static_cast<size_t>(channels)]) {
        return join(node(bias, i), channels);
      }
    }
  }

  template <typename Window>
  void couple_window(const Window& attributes, size_t dimension, int64_t stride, int64_t dilation,
                     std::optional<int32_t> kernel_tensor, int64_t filter) {
    std::vector<int32_t> from{node(input(0), dimension)};
    if (kernel_tensor) from.push_back(node(*kernel_tensor, dimension));
    add_rule(from, node(output(), dimension),
             [padding = attributes.padding, stride, dilation,
              filter](const std::vector<KeptIndices>& kept) {
               const int64_t window = kept.size() > 1 ? size_of(kept[1]) : filter;
               return first_indices(
                   window_positions(padding, size_of(kept[0]), window, stride, dilation));
             });
  }

  template <typename Convolution>
  void couple_convolution_windows(const Convolution& attributes) {
    join(node(input(0), 0), node(output(), 0));
    couple_window(attributes, 1, attributes.stride_height, attributes.dilation_height, input(1), 0);
    couple_window(attributes, 2, attributes.stride_width, attributes.dilation_width, input(1), 0);
  }

  Status operator()(const graph::Conv2dAttributes& attributes) {
    couple_convolution_windows(attributes);
    const int32_t group_channels = shape(input(1))[3];
    const int32_t groups = shape(input(0))[3] / group_channels;
    join(node(input(1), 0), node(output(), 3));
    couple_bias(node(input(1), 0));
    if (groups == 1) {
      join(node(input(0), 3), node(input(1), 3));
      return {};
    }
    fix(input(1), 3);
    const int32_t outputs_of_group = shape(output())[3] / groups;
    add_rule(
        {node(input(0), 3)}, node(output(), 3),
        [group_channels, outputs_of_group](const std::vector<KeptIndices>& kept) {
          return map_blocks(kept[0], group_channels, outputs_of_group, outputs_of_group);
        },
        group_channels);
    return {};
  }

  Status operator()(const graph::DepthwiseConv2dAttributes& attributes) {
    couple_convolution_windows(attributes);
    join(node(input(1), 3), node(output(), 3));
    couple_bias(node(input(1), 3));
    const int32_t old_multiplier = shape(input(1))[3] / shape(input(0))[3];
    if (old_multiplier == 1) {
      join(node(input(0), 3), node(output(), 3));
      return {};
    }
    add_rule(
        {node(input(0), 3)}, node(output(), 3),
        [old_multiplier, kept_multiplier = std::min(attributes.depth_multiplier, old_multiplier)](
            const std::vector<KeptIndices>& kept) {
          return map_blocks(kept[0], 1, old_multiplier, kept_multiplier);
        });
    return {};
  }

  // Dimensions of `from` [begin, end) merged into dimension `to`; ones take no part.
  void merge(int32_t from, size_t begin, size_t end, int32_t to) {
    std::vector<int32_t> nodes;
    std::vector<int32_t> merged_extents;
    for (size_t i = begin; i < end; ++i) {
      if (shape(from)[i] == 1) continue;
      nodes.push_back(node(from, i));
      merged_extents.push_back(shape(from)[i]);
    }
    if (nodes.empty()) return;
    if (nodes.size() == 1) return join(nodes[0], to);
    add_rule(nodes, to, [merged_extents](const std::vector<KeptIndices>& kept) {
      return merge_indices(kept, merged_extents);
    });
  }

  void fix_all(int32_t tensor) {
    for (size_t i = 0; i < shape(tensor).size(); ++i) fix(tensor, i);
  }

  Status operator()(const graph::FullyConnectedAttributes& attributes) {
    const graph::Shape& values = shape(input(0));
    const int32_t weights = input(1);
    join(node(weights, 0), node(output(), shape(output()).size() - 1));
    couple_bias(node(weights, 0));
    if (attributes.keep_num_dims) {
      for (size_t i = 0; i + 1 < values.size(); ++i) join(node(input(0), i), node(output(), i));
      join(node(input(0), values.size() - 1), node(weights, 1));
      return {};
    }
    // Which innermost dimensions make a row.
    int64_t row = 1;
    size_t begin = values.size();
    while (begin > 0 && row < shape(weights)[1]) row *= values[--begin];
    if (row != shape(weights)[1]) {
      fix_all(input(0));
      fix(weights, 1);
      fix(output(), 0);
      return {};
    }
    merge(input(0), begin, values.size(), node(weights, 1));
    merge(input(0), 0, begin, node(output(), 0));
    return {};
  }

  Status operator()(const graph::BinaryAttributes&) {
    const size_t rank = shape(output()).size();
    for (const int32_t operand : op->inputs) {
      const graph::Shape& extents_of = shape(operand);
      for (size_t from_end = 1; from_end <= extents_of.size(); ++from_end) {
        const size_t dimension = extents_of.size() - from_end;
        const bool is_broadcast =
            extents_of[dimension] == 1 && shape(output())[rank - from_end] != 1;
        if (!is_broadcast) join(node(operand, dimension), node(output(), rank - from_end));
      }
    }
    return {};
  }

  Status operator()(const graph::Pool2dAttributes& attributes) {
    join(node(input(0), 0), node(output(), 0));
    join(node(input(0), 3), node(output(), 3));
    couple_window(attributes, 1, attributes.stride_height, 1, std::nullopt,
                  attributes.filter_height);
    couple_window(attributes, 2, attributes.stride_width, 1, std::nullopt, attributes.filter_width);
    return {};
  }

  Status operator()(const graph::MeanAttributes& attributes) {
    const auto rank = static_cast<int32_t>(shape(input(0)).size());
    std::set<int32_t> reduced;
    for (const int32_t axis : index_operand(source, input(1))) {
      reduced.insert(axis < 0 ? axis + rank : axis);
    }
    size_t output_dimension = 0;
    for (int32_t i = 0; i < rank; ++i) {
      const auto dimension = static_cast<size_t>(i);
      if (!reduced.contains(i)) {
        join(node(input(0), dimension), node(output(), output_dimension++));
      } else if (attributes.keep_dims) {
        ++output_dimension;
      }
    }
    return {};
  }

  Status operator()(const graph::PadAttributes&) {
    const std::vector<int32_t> amounts = index_operand(source, input(1));
    for (size_t i = 0; i < shape(input(0)).size(); ++i) {
      const int32_t added = amounts[2 * i] + amounts[2 * i + 1];
      const bool is_as_it_was = shape(output())[i] == shape(input(0))[i];
      if (added == 0 && is_as_it_was) {
        join(node(input(0), i), node(output(), i));
      } else {
        add_rule({node(input(0), i)}, node(output(), i),
                 [added](const std::vector<KeptIndices>& kept) {
                   return first_indices(int64_t{size_of(kept[0])} + added);
                 });
      }
    }
    return {};
  }

  Status operator()(const graph::ConcatenationAttributes& attributes) {
    const auto rank = static_cast<int32_t>(shape(output()).size());
    const auto axis =
        static_cast<size_t>(attributes.axis < 0 ? attributes.axis + rank : attributes.axis);
    std::vector<int32_t> from;
    std::vector<int32_t> joined;
    for (const int32_t operand : op->inputs) {
      for (size_t i = 0; i < shape(operand).size(); ++i) {
        if (i != axis) join(node(operand, i), node(output(), i));
      }
      from.push_back(node(operand, axis));
      joined.push_back(shape(operand)[axis]);
    }
    const bool is_as_it_was =
        std::accumulate(joined.begin(), joined.end(), int64_t{0}) == shape(output())[axis];
    add_rule(from, node(output(), axis),
             [joined, is_as_it_was](const std::vector<KeptIndices>& kept) {
               KeptIndices all;
               int32_t offset = 0;
               for (size_t i = 0; i < kept.size(); ++i) {
                 for (const int32_t index : kept[i]) all.push_back(offset + index);
                 offset += joined[i];
               }
               // Where an operand was taken out nobody knows any more where the others lay.
               return is_as_it_was ? all : first_indices(static_cast<int64_t>(all.size()));
             });
    return {};
  }

  // Groups of dimensions with equal products: one to one, or several that are one on the other
  // side. The one follows from the several. Several on both sides stay as they are.
  Status operator()(const graph::ReshapeAttributes&) {
    const graph::Shape& from = shape(input(0));
    const graph::Shape& to = shape(output());
    size_t i = 0;
    size_t j = 0;
    const auto skip_ones = [](const graph::Shape& extents_of, size_t& dimension) {
      while (dimension < extents_of.size() && extents_of[dimension] == 1) ++dimension;
    };
    for (skip_ones(from, i), skip_ones(to, j); i < from.size() && j < to.size();
         skip_ones(from, i), skip_ones(to, j)) {
      const size_t from_begin = i;
      const size_t to_begin = j;
      int64_t from_product = from[i++];
      int64_t to_product = to[j++];
      while (from_product != to_product) {
        if (from_product < to_product && i < from.size()) {
          from_product *= from[i++];
        } else if (j < to.size()) {
          to_product *= to[j++];
        } else {
          return make_error(ErrorCode::kUnsupported, "a reshape of other than all elements");
        }
      }
      if (j == to_begin + 1) {
        merge(input(0), from_begin, i, node(output(), to_begin));
      } else if (i == from_begin + 1) {
        merge(output(), to_begin, j, node(input(0), from_begin));
      } else {
        for (size_t d = from_begin; d < i; ++d) fix(input(0), d);
        for (size_t d = to_begin; d < j; ++d) fix(output(), d);
      }
    }
    return {};
  }

  // The output's extents are what the operand says, whatever is kept of the input.
  Status operator()(const graph::ResizeAttributes&) {
    join(node(input(0), 0), node(output(), 0));
    join(node(input(0), 3), node(output(), 3));
    const std::vector<int32_t> size = index_operand(source, input(1));
    for (const size_t dimension : {size_t{1}, size_t{2}}) {
      add_rule({node(input(0), dimension)}, node(output(), dimension),
               [extent = size[dimension - 1]](const std::vector<KeptIndices>&) {
                 return first_indices(extent);
               });
    }
    return {};
  }

  // Whole blocks of pixels stay, and of each pixel in them the same channels.
  Status operator()(const graph::PixelBlockAttributes& attributes) {
    const bool spreads = attributes.kind == graph::PixelBlockKind::kDepthToSpace;
    const int32_t blocks = spreads ? input(0) : output();
    const int32_t pixels = spreads ? output() : input(0);
    const int32_t size = attributes.block_size;
    join(node(blocks, 0), node(pixels, 0));
    for (const size_t dimension : {size_t{1}, size_t{2}}) {
      add_rule({node(blocks, dimension)}, node(pixels, dimension),
               [size](const std::vector<KeptIndices>& kept) {
                 return map_blocks(kept[0], 1, size, size);
               });
    }
    add_rule({node(pixels, 3)}, node(blocks, 3),
             [size, channels = shape(pixels)[3]](const std::vector<KeptIndices>& kept) {
               return merge_indices({first_indices(int64_t{size} * size), kept[0]},
                                    {size * size, channels});
             });
    return {};
  }

  Status operator()(const graph::SoftmaxAttributes&) { return couple_elementwise(); }
  Status operator()(const graph::UnaryAttributes&) { return couple_elementwise(); }
  Status operator()(const graph::QuantizeAttributes&) { return couple_elementwise(); }
  Status operator()(const graph::DequantizeAttributes&) { return couple_elementwise(); }
  Status couple_elementwise() {
    join_all(input(0), output());
    return {};
  }

  Status operator()(const graph::OpaqueAttributes& attributes) {
    return make_error(ErrorCode::kUnsupported, "{}", attributes.reason);
  }
};

Result<ExtentCoupling> ExtentCoupling::analyse(const EditableCase& source) {
  Builder builder(source);
  for (const graph::Operator& op : source.graph.operators) {
    builder.op = &op;
    if (Status status = std::visit(builder, op.attributes); !status) {
      return tl::unexpected(status.error());
    }
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      if (is_structural_operand(op, i) && op.inputs[i] != graph::kAbsentTensor) {
        builder.fix_all(op.inputs[i]);
      }
    }
  }
  ExtentCoupling coupling;
  std::map<int32_t, int32_t> numbers;  // of classes, by the root's node
  const auto number_of = [&](int32_t node) {
    const auto [found, is_new] =
        numbers.emplace(builder.find(node), static_cast<int32_t>(coupling.extents_.size()));
    if (is_new) {
      coupling.extents_.push_back(builder.extents[static_cast<size_t>(node)]);
      coupling.is_fixed_.push_back(false);
    }
    return found->second;
  };
  for (size_t t = 0; t < source.graph.tensors.size(); ++t) {
    std::vector<int32_t>& classes = coupling.class_of_.emplace_back();
    for (size_t d = 0; d < source.graph.tensors[t].shape.size(); ++d) {
      const int32_t node = builder.node(static_cast<int32_t>(t), d);
      classes.push_back(number_of(node));
      if (builder.is_fixed[static_cast<size_t>(node)]) {
        coupling.is_fixed_[static_cast<size_t>(classes.back())] = true;
      }
    }
  }
  for (Builder::RawRule& raw : builder.rules) {
    Rule rule{
        .from = {}, .to = number_of(raw.to), .formula = std::move(raw.formula), .block = raw.block};
    for (const int32_t node : raw.from) rule.from.push_back(number_of(node));
    coupling.rules_.push_back(std::move(rule));
  }
  return coupling;
}

std::vector<ExtentCoupling::FreeExtent> ExtentCoupling::free_extents() const {
  std::vector<int32_t> blocks(extents_.size(), 1);
  std::vector<bool> is_free(extents_.size());
  for (size_t i = 0; i < is_free.size(); ++i) is_free[i] = !is_fixed_[i];
  for (const Rule& rule : rules_) {
    for (const int32_t from : rule.from) {
      int32_t& block = blocks[static_cast<size_t>(from)];
      block = std::lcm(block, rule.block);
    }
    if (std::ranges::find(rule.from, rule.to) == rule.from.end()) {
      is_free[static_cast<size_t>(rule.to)] = false;
    }
  }
  std::vector<FreeExtent> result;
  std::vector<bool> is_listed(extents_.size());
  for (size_t t = 0; t < class_of_.size(); ++t) {
    for (size_t d = 0; d < class_of_[t].size(); ++d) {
      const auto id = static_cast<size_t>(class_of_[t][d]);
      if (!is_free[id] || is_listed[id] || extents_[id] <= blocks[id]) continue;
      is_listed[id] = true;
      result.push_back(
          {static_cast<int32_t>(id), {static_cast<int32_t>(t), d}, extents_[id], blocks[id]});
    }
  }
  return result;
}

Status ExtentCoupling::resize(EditableCase& edited,
                              const std::map<int32_t, KeptIndices>& kept) const {
  // Free extents are known; the others follow, in as many rounds as it takes.
  std::vector<std::optional<KeptIndices>> indices(extents_.size());
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = first_indices(extents_[i]);
  for (const Rule& rule : rules_) {
    if (std::ranges::find(rule.from, rule.to) == rule.from.end()) {
      indices[static_cast<size_t>(rule.to)].reset();
    }
  }
  for (const auto& [id, chosen] : kept) indices[static_cast<size_t>(id)] = chosen;
  for (size_t round = 0; round <= rules_.size(); ++round) {
    for (const Rule& rule : rules_) {
      std::vector<KeptIndices> from;
      for (const int32_t id : rule.from) {
        const auto& known = indices[static_cast<size_t>(id)];
        if (known) from.push_back(*known);
      }
      if (from.size() != rule.from.size()) continue;
      if (!consists_of_blocks(from[0], rule.block)) {
        return make_error(ErrorCode::kUnsupported, "groups of channels would be cut through");
      }
      KeptIndices to = rule.formula(from);
      auto& known = indices[static_cast<size_t>(rule.to)];
      if (to.empty() || (known && *known != to)) {
        return make_error(ErrorCode::kUnsupported, "extents would contradict each other");
      }
      known = std::move(to);
    }
  }
  for (size_t i = 0; i < indices.size(); ++i) {
    if (!indices[i] || (is_fixed_[i] && size_of(*indices[i]) != extents_[i])) {
      return make_error(ErrorCode::kUnsupported, "an extent that has to stay would change");
    }
  }

  for (size_t t = 0; t < edited.graph.tensors.size(); ++t) {
    graph::Tensor& tensor = edited.graph.tensors[t];
    std::vector<const KeptIndices*> of_tensor;
    bool is_within = true;
    bool is_whole = true;
    for (size_t d = 0; d < tensor.shape.size(); ++d) {
      of_tensor.push_back(&*indices[static_cast<size_t>(class_of_[t][d])]);
      is_within = is_within && (of_tensor[d]->empty() || of_tensor[d]->back() < tensor.shape[d]);
      is_whole = is_whole && size_of(*of_tensor[d]) == tensor.shape[d];
    }
    if (is_whole && is_within) continue;
    Bytes& contents = edited.contents[t];
    if (!is_within && (!contents.empty() || tensor.quantization.is_per_axis())) {
      return make_error(ErrorCode::kUnsupported, "a constant would have to grow");
    }
    if (!contents.empty()) {
      contents = slice(contents, tensor.shape, graph::data_type_size(tensor.type), of_tensor);
    }
    graph::Quantization& quantization = tensor.quantization;
    if (quantization.is_per_axis()) {
      graph::Quantization sliced{.scales = {}, .zero_points = {}, .axis = quantization.axis};
      for (const int32_t index : *of_tensor[static_cast<size_t>(quantization.axis)]) {
        sliced.scales.push_back(quantization.scales[static_cast<size_t>(index)]);
        sliced.zero_points.push_back(quantization.zero_points[static_cast<size_t>(index)]);
      }
      quantization = std::move(sliced);
    }
    for (size_t d = 0; d < tensor.shape.size(); ++d) tensor.shape[d] = size_of(*of_tensor[d]);
  }
  for (graph::Operator& op : edited.graph.operators) {
    auto* reshape = std::get_if<graph::ReshapeAttributes>(&op.attributes);
    if (reshape == nullptr || reshape->kind != graph::ReshapeKind::kReshape) continue;
    // The operand would win, and may be another operator's too.
    op.inputs.resize(1);
    reshape->new_shape = edited.tensor(op.outputs[0]).shape;
  }
  return {};
}

}  // namespace lockstep::conformance
