#include "quantization/channel_equalization.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "graph/operators.h"
#include "quantization/channel_indices.h"
#include "quantization/channel_relations.h"
#include "quantization/finite_constants.h"
#include "quantization/fused_activation.h"
#include "quantization/homogeneous_operators.h"
#include "quantization/layer_noise.h"
#include "quantization/operator_rules.h"
#include "quantization/weight_places.h"

namespace lockstep::quantization {
namespace {

using schema::ActivationFunctionType;
using schema::BuiltinOperator;
using Class = ChannelIndices::Class;
using Group = ChannelIndices::Group;

// How much of the way to equal ranges channels go: the best of these, by the predicted noise.
constexpr std::array kShares{0.0, 0.25, 0.5, 0.75, 1.0};
// Less than this is not worth renaming tensors: 0.1 dB.
constexpr double kLeastGain = 0.1;

// A convolution or fully connected layer with constant float weights of its own.
struct Layer {
  size_t op = 0;
  BuiltinOperator code{};
  int32_t input = 0;
  int32_t weights = 0;
  int32_t bias = graph::kAbsentTensor;
  int32_t output = 0;

  bool is_depthwise() const { return code == BuiltinOperator::DEPTHWISE_CONV_2D; }
};

class Equalizer {
 public:
  Equalizer(schema::ModelT& model, const Calibration& calibration,
            const std::set<int32_t>& untouched, Equalization equalization)
      : model_(model),
        subgraph_(*model.subgraphs.front()),
        calibration_(calibration),
        untouched_(untouched),
        headroom_(equalization == Equalization::kCautious ? 1 : 0),
        uses_(tensor_uses(subgraph_)),
        indices_(subgraph_),
        exponents_(indices_.class_limit(), 0) {}

  Result<EqualizationReport> equalize() {
    for (size_t i = 0; i < subgraph_.operators.size(); ++i) relate(i);
    fix_what_stays();
    if (Status status = read_constants(); !status) return tl::unexpected(status.error());
    EqualizationReport report;
    for (const Group& group : find_groups()) {
      if (auto equalized = choose_factors(group)) report.groups.push_back(std::move(*equalized));
    }
    if (!report.groups.empty()) apply();
    return report;
  }

 private:
  schema::TensorT& tensor(int32_t index) { return *subgraph_.tensors[static_cast<size_t>(index)]; }
  const std::string& name(int32_t index) { return tensor(index).name; }
  TensorAxis last_axis(int32_t index) const { return {index, indices_.rank(index) - 1}; }

  // ---- Which channels hang together ----

  void relate(size_t position) {
    const schema::OperatorT& op = *subgraph_.operators[position];
    const BuiltinOperator code{builtin_code(model_, op)};
    if (const auto layer = find_layer(position)) {
      relate(*layer);
      layers_.push_back(*layer);
    } else if (is_homogeneous(code) && is_linear_or_relu(op) && may_have_factors(op)) {
      relate_indices(model_, subgraph_, op, indices_);
    } else {
      fix_operands(op);
    }
  }

  // A layer where input and output channels may have factors.
  std::optional<Layer> find_layer(size_t position) {
    const schema::OperatorT& op = *subgraph_.operators[position];
    const BuiltinOperator code{builtin_code(model_, op)};
    if (code != BuiltinOperator::CONV_2D && code != BuiltinOperator::DEPTHWISE_CONV_2D &&
        code != BuiltinOperator::FULLY_CONNECTED) {
      return std::nullopt;
    }
    const WeightPlaces places = *weight_places(code);
    Layer layer{.op = position,
                .code = code,
                .input = input_at(op, places.input),
                .weights = input_at(op, places.weights),
                .bias = input_at(op, places.bias),
                .output = op.outputs.empty() ? graph::kAbsentTensor : op.outputs.front()};
    if (layer.input < 0 || layer.output < 0 || !is_own_constant(layer.weights)) return std::nullopt;
    if (layer.bias >= 0 && (!is_own_constant(layer.bias) || indices_.rank(layer.bias) != 1)) {
      return std::nullopt;
    }
    const size_t rank = code == BuiltinOperator::FULLY_CONNECTED ? 2 : 4;
    if (indices_.rank(layer.weights) != rank || indices_.rank(layer.input) == 0 ||
        indices_.rank(layer.output) == 0) {
      return std::nullopt;
    }
    const auto* options = op.builtin_options.AsFullyConnectedOptions();
    if (options != nullptr &&
        options->weights_format != schema::FullyConnectedOptionsWeightsFormat::DEFAULT) {
      return std::nullopt;
    }
    const size_t channels = indices_.extent(last_axis(layer.input));
    const size_t columns = layer.is_depthwise() ? indices_.extent(last_axis(layer.output))
                                                : indices_.extent(last_axis(layer.weights));
    // In a convolution with groups, columns count from the start in each.
    const bool fits = code == BuiltinOperator::CONV_2D ? columns == channels
                                                       : channels != 0 && columns % channels == 0;
    return fits ? std::optional(layer) : std::nullopt;
  }

  bool is_own_constant(int32_t index) {
    return index >= 0 && tensor(index).type == schema::TensorType::FLOAT32 &&
           is_constant(model_, tensor(index)) &&
           uses_.consumers[static_cast<size_t>(index)].size() == 1;
  }

  void relate(const Layer& layer) {
    const schema::OperatorT& op = *subgraph_.operators[layer.op];
    if (layer.code == BuiltinOperator::CONV_2D) {
      indices_.join_all(last_axis(layer.input), last_axis(layer.weights));
    } else if (layer.code == BuiltinOperator::FULLY_CONNECTED) {
      // Images are flattened on their way in.
      const TensorAxis channels = last_axis(layer.input);
      const TensorAxis columns = last_axis(layer.weights);
      for (size_t i = 0; i < indices_.extent(columns); ++i) {
        indices_.join(columns, i, channels, i % indices_.extent(channels));
      }
    }
    const TensorAxis made{layer.weights, layer.is_depthwise() ? size_t{3} : size_t{0}};
    indices_.join_all(last_axis(layer.output), made);
    if (layer.bias >= 0) indices_.join_all(made, {layer.bias, 0});
    // One scale for all output channels cannot take up factors.
    if (!is_linear_or_relu(op) || layer.code == BuiltinOperator::FULLY_CONNECTED) {
      indices_.fix(last_axis(layer.output), {});
    }
  }

  static bool is_linear_or_relu(const schema::OperatorT& op) {
    const ActivationFunctionType* activation = fused_activation(op);
    return activation == nullptr || *activation == ActivationFunctionType::NONE ||
           *activation == ActivationFunctionType::RELU;
  }

  // Constants must be the operator's own, since they get the factors too; and where operands are
  // combined, each must have all channels: a sum of s x and one number for all is not s times
  // anything.
  bool may_have_factors(const schema::OperatorT& op) {
    if (op.outputs.empty() || op.outputs.front() < 0) return false;
    const size_t rank = indices_.rank(op.outputs.front());
    if (rank == 0) return false;
    const size_t channels = indices_.extent(last_axis(op.outputs.front()));
    const bool is_combining = combines_operands(BuiltinOperator{builtin_code(model_, op)});
    return std::ranges::all_of(op.inputs, [&](int32_t input) {
      if (input < 0 || tensor(input).type != schema::TensorType::FLOAT32) return true;
      if (is_constant(model_, tensor(input)) && !is_own_constant(input)) return false;
      if (!is_combining) return true;
      return indices_.rank(input) != 0 && indices_.extent(last_axis(input)) == channels;
    });
  }

  void fix_operands(const schema::OperatorT& op) {
    for (const auto* operands : {&op.inputs, &op.outputs}) {
      for (const int32_t index : *operands) fix(index);
    }
  }

  void fix(int32_t index) {
    if (index < 0) return;
    for (size_t axis = 0; axis < indices_.rank(index); ++axis) indices_.fix({index, axis}, {});
  }

  void fix_what_stays() {
    for (const int32_t index : subgraph_.inputs) fix(index);
    for (const int32_t index : subgraph_.outputs) fix(index);
    for (const int32_t index : untouched_) fix(index);
    for (size_t i = 0; i < subgraph_.tensors.size(); ++i) {
      const schema::TensorT& each = *subgraph_.tensors[i];
      if (each.is_variable || each.type != schema::TensorType::FLOAT32)
        fix(static_cast<int32_t>(i));
    }
  }

  // Channels that layers make and that may have factors.
  std::vector<Group> find_groups() {
    std::vector<TensorAxis> made;
    for (const Layer& layer : layers_) made.push_back(last_axis(layer.output));
    std::vector<Group> groups = indices_.free_groups(made);
    std::erase_if(groups, [&](const Group& group) {
      return group.classes.size() < 2 || !has_only_channels(group);
    });
    return groups;
  }

  // Whether every dimension is one of activations' channels or of constants, and every activation
  // was observed channel by channel.
  bool has_only_channels(const Group& group) {
    return std::ranges::all_of(group.axes, [&](TensorAxis axis) {
      if (is_constant(model_, tensor(axis.tensor))) return true;
      return axis == last_axis(axis.tensor) && magnitudes(axis.tensor) != nullptr;
    });
  }

  // ---- What was observed ----

  struct Observed {
    std::vector<double> magnitude;    // the largest of each channel
    std::vector<double> mean_square;  // likewise
  };

  // Null where the tensor was not observed, or not channel by channel.
  const Observed* magnitudes(int32_t index) {
    const auto found = calibration_.tensors.find(index);
    if (found == calibration_.tensors.end() || indices_.rank(index) == 0 ||
        found->second.channel_count() != indices_.extent(last_axis(index))) {
      return nullptr;
    }
    const auto [entry, is_new] = observed_.try_emplace(index);
    if (is_new) {
      for (const ChannelStatistics& channel : found->second.channels()) {
        entry->second.magnitude.push_back(
            std::max(std::abs(double{channel.minimum}), std::abs(double{channel.maximum})));
        entry->second.mean_square.push_back(channel.mean_square);
      }
    }
    return &entry->second;
  }

  // ---- Factors ----

  double factor(TensorAxis axis, size_t index) const {
    return std::ldexp(1.0, exponents_[indices_.class_of(axis, index)]);
  }

  // Chooses the exponents of the group's channels; nullopt where they stay.
  std::optional<EqualizedGroup> choose_factors(const Group& group) {
    const double unequalized = predicted_noise(group);
    double least = unequalized;
    std::vector<int> best(group.classes.size(), 0);
    for (const bool is_mean : {false, true}) {
      const std::vector<double> ranges = ranges_by_whole(group, is_mean);
      for (const double share : kShares) {
        set_exponents(group, ranges, share);
        const double noise = predicted_noise(group);
        if (noise >= least) continue;
        least = noise;
        best = exponents_of(group);
      }
    }
    const double gain = least > 0 ? 10 * std::log10(unequalized / least) : 0;
    if (gain < kLeastGain) std::ranges::fill(best, 0);
    for (size_t i = 0; i < best.size(); ++i) exponents_[group.classes[i]] = best[i];
    if (gain < kLeastGain) return std::nullopt;
    return describe(group, gain);
  }

  std::vector<int> exponents_of(const Group& group) const {
    std::vector<int> exponents;
    for (const Class each : group.classes) exponents.push_back(exponents_[each]);
    return exponents;
  }

  // Of each channel, as a power of two: its range by that of the whole tensor. Of several tensors
  // the largest, so that no channel becomes the largest of any, or the mean. Infinite where
  // nothing but zeros was seen.
  std::vector<double> ranges_by_whole(const Group& group, bool is_mean) {
    constexpr double kNone = -std::numeric_limits<double>::infinity();
    std::map<Class, double> largest;
    std::map<Class, double> sums;
    std::map<Class, double> counts;
    for (const Class each : group.classes) largest[each] = kNone;
    for (const TensorAxis axis : group.axes) {
      const Observed* observed = observed_channels(axis);
      if (observed == nullptr || becomes_fused(axis.tensor) ||
          origin_of_scale(axis.tensor) != axis.tensor) {
        continue;
      }
      const double whole = std::ranges::max(observed->magnitude);
      for (size_t i = 0; i < observed->magnitude.size(); ++i) {
        const Class each = indices_.class_of(axis, i);
        if (!largest.contains(each) || !(observed->magnitude[i] > 0)) continue;
        const double range = std::log2(observed->magnitude[i] / whole);
        largest[each] = std::max(largest[each], range);
        sums[each] += range;
        counts[each] += 1;
      }
    }
    std::vector<double> ranges;
    for (const Class each : group.classes) {
      ranges.push_back(is_mean && counts[each] > 0 ? sums[each] / counts[each] : largest[each]);
    }
    return ranges;
  }

  // Channels that were never seen stay.
  void set_exponents(const Group& group, const std::vector<double>& ranges, double share) {
    for (size_t i = 0; i < ranges.size(); ++i) {
      const double wanted =
          std::isfinite(ranges[i]) ? std::floor((-ranges[i] - headroom_) * share) : 0;
      exponents_[group.classes[i]] =
          static_cast<int>(std::clamp(wanted, 0.0, double{kLargestEqualizationExponent}));
    }
  }

  // A RELU becomes part of the operator in front of it: what it reads is never an int8 tensor.
  bool becomes_fused(int32_t index) {
    const auto& readers = uses_.consumers[static_cast<size_t>(index)];
    return readers.size() == 1 && builtin_code(model_, *subgraph_.operators[readers.front()]) ==
                                      static_cast<int32_t>(BuiltinOperator::RELU);
  }

  // The tensor whose range decides the scale of `index`: the one in front of operators that move,
  // select or average the integers of a single tensor.
  int32_t origin_of_scale(int32_t index) {
    int32_t producer = uses_.producers[static_cast<size_t>(index)];
    while (producer >= 0) {
      const schema::OperatorT& op = *subgraph_.operators[static_cast<size_t>(producer)];
      const auto input = only_input_of_scale(op);
      if (!input || magnitudes(*input) == nullptr) break;
      const int32_t before = uses_.producers[static_cast<size_t>(*input)];
      if (before >= producer) break;
      index = *input;
      producer = before;
    }
    return index;
  }

  // The activation whose scale the operator's output has, where it is only one.
  std::optional<int32_t> only_input_of_scale(const schema::OperatorT& op) {
    const OperatorRule* rule = find_rule(BuiltinOperator{builtin_code(model_, op)});
    if (rule == nullptr || rule->scales != ScaleRule::kShared) return std::nullopt;
    std::optional<int32_t> only;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      if (op.inputs[i] < 0 || rule->input_role(i) != OperandRole::kActivation) continue;
      if (only) return std::nullopt;
      only = op.inputs[i];
    }
    return only;
  }

  // Of all its channels, with their factors.
  double largest_magnitude(int32_t index) {
    const Observed& observed = *magnitudes(index);
    double largest = 0;
    for (size_t c = 0; c < observed.magnitude.size(); ++c) {
      largest = std::max(largest, factor(last_axis(index), c) * observed.magnitude[c]);
    }
    return largest;
  }

  const Observed* observed_channels(TensorAxis axis) {
    return is_constant(model_, tensor(axis.tensor)) ? nullptr : magnitudes(axis.tensor);
  }

  // Of all layers that read channels of the group: how much noise is in what they make by how much
  // signal is.
  double predicted_noise(const Group& group) {
    double noise = 0;
    for (const TensorAxis axis : group.axes) {
      if (observed_channels(axis) == nullptr) continue;
      for (const size_t reader : uses_.consumers[static_cast<size_t>(axis.tensor)]) {
        const auto layer = std::ranges::find(layers_, reader, &Layer::op);
        if (layer != layers_.end() && layer->input == axis.tensor) noise += predicted_noise(*layer);
      }
    }
    return noise;
  }

  double predicted_noise(const Layer& layer) {
    const Observed* output = magnitudes(layer.output);
    const Observed* input = magnitudes(layer.input);
    if (output == nullptr || input == nullptr) return 0;
    std::vector<double> factors;
    for (size_t c = 0; c < input->magnitude.size(); ++c) {
      factors.push_back(factor(last_axis(layer.input), c));
    }
    return quantization::predicted_noise(
        weights_of(layer),
        {.input_mean_square = input->mean_square,
         .output_mean_square = output->mean_square,
         .largest_input = largest_magnitude(origin_of_scale(layer.input))},
        factors);
  }

  LayerWeights weights_of(const Layer& layer) const {
    return {.values = constants_.at(layer.weights),
            .input_channels = indices_.extent(last_axis(layer.input)),
            .output_channels = indices_.extent(last_axis(layer.output)),
            .is_depthwise = layer.is_depthwise(),
            .has_one_scale = layer.code == BuiltinOperator::FULLY_CONNECTED};
  }

  EqualizedGroup describe(const Group& group, double gain) {
    EqualizedGroup described;
    described.channels = group.classes.size();
    described.predicted_gain = gain;
    for (const Class each : group.classes) {
      described.largest_exponent = std::max(described.largest_exponent, exponents_[each]);
    }
    for (const TensorAxis axis : group.axes) {
      if (observed_channels(axis) == nullptr) continue;
      if (described.activations++ == 0) described.tensor = name(axis.tensor);
      renamed_.insert(axis.tensor);
    }
    described.tensor += kEqualizedSuffix;
    return described;
  }

  // ---- Constants ----

  Status read_constants() {
    for (const Layer& layer : layers_) {
      for (const int32_t index : {layer.weights, layer.bias}) {
        if (index < 0) continue;
        auto values = finite_values(model_, tensor(index));
        if (!values) return tl::unexpected(values.error());
        constants_[index] = std::move(*values);
      }
    }
    return {};
  }

  void apply() {
    for (const Layer& layer : layers_) {
      const LayerWeights old = weights_of(layer);
      std::vector<float> weights(old.values.begin(), old.values.end());
      for (size_t i = 0; i < weights.size(); ++i) {
        weights[i] = static_cast<float>(double{weights[i]} *
                                        factor(last_axis(layer.output), old.output_channel(i)) /
                                        factor(last_axis(layer.input), old.input_channel(i)));
      }
      replace(layer.weights, weights);
      if (layer.bias >= 0) scale(layer.bias, constants_.at(layer.bias));
    }
    // Constants that are added to channels, and the like.
    std::set<int32_t> of_layers;
    for (const auto& [index, values] : constants_) of_layers.insert(index);
    for (size_t i = 0; i < subgraph_.tensors.size(); ++i) {
      const auto index = static_cast<int32_t>(i);
      if (of_layers.contains(index) || !is_own_constant(index) || indices_.rank(index) == 0)
        continue;
      if (const auto values = finite_values(model_, tensor(index))) scale(index, *values);
    }
    for (const int32_t index : renamed_) tensor(index).name += kEqualizedSuffix;
  }

  // Multiplies every element with the factor of its channel.
  void scale(int32_t index, std::vector<float> values) {
    const size_t channels = indices_.extent(last_axis(index));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(double{values[i]} * factor(last_axis(index), i % channels));
    }
    replace(index, values);
  }

  void replace(int32_t index, const std::vector<float>& values) {
    set_contents(model_, tensor(index), std::as_bytes(std::span(values)));
  }

  schema::ModelT& model_;
  schema::SubGraphT& subgraph_;
  const Calibration& calibration_;
  const std::set<int32_t>& untouched_;
  double headroom_;  // channels grow to one over this power of two of the tensor's range
  TensorUses uses_;
  ChannelIndices indices_;
  std::vector<Layer> layers_;
  std::vector<int> exponents_;                       // by class
  std::map<int32_t, std::vector<float>> constants_;  // weights and biases, as they were
  std::map<int32_t, Observed> observed_;
  std::set<int32_t> renamed_;
};

}  // namespace

Result<EqualizationReport> equalize_channels(schema::ModelT& model, const Calibration& calibration,
                                             const std::set<int32_t>& untouched,
                                             Equalization equalization) {
  return Equalizer(model, calibration, untouched, equalization).equalize();
}

}  // namespace lockstep::quantization
