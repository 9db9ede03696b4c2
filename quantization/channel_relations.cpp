#include "quantization/channel_relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <set>
#include <span>

#include "graph/operators.h"
#include "quantization/weight_places.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;

class Relation {
 public:
  Relation(const schema::ModelT& model, const schema::SubGraphT& subgraph,
           const schema::OperatorT& op, ChannelIndices& indices)
      : model_(model), subgraph_(subgraph), op_(op), indices_(indices) {}

  void relate() {
    const BuiltinOperator code{builtin_code(model_, op_)};
    if (!op_.outputs.empty() && has(output())) relate_by(code);
    const std::string reason = fmt::format("{} needs all of them", operator_name(model_, op_));
    for (const auto* operands : {&op_.inputs, &op_.outputs}) {
      for (const int32_t tensor : *operands) {
        if (tensor == graph::kAbsentTensor) continue;
        for (size_t axis = 0; axis < indices_.rank(tensor); ++axis) {
          if (!settled_.contains({tensor, axis})) indices_.fix({tensor, axis}, reason);
        }
      }
    }
  }

 private:
  void relate_by(BuiltinOperator code) {
    switch (code) {
      case BuiltinOperator::CONV_2D:
      case BuiltinOperator::TRANSPOSE_CONV:
        return convolution(*weight_places(code));
      case BuiltinOperator::DEPTHWISE_CONV_2D:
        return depthwise_convolution(*weight_places(code));
      case BuiltinOperator::FULLY_CONNECTED:
        return fully_connected(*weight_places(code));
      case BuiltinOperator::AVERAGE_POOL_2D:
      case BuiltinOperator::L2_POOL_2D:
      case BuiltinOperator::MAX_POOL_2D:
      case BuiltinOperator::RESIZE_BILINEAR:
      case BuiltinOperator::RESIZE_NEAREST_NEIGHBOR:
        return images();
      case BuiltinOperator::LOG_SOFTMAX:
      case BuiltinOperator::L2_NORMALIZATION:
      case BuiltinOperator::SOFTMAX:
        return all_but_the_last();
      case BuiltinOperator::SPACE_TO_BATCH_ND:
      case BuiltinOperator::BATCH_TO_SPACE_ND:
        return only_the_last();
      case BuiltinOperator::SPACE_TO_DEPTH:
        return blocks(output(), input(0));
      case BuiltinOperator::DEPTH_TO_SPACE:
        return blocks(input(0), output());
      case BuiltinOperator::MEAN:
      case BuiltinOperator::SUM:
      case BuiltinOperator::REDUCE_MAX:
      case BuiltinOperator::REDUCE_MIN:
      case BuiltinOperator::REDUCE_PROD:
        return reduction();
      case BuiltinOperator::PAD:
      case BuiltinOperator::PADV2:
        return padding(true);
      case BuiltinOperator::MIRROR_PAD:
        return padding(false);
      case BuiltinOperator::CONCATENATION:
        return concatenation();
      case BuiltinOperator::SPLIT:
        return split();
      case BuiltinOperator::SLICE:
        return slice();
      case BuiltinOperator::STRIDED_SLICE:
        return strided_slice();
      case BuiltinOperator::TRANSPOSE:
        return transpose();
      case BuiltinOperator::RESHAPE:
        // A shape that is computed cannot follow.
        if (has(input(1)) && !is_constant(model_, tensor(input(1)))) return;
        return reshape();
      case BuiltinOperator::SQUEEZE:
      case BuiltinOperator::EXPAND_DIMS:
        return reshape();
      case BuiltinOperator::ABS:
      case BuiltinOperator::ADD:
      case BuiltinOperator::ADD_N:
      case BuiltinOperator::CAST:
      case BuiltinOperator::CEIL:
      case BuiltinOperator::COS:
      case BuiltinOperator::DENSIFY:
      case BuiltinOperator::DEQUANTIZE:
      case BuiltinOperator::DIV:
      case BuiltinOperator::ELU:
      case BuiltinOperator::EXP:
      case BuiltinOperator::FAKE_QUANT:
      case BuiltinOperator::FLOOR:
      case BuiltinOperator::FLOOR_DIV:
      case BuiltinOperator::FLOOR_MOD:
      case BuiltinOperator::GELU:
      case BuiltinOperator::HARD_SWISH:
      case BuiltinOperator::LEAKY_RELU:
      case BuiltinOperator::LOG:
      case BuiltinOperator::LOGISTIC:
      case BuiltinOperator::MAXIMUM:
      case BuiltinOperator::MINIMUM:
      case BuiltinOperator::MUL:
      case BuiltinOperator::NEG:
      case BuiltinOperator::POW:
      case BuiltinOperator::PRELU:
      case BuiltinOperator::QUANTIZE:
      case BuiltinOperator::RELU:
      case BuiltinOperator::RELU6:
      case BuiltinOperator::RELU_0_TO_1:
      case BuiltinOperator::RELU_N1_TO_1:
      case BuiltinOperator::ROUND:
      case BuiltinOperator::RSQRT:
      case BuiltinOperator::SELECT_V2:
      case BuiltinOperator::SIGN:
      case BuiltinOperator::SIN:
      case BuiltinOperator::SQRT:
      case BuiltinOperator::SQUARE:
      case BuiltinOperator::SQUARED_DIFFERENCE:
      case BuiltinOperator::SUB:
      case BuiltinOperator::TANH:
      case BuiltinOperator::ZEROS_LIKE:
        return element_wise();
      default:
        return;
    }
  }

  // ---- Operands ----

  static bool has(int32_t index) { return index != graph::kAbsentTensor; }
  int32_t input(size_t position) const { return input_at(op_, position); }
  int32_t output() const { return op_.outputs.front(); }
  const schema::TensorT& tensor(int32_t index) const {
    return *subgraph_.tensors[static_cast<size_t>(index)];
  }
  size_t rank(int32_t index) const { return has(index) ? indices_.rank(index) : 0; }

  // The elements of a constant int32 operand; nullopt where it is no such thing.
  std::optional<std::vector<int32_t>> integers(size_t position) const {
    const int32_t index = input(position);
    if (!has(index) || tensor(index).type != schema::TensorType::INT32) return std::nullopt;
    const auto& data = model_.buffers[tensor(index).buffer]->data;
    if (data.empty() || data.size() % sizeof(int32_t) != 0) return std::nullopt;
    std::vector<int32_t> values(data.size() / sizeof(int32_t));
    std::memcpy(values.data(), data.data(), data.size());
    return values;
  }

  // ---- What may be said of dimensions ----

  void settle(TensorAxis axis) { settled_.insert(axis); }

  void same(TensorAxis a, TensorAxis b) {
    settle(a);
    settle(b);
    indices_.join_all(a, b);
  }

  // Index i of `many` belongs to index i % extent of `few`.
  void interleaved(TensorAxis many, TensorAxis few) {
    const size_t extent = indices_.extent(few);
    if (extent == 0 || indices_.extent(many) % extent != 0) return;
    settle(many);
    settle(few);
    for (size_t i = 0; i < indices_.extent(many); ++i) indices_.join(many, i, few, i % extent);
  }

  // Index i of `part` is index first + i of `whole`.
  void shifted(TensorAxis part, TensorAxis whole, size_t first) {
    if (first + indices_.extent(part) > indices_.extent(whole)) return;
    settle(part);
    settle(whole);
    for (size_t i = 0; i < indices_.extent(part); ++i) indices_.join(part, i, whole, first + i);
  }

  // ---- Operators with weights ----

  void bias(size_t position, TensorAxis output_channels) {
    if (rank(input(position)) == 1) same({input(position), 0}, output_channels);
  }

  void convolution(const WeightPlaces& places) {
    const int32_t x = input(places.input);
    const int32_t weights = input(places.weights);
    if (rank(x) != 4 || rank(weights) != 4 || rank(output()) != 4) return;
    const TensorAxis input_channels{x, 3};
    const TensorAxis weight_columns{weights, 3};
    // In groups every group would have to lose as many.
    if (indices_.extent(input_channels) != indices_.extent(weight_columns)) return;
    same({x, 0}, {output(), 0});
    same(input_channels, weight_columns);
    same({output(), 3}, {weights, places.channel_axis});
    bias(places.bias, {output(), 3});
  }

  void depthwise_convolution(const WeightPlaces& places) {
    const int32_t x = input(places.input);
    const int32_t weights = input(places.weights);
    if (rank(x) != 4 || rank(weights) != 4 || rank(output()) != 4) return;
    const TensorAxis input_channels{x, 3};
    const TensorAxis output_channels{output(), 3};
    const size_t channels = indices_.extent(input_channels);
    if (channels == 0 || indices_.extent(output_channels) % channels != 0) return;
    same({x, 0}, {output(), 0});
    same(output_channels, {weights, places.channel_axis});
    bias(places.bias, output_channels);
    // Of a single input channel any output channel may go.
    if (channels == 1) return;
    settle(input_channels);
    const size_t multiplier = indices_.extent(output_channels) / channels;
    for (size_t i = 0; i < indices_.extent(output_channels); ++i) {
      indices_.join(output_channels, i, input_channels, i / multiplier);
    }
  }

  void fully_connected(const WeightPlaces& places) {
    const int32_t x = input(places.input);
    const int32_t weights = input(places.weights);
    if (rank(x) == 0 || rank(weights) != 2 || rank(output()) == 0) return;
    const auto* options = op_.builtin_options.AsFullyConnectedOptions();
    if (options != nullptr &&
        options->weights_format != schema::FullyConnectedOptionsWeightsFormat::DEFAULT) {
      return;
    }
    // Images are flattened on their way in.
    interleaved({weights, 1}, {x, rank(x) - 1});
    const TensorAxis output_channels{output(), rank(output()) - 1};
    same(output_channels, {weights, 0});
    bias(places.bias, output_channels);
  }

  // ---- Operators that leave indices in their places ----

  void element_wise() {
    const size_t output_rank = rank(output());
    for (const int32_t operand : op_.inputs) {
      if (!has(operand) || rank(operand) > output_rank) continue;
      for (size_t axis = 0; axis < rank(operand); ++axis) {
        const TensorAxis from{operand, axis};
        const TensorAxis to{output(), output_rank - rank(operand) + axis};
        // One index for all is not one of them.
        if (indices_.extent(from) == 1 && indices_.extent(to) != 1) continue;
        same(from, to);
      }
    }
  }

  void images() {
    if (rank(input(0)) != 4 || rank(output()) != 4) return;
    same({input(0), 0}, {output(), 0});
    same({input(0), 3}, {output(), 3});
  }

  void all_but_the_last() {
    if (rank(input(0)) != rank(output())) return;
    for (size_t axis = 0; axis + 1 < rank(output()); ++axis) {
      same({input(0), axis}, {output(), axis});
    }
  }

  void only_the_last() {
    const size_t count = rank(output());
    if (count != 0 && rank(input(0)) == count) same({input(0), count - 1}, {output(), count - 1});
  }

  // `deep` has several pixels of `flat`, one behind the other.
  void blocks(int32_t deep, int32_t flat) {
    if (rank(deep) != 4 || rank(flat) != 4) return;
    same({deep, 0}, {flat, 0});
    interleaved({deep, 3}, {flat, 3});
  }

  // ---- Operators that move indices ----

  void reduction() {
    const auto axes = integers(1);
    const size_t input_rank = rank(input(0));
    if (!axes) return;
    std::vector<bool> is_reduced(input_rank);
    for (const int32_t axis : *axes) {
      const int64_t counted = axis < 0 ? axis + static_cast<int64_t>(input_rank) : axis;
      if (counted < 0 || counted >= static_cast<int64_t>(input_rank)) return;
      is_reduced[static_cast<size_t>(counted)] = true;
    }
    const bool keeps_rank = rank(output()) == input_rank;
    size_t target = 0;
    for (size_t axis = 0; axis < input_rank; ++axis) {
      if (!is_reduced[axis] && target < rank(output())) same({input(0), axis}, {output(), target});
      if (!is_reduced[axis] || keeps_rank) ++target;
    }
  }

  // `by_a_value`: what is added are indices of their own, which may go as well.
  void padding(bool by_a_value) {
    const auto amounts = integers(1);
    const size_t count = rank(output());
    if (!amounts || rank(input(0)) != count || amounts->size() != 2 * count) return;
    for (size_t axis = 0; axis < count; ++axis) {
      const int32_t before = (*amounts)[2 * axis];
      const int32_t after = (*amounts)[2 * axis + 1];
      if (before < 0 || after < 0 || (!by_a_value && before + after != 0)) continue;
      const TensorAxis from{input(0), axis};
      const TensorAxis to{output(), axis};
      const auto added = static_cast<size_t>(before) + static_cast<size_t>(after);
      if (indices_.extent(to) != indices_.extent(from) + added) continue;
      shifted(from, to, static_cast<size_t>(before));
    }
  }

  void concatenation() {
    const auto* options = op_.builtin_options.AsConcatenationOptions();
    const size_t count = rank(output());
    if (options == nullptr || count == 0) return;
    const int64_t counted = options->axis < 0 ? options->axis + static_cast<int64_t>(count)
                                              : static_cast<int64_t>(options->axis);
    if (counted < 0 || counted >= static_cast<int64_t>(count)) return;
    const auto joined = static_cast<size_t>(counted);
    size_t first = 0;
    for (const int32_t piece : op_.inputs) {
      if (!has(piece) || rank(piece) != count) return;
      for (size_t axis = 0; axis < count; ++axis) {
        if (axis != joined) same({piece, axis}, {output(), axis});
      }
      shifted({piece, joined}, {output(), joined}, first);
      first += indices_.extent({piece, joined});
    }
  }

  // The pieces are of one size, so that each loses the same.
  void split() {
    const auto axes = integers(0);
    const int32_t whole = input(1);
    const size_t count = rank(whole);
    if (!axes || axes->size() != 1 || count == 0) return;
    const int64_t counted = axes->front() < 0 ? axes->front() + static_cast<int64_t>(count)
                                              : static_cast<int64_t>(axes->front());
    if (counted < 0 || counted >= static_cast<int64_t>(count)) return;
    const auto cut = static_cast<size_t>(counted);
    size_t first = 0;
    for (const int32_t piece : op_.outputs) {
      if (!has(piece) || rank(piece) != count) return;
      for (size_t axis = 0; axis < count; ++axis) {
        if (axis != cut) same({piece, axis}, {whole, axis});
      }
      shifted({piece, cut}, {whole, cut}, first);
      same({piece, cut}, {output(), cut});
      first += indices_.extent({piece, cut});
    }
  }

  // Dimensions that are taken whole.
  void slice() {
    const auto begin = integers(1);
    const size_t count = rank(output());
    if (!begin || rank(input(0)) != count || begin->size() != count || !integers(2)) return;
    for (size_t axis = 0; axis < count; ++axis) {
      const bool is_whole = (*begin)[axis] == 0 &&
                            indices_.extent({input(0), axis}) == indices_.extent({output(), axis});
      if (is_whole) same({input(0), axis}, {output(), axis});
    }
  }

  void strided_slice() {
    const auto* options = op_.builtin_options.AsStridedSliceOptions();
    const auto begin = integers(1);
    const auto strides = integers(3);
    const size_t count = rank(output());
    if (options == nullptr || options->ellipsis_mask != 0 || options->new_axis_mask != 0 ||
        options->shrink_axis_mask != 0 || options->offset || rank(input(0)) != count || !begin ||
        !integers(2) || !strides || begin->size() != count || strides->size() != count) {
      return;
    }
    for (size_t axis = 0; axis < count; ++axis) {
      const bool from_the_start =
          (*begin)[axis] == 0 || (axis < 31 && (options->begin_mask >> axis & 1) != 0);
      const bool is_whole = from_the_start && (*strides)[axis] == 1 &&
                            indices_.extent({input(0), axis}) == indices_.extent({output(), axis});
      if (is_whole) same({input(0), axis}, {output(), axis});
    }
  }

  void transpose() {
    const auto order = integers(1);
    const size_t count = rank(output());
    if (!order || order->size() != count || rank(input(0)) != count) return;
    for (size_t axis = 0; axis < count; ++axis) {
      const int32_t source = (*order)[axis];
      if (source < 0 || static_cast<size_t>(source) >= count) return;
      same({input(0), static_cast<size_t>(source)}, {output(), axis});
    }
  }

  // Dimensions are taken in runs of the same number of elements, as short as possible. The last of
  // a run on either side move fastest: one counts through the other.
  void reshape() {
    const std::vector<size_t> from = longer_than_one(input(0));
    const std::vector<size_t> to = longer_than_one(output());
    size_t i = 0;
    size_t j = 0;
    while (i < from.size() && j < to.size()) {
      size_t elements_from = indices_.extent({input(0), from[i]});
      size_t elements_to = indices_.extent({output(), to[j]});
      while (elements_from != elements_to) {
        size_t& fewer = elements_from < elements_to ? elements_from : elements_to;
        const bool is_from = elements_from < elements_to;
        if ((is_from ? ++i : ++j) >= (is_from ? from.size() : to.size())) return;
        fewer *=
            is_from ? indices_.extent({input(0), from[i]}) : indices_.extent({output(), to[j]});
      }
      const TensorAxis a{input(0), from[i++]};
      const TensorAxis b{output(), to[j++]};
      if (indices_.extent(a) < indices_.extent(b)) {
        interleaved(b, a);
      } else {
        interleaved(a, b);
      }
    }
  }

  std::vector<size_t> longer_than_one(int32_t index) const {
    std::vector<size_t> axes;
    for (size_t axis = 0; axis < rank(index); ++axis) {
      if (indices_.extent({index, axis}) > 1) axes.push_back(axis);
    }
    return axes;
  }

  const schema::ModelT& model_;
  const schema::SubGraphT& subgraph_;
  const schema::OperatorT& op_;
  ChannelIndices& indices_;
  std::set<TensorAxis> settled_;  // dimensions that something was said of
};

}  // namespace

void relate_indices(const schema::ModelT& model, const schema::SubGraphT& subgraph,
                    const schema::OperatorT& op, ChannelIndices& indices) {
  Relation(model, subgraph, op, indices).relate();
}

}  // namespace lockstep::quantization
