#include "quantization/removed_indices.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <span>

#include "graph/operators.h"
#include "graph/tflite_tensors.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;

class Remover {
 public:
  Remover(schema::ModelT& model, schema::SubGraphT& subgraph, const KeptIndices& kept)
      : model_(model), subgraph_(subgraph), kept_(kept) {}

  Status remove() {
    // Operands speak of extents as they were.
    for (const auto& op : subgraph_.operators) follow(*op);
    for (size_t i = 0; i < subgraph_.tensors.size(); ++i) {
      if (auto status = shrink(static_cast<int32_t>(i)); !status) return status;
    }
    return {};
  }

 private:
  schema::TensorT& tensor(int32_t index) { return *subgraph_.tensors[static_cast<size_t>(index)]; }

  // Null where the dimension loses nothing.
  const std::vector<bool>* kept_of(int32_t index, size_t axis) const {
    const auto found = kept_.find({index, axis});
    return found == kept_.end() ? nullptr : &found->second;
  }

  static int32_t count_kept(const std::vector<bool>& kept, size_t first, size_t last) {
    return static_cast<int32_t>(
        std::count(kept.begin() + static_cast<std::ptrdiff_t>(std::min(first, kept.size())),
                   kept.begin() + static_cast<std::ptrdiff_t>(std::min(last, kept.size())), true));
  }

  int32_t new_extent(int32_t index, size_t axis) {
    const auto* kept = kept_of(index, axis);
    return kept == nullptr ? tensor(index).shape[axis] : count_kept(*kept, 0, kept->size());
  }

  // ---- Tensors ----

  Status shrink(int32_t index) {
    schema::TensorT& shrunk = tensor(index);
    std::vector<const std::vector<bool>*> kept(shrunk.shape.size());
    for (size_t axis = 0; axis < kept.size(); ++axis) kept[axis] = kept_of(index, axis);
    if (std::all_of(kept.begin(), kept.end(), [](const auto* each) { return each == nullptr; })) {
      return {};
    }
    const auto old = graph::read_tensor(model_, shrunk);
    if (!old) return tl::unexpected(old.error());
    if (old->is_sparse) {
      return make_error(ErrorCode::kUnsupported, "'{}' is stored in the sparse encoding",
                        graph::printable(old->name));
    }
    if (old->is_constant()) set_contents(model_, shrunk, kept_elements(*old, kept));
    for (size_t axis = 0; axis < kept.size(); ++axis) {
      if (kept[axis] == nullptr) continue;
      shrunk.shape[axis] = new_extent(index, axis);
      const bool has_signature = axis < shrunk.shape_signature.size();
      if (has_signature && shrunk.shape_signature[axis] >= 0) {
        shrunk.shape_signature[axis] = shrunk.shape[axis];
      }
    }
    if (!old->quantization.is_per_axis()) return {};
    const auto axis = static_cast<size_t>(old->quantization.axis);
    if (kept[axis] != nullptr) shrink_quantization(*shrunk.quantization, *kept[axis]);
    return {};
  }

  static void shrink_quantization(schema::QuantizationParametersT& quantization,
                                  const std::vector<bool>& kept) {
    const auto shrink_list = [&](auto& list) {
      if (list.size() != kept.size()) return;
      size_t next = 0;
      for (size_t i = 0; i < kept.size(); ++i) {
        if (kept[i]) list[next++] = list[i];
      }
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(next), list.end());
    };
    shrink_list(quantization.scale);
    shrink_list(quantization.zero_point);
    shrink_list(quantization.min);
    shrink_list(quantization.max);
  }

  static std::vector<std::byte> kept_elements(const graph::Tensor& old,
                                              std::span<const std::vector<bool>* const> kept) {
    const size_t size = graph::data_type_size(old.type);
    std::vector<std::byte> elements;
    const std::function<void(size_t, size_t)> visit = [&](size_t axis, size_t first) {
      if (axis == old.shape.size()) {
        const auto element = old.data.subspan(first * size, size);
        elements.insert(elements.end(), element.begin(), element.end());
        return;
      }
      for (size_t i = 0; i < static_cast<size_t>(old.shape[axis]); ++i) {
        if (kept[axis] != nullptr && !(*kept[axis])[i]) continue;
        visit(axis + 1, first * static_cast<size_t>(old.shape[axis]) + i);
      }
    };
    visit(0, 0);
    return elements;
  }

  // ---- Operands and options that speak of extents ----

  void follow(schema::OperatorT& op) {
    if (op.outputs.empty() || op.outputs.front() == graph::kAbsentTensor) return;
    switch (BuiltinOperator{builtin_code(model_, op)}) {
      case BuiltinOperator::DEPTHWISE_CONV_2D:
        return follow_depthwise(op);
      case BuiltinOperator::TRANSPOSE_CONV:
        return follow_extents(op, 0, op.outputs.front());
      case BuiltinOperator::RESHAPE:
        if (auto* options = op.builtin_options.AsReshapeOptions()) {
          replace_extents(options->new_shape, op.outputs.front());
        }
        return follow_extents(op, 1, op.outputs.front());
      case BuiltinOperator::SLICE:
        return follow_extents(op, 2, op.outputs.front());
      case BuiltinOperator::PAD:
      case BuiltinOperator::PADV2:
        return follow_padding(op);
      default:
        return;
    }
  }

  void follow_depthwise(schema::OperatorT& op) {
    auto* options = op.builtin_options.AsDepthwiseConv2DOptions();
    const int32_t input_channels = new_extent(op.inputs[0], 3);
    if (options == nullptr || kept_of(op.outputs.front(), 3) == nullptr) return;
    options->depth_multiplier = new_extent(op.outputs.front(), 3) / input_channels;
  }

  // Extents of -1 are whatever is left.
  bool replace_extents(std::vector<int32_t>& extents, int32_t output) {
    bool is_changed = false;
    for (size_t axis = 0; axis < extents.size(); ++axis) {
      if (extents[axis] < 0 || kept_of(output, axis) == nullptr) continue;
      extents[axis] = new_extent(output, axis);
      is_changed = true;
    }
    return is_changed;
  }

  void follow_extents(schema::OperatorT& op, size_t position, int32_t output) {
    std::vector<int32_t> extents = integers(op, position);
    if (replace_extents(extents, output)) set_integers(op, position, extents);
  }

  void follow_padding(schema::OperatorT& op) {
    std::vector<int32_t> amounts = integers(op, 1);
    bool is_changed = false;
    for (size_t axis = 0; 2 * axis + 1 < amounts.size(); ++axis) {
      const auto* kept = kept_of(op.outputs.front(), axis);
      if (kept == nullptr) continue;
      const auto before = static_cast<size_t>(amounts[2 * axis]);
      const auto after = static_cast<size_t>(amounts[2 * axis + 1]);
      amounts[2 * axis] = count_kept(*kept, 0, before);
      amounts[2 * axis + 1] = count_kept(*kept, kept->size() - after, kept->size());
      is_changed = true;
    }
    if (is_changed) set_integers(op, 1, amounts);
  }

  std::vector<int32_t> integers(const schema::OperatorT& op, size_t position) {
    if (position >= op.inputs.size() || op.inputs[position] == graph::kAbsentTensor) return {};
    const auto& data = model_.buffers[tensor(op.inputs[position]).buffer]->data;
    std::vector<int32_t> values(data.size() / sizeof(int32_t));
    if (!values.empty()) std::memcpy(values.data(), data.data(), values.size() * sizeof(int32_t));
    return values;
  }

  // Others may go on reading the tensor as it was.
  void set_integers(schema::OperatorT& op, size_t position, const std::vector<int32_t>& values) {
    schema::TensorT changed = tensor(op.inputs[position]);
    changed.buffer = 0;
    set_contents(model_, changed, std::as_bytes(std::span(values)));
    op.inputs[position] = add_tensor(subgraph_, std::move(changed));
  }

  schema::ModelT& model_;
  schema::SubGraphT& subgraph_;
  const KeptIndices& kept_;
};

}  // namespace

Status remove_indices(schema::ModelT& model, schema::SubGraphT& subgraph, const KeptIndices& kept) {
  return Remover(model, subgraph, kept).remove();
}

}  // namespace lockstep::quantization
