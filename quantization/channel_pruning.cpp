#include "quantization/channel_pruning.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "graph/operators.h"
#include "graph/tensor.h"
#include "quantization/channel_indices.h"
#include "quantization/channel_relations.h"
#include "quantization/constants.h"
#include "quantization/removed_indices.h"
#include "quantization/weight_constants.h"
#include "quantization/weight_places.h"

namespace lockstep::quantization {
namespace {

using Class = ChannelIndices::Class;

class ChannelPruner {
 public:
  ChannelPruner(schema::ModelT& model, double fraction)
      : model_(model),
        subgraph_(*model.subgraphs.front()),
        fraction_(fraction),
        indices_(subgraph_),
        scores_(indices_.class_limit(), 0.0),
        is_removed_(indices_.class_limit()) {}

  Result<ChannelPruningReport> prune() {
    ChannelPruningReport report;
    report.weights_before = count_constants();
    relate();
    find_layers(report);
    if (auto status = score(); !status) return tl::unexpected(status.error());
    choose();
    describe(report);
    if (auto status = remove_indices(model_, subgraph_, kept_indices()); !status) {
      return tl::unexpected(status.error());
    }
    report.weights = count_constants();
    return report;
  }

 private:
  size_t count_constants() const {
    size_t count = 0;
    for (const auto& tensor : subgraph_.tensors) {
      if (!is_constant(model_, *tensor)) continue;
      count += static_cast<size_t>(graph::element_count(tensor->shape).value_or(0));
    }
    return count;
  }

  void relate() {
    for (const auto& op : subgraph_.operators) relate_indices(model_, subgraph_, *op, indices_);
    fix_all(subgraph_.inputs, "they are an input of the network");
    fix_all(subgraph_.outputs, "they are an output of the network");
    for (size_t i = 0; i < subgraph_.tensors.size(); ++i) {
      if (!subgraph_.tensors[i]->is_variable) continue;
      fix_all({static_cast<int32_t>(i)}, "they keep their contents from run to run");
    }
  }

  void fix_all(const std::vector<int32_t>& tensors, const std::string& reason) {
    for (const int32_t tensor : tensors) {
      for (size_t axis = 0; axis < indices_.rank(tensor); ++axis) {
        indices_.fix({tensor, axis}, reason);
      }
    }
  }

  // Operators that make channels from constant weights, and the dimension that counts them.
  void find_layers(ChannelPruningReport& report) {
    const TensorUses uses = tensor_uses(subgraph_);
    for (size_t i = 0; i < subgraph_.operators.size(); ++i) {
      const schema::OperatorT& op = *subgraph_.operators[i];
      const auto places = weight_places(schema::BuiltinOperator{builtin_code(model_, op)});
      if (!places || op.outputs.empty() || op.outputs.front() == graph::kAbsentTensor) continue;
      const int32_t weights = input_at(op, places->weights);
      if (weights == graph::kAbsentTensor || indices_.rank(weights) <= places->channel_axis ||
          constant_behind(model_, subgraph_, uses, weights) == graph::kAbsentTensor) {
        continue;
      }
      layers_.push_back({weights, places->channel_axis});
      PrunedLayer layer{.op = i,
                        .name = operator_name(model_, op),
                        .output = subgraph_.tensors[static_cast<size_t>(op.outputs.front())]->name,
                        .channels_before = indices_.extent(layers_.back()),
                        .channels = 0,
                        .reason = {}};
      report.layers.push_back(std::move(layer));
    }
  }

  // Adds to each class what its channels weigh among those of each layer.
  Status score() {
    for (const WeightConstant& constant : find_weight_constants(model_, subgraph_)) {
      const schema::TensorT& tensor = *subgraph_.tensors[static_cast<size_t>(constant.tensor)];
      const auto reals = real_contents(model_, tensor);
      if (!reals) return tl::unexpected(reals.error());
      const TensorAxis axis{constant.tensor, constant.channel_axis};
      const size_t channels = indices_.extent(axis);
      size_t inner = 1;
      for (size_t i = constant.channel_axis + 1; i < tensor.shape.size(); ++i) {
        inner *= static_cast<size_t>(tensor.shape[i]);
      }
      std::vector<double> energies(channels, 0.0);
      double mean = 0;
      for (size_t i = 0; i < reals->size(); ++i) {
        const double energy = double{(*reals)[i]} * double{(*reals)[i]};
        energies[i / inner % channels] += energy;
        mean += energy / static_cast<double>(channels);
      }
      for (size_t i = 0; i < channels && mean > 0; ++i) {
        scores_[indices_.class_of(axis, i)] += energies[i] / mean;
      }
    }
    return {};
  }

  void choose() {
    for (ChannelIndices::Group& classes : indices_.free_groups(layers_)) {
      std::vector<Class>& group = classes.classes;
      std::sort(group.begin(), group.end(), [&](Class a, Class b) {
        return std::pair(scores_[a], a) < std::pair(scores_[b], b);
      });
      const auto share = static_cast<size_t>(fraction_ * static_cast<double>(group.size()));
      const size_t removed = std::min(share, group.size() - 1);
      for (size_t i = 0; i < removed; ++i) is_removed_[group[i]] = true;
    }
  }

  void describe(ChannelPruningReport& report) const {
    for (size_t i = 0; i < layers_.size(); ++i) {
      PrunedLayer& layer = report.layers[i];
      for (size_t channel = 0; channel < layer.channels_before; ++channel) {
        const Class each = indices_.class_of(layers_[i], channel);
        layer.channels += is_removed_[each] ? 0 : 1;
        const std::string* reason = indices_.reason_against(each);
        if (reason != nullptr && layer.reason.empty()) layer.reason = *reason;
      }
      if (layer.channels < layer.channels_before) {
        layer.reason.clear();
      } else if (layer.reason.empty()) {
        layer.reason = "the fraction of so few is none";
      }
    }
  }

  KeptIndices kept_indices() const {
    KeptIndices kept;
    indices_.for_each([&](TensorAxis axis, size_t index, Class each) {
      if (!is_removed_[each]) return;
      auto& flags = kept[axis];
      if (flags.empty()) flags.assign(indices_.extent(axis), true);
      flags[index] = false;
    });
    return kept;
  }

  schema::ModelT& model_;
  schema::SubGraphT& subgraph_;
  double fraction_;
  ChannelIndices indices_;
  std::vector<TensorAxis> layers_;
  std::vector<double> scores_;    // by class
  std::vector<bool> is_removed_;  // likewise
};

}  // namespace

Result<ChannelPruningReport> prune_channels(schema::ModelT& model, double fraction) {
  if (!(fraction >= 0 && fraction < 1)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{} of the channels cannot be removed: at least 0 and below 1 is possible",
                      fraction);
  }
  auto report = ChannelPruner(model, fraction).prune();
  if (report) remove_unused(model);
  return report;
}

}  // namespace lockstep::quantization
