#include "quantization/pruning.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "graph/tensor.h"
#include "graph/tflite_tensors.h"
#include "quantization/affine.h"
#include "quantization/weight_constants.h"

namespace lockstep::quantization {
namespace {

// A layer's weights as a matrix of output channels and everything else.
class WeightMatrix {
 public:
  WeightMatrix(graph::Tensor tensor, std::vector<float> reals, size_t channel_axis)
      : tensor_(std::move(tensor)), reals_(std::move(reals)) {
    for (size_t i = channel_axis + 1; i < tensor_.shape.size(); ++i) {
      inner_ *= static_cast<size_t>(tensor_.shape[i]);
    }
    rows_ = static_cast<size_t>(tensor_.shape[channel_axis]);
    columns_ = reals_.size() / rows_;
  }

  size_t rows() const { return rows_; }
  size_t columns() const { return columns_; }
  size_t elements() const { return reals_.size(); }
  const graph::Tensor& tensor() const { return tensor_; }

  // Elements lie as [outer][row][inner], columns as [outer][inner].
  size_t position(size_t row, size_t column) const {
    return (column / inner_ * rows_ + row) * inner_ + column % inner_;
  }
  double square(size_t row, size_t column) const {
    const double real = reals_[position(row, column)];
    return real * real;
  }
  double mean_square() const {
    double sum = 0;
    for (const float real : reals_) sum += double{real} * double{real};
    return sum / static_cast<double>(elements());
  }
  size_t zeros() const {
    return static_cast<size_t>(std::count(reals_.begin(), reals_.end(), 0.0f));
  }
  void set_to_zero(size_t row, size_t column) { reals_[position(row, column)] = 0.0f; }

  // The bytes, of which only what is zero now has changed.
  std::vector<std::byte> contents() const {
    const size_t size = graph::data_type_size(tensor_.type);
    const graph::Quantization& quantization = tensor_.quantization;
    std::vector<std::byte> bytes(tensor_.data.begin(), tensor_.data.end());
    for (size_t row = 0; row < rows_; ++row) {
      // The lowest byte of 8-bit numbers is the only one; floats have no zero point.
      const int32_t zero = quantization.is_quantized()
                               ? quantization.zero_points[quantization.is_per_axis() ? row : 0]
                               : 0;
      for (size_t column = 0; column < columns_; ++column) {
        const size_t at = position(row, column);
        if (reals_[at] != 0.0f) continue;
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at * size), size, std::byte{0});
        bytes[at * size] = static_cast<std::byte>(zero);
      }
    }
    return bytes;
  }

 private:
  graph::Tensor tensor_;
  std::vector<float> reals_;
  size_t rows_ = 0;
  size_t columns_ = 0;
  size_t inner_ = 1;
};

struct Layer {
  WeightConstant constant;
  WeightMatrix matrix;
};

struct Block {
  double magnitude = 0;  // squared
  size_t layer = 0;
  size_t row = 0;  // of its first element
  size_t column = 0;
  size_t elements = 0;
};

class Pruner {
 public:
  Pruner(schema::ModelT& model, const PruningOptions& options)
      : model_(model), subgraph_(*model.subgraphs.front()), options_(options) {}

  Result<std::vector<PrunedWeights>> prune() {
    if (auto status = read_layers(); !status) return tl::unexpected(status.error());
    std::vector<PrunedWeights> report = describe();
    if (options_.scope == PruningScope::kNetwork) {
      std::vector<Block> blocks;
      for (size_t i = 0; i < layers_.size(); ++i) add_blocks(i, blocks);
      prune_blocks(std::move(blocks));
    } else {
      for (size_t i = 0; i < layers_.size(); ++i) {
        std::vector<Block> blocks;
        add_blocks(i, blocks);
        prune_blocks(std::move(blocks));
      }
    }
    for (size_t i = 0; i < layers_.size(); ++i) {
      const WeightMatrix& matrix = layers_[i].matrix;
      report[i].zeros = matrix.zeros();
      set_contents(model_, tensor(layers_[i]), matrix.contents());
    }
    return report;
  }

 private:
  schema::TensorT& tensor(const Layer& layer) {
    return *subgraph_.tensors[static_cast<size_t>(layer.constant.tensor)];
  }

  Status read_layers() {
    for (const WeightConstant& constant : find_weight_constants(model_, subgraph_)) {
      if (constant.is_depthwise && !options_.depthwise) continue;
      auto weights =
          graph::read_tensor(model_, *subgraph_.tensors[static_cast<size_t>(constant.tensor)]);
      if (!weights) return tl::unexpected(weights.error());
      if (weights->is_sparse) {
        return make_error(ErrorCode::kUnsupported,
                          "'{}' is stored in the sparse encoding: make it dense first",
                          graph::printable(weights->name));
      }
      if (!is_prunable(*weights)) continue;
      auto reals = real_values(*weights, weights->data);
      if (!reals) return tl::unexpected(reals.error());
      const auto odd = std::find_if_not(reals->begin(), reals->end(),
                                        [](float real) { return std::isfinite(real); });
      if (odd != reals->end()) {
        return make_error(ErrorCode::kInvalidArgument, "'{}': element {} is {}",
                          graph::printable(weights->name), odd - reals->begin(), *odd);
      }
      layers_.push_back(
          {constant, WeightMatrix(std::move(*weights), std::move(*reals), constant.channel_axis)});
    }
    return {};
  }

  static bool is_prunable(const graph::Tensor& weights) {
    switch (weights.type) {
      case graph::DataType::kFloat32:
      case graph::DataType::kFloat16:
        return !weights.data.empty();
      case graph::DataType::kInt8:
      case graph::DataType::kUint8:
        return !weights.data.empty() && weights.quantization.is_quantized();
      default:
        return false;
    }
  }

  std::vector<PrunedWeights> describe() const {
    std::vector<PrunedWeights> report;
    for (const Layer& layer : layers_) {
      report.push_back({.tensor = layer.constant.tensor,
                        .name = layer.matrix.tensor().name,
                        .op = operator_name(model_, *subgraph_.operators[layer.constant.op]),
                        .channel_axis = layer.constant.channel_axis,
                        .elements = layer.matrix.elements(),
                        .zeros_before = layer.matrix.zeros(),
                        .zeros = 0});
    }
    return report;
  }

  void add_blocks(size_t index, std::vector<Block>& blocks) const {
    const WeightMatrix& matrix = layers_[index].matrix;
    const double mean = matrix.mean_square();
    const double unit = options_.scope == PruningScope::kNetwork && mean > 0 ? mean : 1.0;
    for (size_t row = 0; row < matrix.rows(); row += options_.block.rows) {
      for (size_t column = 0; column < matrix.columns(); column += options_.block.columns) {
        Block block{.layer = index, .row = row, .column = column};
        for_each_element(block, [&](size_t r, size_t c) {
          block.magnitude += matrix.square(r, c);
          ++block.elements;
        });
        block.magnitude /= unit * static_cast<double>(block.elements);
        blocks.push_back(block);
      }
    }
  }

  template <typename Visit>
  void for_each_element(const Block& block, Visit&& visit) const {
    const WeightMatrix& matrix = layers_[block.layer].matrix;
    const size_t last_row = std::min(block.row + options_.block.rows, matrix.rows());
    const size_t last_column = std::min(block.column + options_.block.columns, matrix.columns());
    for (size_t row = block.row; row < last_row; ++row) {
      for (size_t column = block.column; column < last_column; ++column) visit(row, column);
    }
  }

  void prune_blocks(std::vector<Block> blocks) {
    std::stable_sort(blocks.begin(), blocks.end(),
                     [](const Block& a, const Block& b) { return a.magnitude < b.magnitude; });
    size_t elements = 0;
    for (const Block& block : blocks) elements += block.elements;
    const auto wanted = static_cast<size_t>(options_.sparsity * static_cast<double>(elements));
    size_t pruned = 0;
    for (const Block& block : blocks) {
      if (pruned + block.elements > wanted) break;
      pruned += block.elements;
      for_each_element(block, [&](size_t row, size_t column) {
        layers_[block.layer].matrix.set_to_zero(row, column);
      });
    }
  }

  schema::ModelT& model_;
  schema::SubGraphT& subgraph_;
  const PruningOptions& options_;
  std::vector<Layer> layers_;
};

}  // namespace

Result<std::vector<PrunedWeights>> prune_weights(schema::ModelT& model,
                                                 const PruningOptions& options) {
  if (!(options.sparsity >= 0 && options.sparsity < 1)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "a sparsity of {} cannot be: at least 0 and below 1 is possible",
                      options.sparsity);
  }
  if (options.block.rows == 0 || options.block.columns == 0) {
    return make_error(ErrorCode::kInvalidArgument, "blocks of {}x{} weights have no weights",
                      options.block.rows, options.block.columns);
  }
  return Pruner(model, options).prune();
}

}  // namespace lockstep::quantization
