#include "quantization/symmetrize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "graph/graph.h"
#include "graph/tflite_tensors.h"
#include "quantization/affine.h"
#include "quantization/symmetric_rescaling.h"
#include "quantization/weight_places.h"

namespace lockstep::quantization {
namespace {

using schema::BuiltinOperator;
using schema::TensorType;

// What the weights of each output channel differ from their zero point, and where they lie.
class ChannelDifferences {
 public:
  ChannelDifferences(const graph::Tensor& weights, size_t axis) {
    const auto channels = static_cast<size_t>(weights.shape[axis]);
    size_t inner = 1;
    for (size_t i = axis + 1; i < weights.shape.size(); ++i) {
      inner *= static_cast<size_t>(weights.shape[i]);
    }
    positions_.resize(channels);
    differences_.resize(channels);
    const auto& zero_points = weights.quantization.zero_points;
    for (size_t i = 0; i < weights.data.size(); ++i) {
      const size_t channel = i / inner % channels;
      const int32_t zero_point = zero_points[zero_points.size() > 1 ? channel : 0];
      positions_[channel].push_back(i);
      differences_[channel].push_back(static_cast<int8_t>(weights.data[i]) - zero_point);
    }
  }

  size_t channels() const { return positions_.size(); }
  std::span<const size_t> positions(size_t channel) const { return positions_[channel]; }
  std::span<const int32_t> operator[](size_t channel) const { return differences_[channel]; }

 private:
  std::vector<std::vector<size_t>> positions_;
  std::vector<std::vector<int32_t>> differences_;
};

std::unique_ptr<schema::QuantizationParametersT> symmetric_parameters(std::vector<float> scales,
                                                                      size_t axis) {
  auto parameters = std::make_unique<schema::QuantizationParametersT>();
  parameters->zero_point.assign(scales.size(), 0);
  parameters->quantized_dimension = scales.size() > 1 ? static_cast<int32_t>(axis) : 0;
  parameters->scale = std::move(scales);
  return parameters;
}

// Weights that have become symmetric, for all operators that read them so.
struct NewWeights {
  int32_t tensor = 0;
  std::vector<SymmetricRescaling> rescalings;  // one, or one for every output channel

  const SymmetricRescaling& of(size_t channel) const {
    return rescalings[rescalings.size() > 1 ? channel : 0];
  }
  bool keeps_scales() const {
    return std::all_of(rescalings.begin(), rescalings.end(),
                       [](const SymmetricRescaling& each) { return each.keeps_scale(); });
  }
};

class Symmetrizer {
 public:
  // `was_int8`: of the tensors that the subgraph had before it was moved into the signed domain.
  Symmetrizer(schema::ModelT& model, size_t subgraph, const SymmetrizeOptions& options,
              std::vector<bool> was_int8, SymmetrizeReport& report)
      : model_(model),
        subgraph_(*model.subgraphs[subgraph]),
        subgraph_index_(subgraph),
        options_(options),
        was_int8_(std::move(was_int8)),
        report_(report) {}

  Status symmetrize_all() {
    for (size_t i = 0; i < subgraph_.operators.size(); ++i) {
      const auto places = weight_places(BuiltinOperator{builtin_code(model_, op(i))});
      if (!places || input_at(op(i), places->weights) == graph::kAbsentTensor) continue;
      if (auto status = symmetrize_operator(i, *places); !status) return status;
    }
    return {};
  }

 private:
  schema::OperatorT& op(size_t index) { return *subgraph_.operators[index]; }
  schema::TensorT& tensor(int32_t index) { return *subgraph_.tensors[static_cast<size_t>(index)]; }

  void keep(size_t index, std::string reason) {
    report_.kept.push_back({.subgraph = subgraph_index_,
                            .op = index,
                            .name = operator_name(model_, op(index)),
                            .output = tensor(op(index).outputs.front()).name,
                            .text = std::move(reason)});
  }

  Status symmetrize_operator(size_t index, const WeightPlaces& places) {
    const schema::TensorT& source = tensor(op(index).inputs[places.weights]);
    if (source.type != TensorType::INT8 || source.quantization == nullptr) return {};
    const auto weights = graph::read_tensor(model_, source);
    if (!weights) return tl::unexpected(weights.error());
    if (!weights->quantization.is_quantized() || weights->shape.size() <= places.channel_axis) {
      return {};
    }
    if (is_symmetric(*weights)) return {};
    if (auto obstacle = find_obstacle(index, places, *weights)) {
      keep(index, *std::move(obstacle));
      return {};
    }
    const NewWeights& changed = new_weights(index, places, *weights);
    if (!changed.keeps_scales()) {
      if (auto status = rescale_bias(index, places, changed); !status) return status;
    }
    op(index).inputs[places.weights] = changed.tensor;
    return {};
  }

  static bool is_symmetric(const graph::Tensor& weights) {
    const auto& zero_points = weights.quantization.zero_points;
    return std::all_of(zero_points.begin(), zero_points.end(),
                       [](int32_t zero_point) { return zero_point == 0; }) &&
           std::none_of(weights.data.begin(), weights.data.end(),
                        [](std::byte value) { return value == std::byte{0x80}; });
  }

  std::optional<std::string> find_obstacle(size_t index, const WeightPlaces& places,
                                           const graph::Tensor& weights) {
    if (weights.is_sparse) return "its weights are sparse: make them dense first";
    if (!weights.is_constant()) return "its weights are computed at run time";
    const schema::TensorT& input = tensor(op(index).inputs[places.input]);
    if (input.type != TensorType::INT8) {
      return "its input is not int8, and kernels for that read no zero point";
    }
    if (input.quantization == nullptr || input.quantization->scale.size() != 1) {
      return "its input has no single scale";
    }
    if (weights.quantization.is_per_axis() &&
        weights.quantization.axis != static_cast<int32_t>(places.channel_axis)) {
      return "the scales of its weights are not those of its output channels";
    }
    const int32_t bias = input_at(op(index), places.bias);
    if (bias != graph::kAbsentTensor && !is_constant(model_, tensor(bias))) {
      return "its bias is computed at run time, and would have to follow the scale";
    }
    return std::nullopt;
  }

  // ---- Weights ----

  const NewWeights& new_weights(size_t index, const WeightPlaces& places,
                                const graph::Tensor& weights) {
    const int32_t source = op(index).inputs[places.weights];
    const auto [entry, is_new] = new_weights_.try_emplace({source, places.channel_axis});
    if (!is_new) return entry->second;
    NewWeights& result = entry->second;

    const ChannelDifferences differences(weights, places.channel_axis);
    result.rescalings = rescalings_of(weights, differences, places);
    std::vector<std::byte> values(weights.data.size());
    for (size_t channel = 0; channel < differences.channels(); ++channel) {
      const auto channel_values = result.of(channel).channel(differences[channel]);
      for (size_t i = 0; i < channel_values.size(); ++i) {
        values[differences.positions(channel)[i]] = static_cast<std::byte>(channel_values[i]);
      }
    }
    report_weights(index, weights, differences, values, result, places);

    std::vector<float> scales;
    for (const auto& rescaling : result.rescalings) scales.push_back(rescaling.scale());
    result.tensor =
        add_like(source, symmetric_parameters(std::move(scales), places.channel_axis), values);
    return result;
  }

  std::vector<SymmetricRescaling> rescalings_of(const graph::Tensor& weights,
                                                const ChannelDifferences& differences,
                                                const WeightPlaces& places) const {
    const auto& scales = weights.quantization.scales;
    const bool per_channel =
        scales.size() > 1 || (options_.per_channel && places.may_be_per_channel);
    std::vector<SymmetricRescaling> rescalings;
    DifferenceHistogram all;
    for (size_t channel = 0; channel < differences.channels(); ++channel) {
      all.add_channel(differences[channel]);
      if (!per_channel) continue;
      DifferenceHistogram own;
      own.add_channel(differences[channel]);
      rescalings.emplace_back(own, scales[scales.size() > 1 ? channel : 0]);
    }
    // One scale where there was one and nothing is lost by it.
    const bool fits_one_scale = scales.size() == 1 && all.largest_magnitude() <= kLargestWeight;
    if (!per_channel || fits_one_scale) rescalings.assign(1, {all, scales.front()});
    return rescalings;
  }

  void report_weights(size_t index, const graph::Tensor& weights,
                      const ChannelDifferences& differences, std::span<const std::byte> values,
                      const NewWeights& changed, const WeightPlaces& places) {
    SymmetrizedWeights entry;
    entry.name = weights.name;
    entry.op = operator_name(model_, op(index));
    entry.elements = weights.data.size();
    entry.channels = differences.channels();
    const auto& scales = weights.quantization.scales;
    entry.old_scale = scales.front();
    const int32_t zero_point = weights.quantization.zero_points.front();
    const auto source = static_cast<size_t>(op(index).inputs[places.weights]);
    const bool was_int8 = source < was_int8_.size() && was_int8_[source];
    entry.old_zero_point = zero_point + (was_int8 ? 0 : 128);
    // Matrix products read the zero point of int8 weights, convolutions do not.
    entry.was_read_as_symmetric = was_int8 && zero_point != 0 && places.may_be_per_channel;
    for (const auto& rescaling : changed.rescalings) entry.scales.push_back(rescaling.scale());
    double signal = 0;
    double noise = 0;
    for (size_t channel = 0; channel < differences.channels(); ++channel) {
      double largest = 0;
      for (size_t i = 0; i < differences[channel].size(); ++i) {
        const int32_t difference = differences[channel][i];
        const auto value = static_cast<int8_t>(values[differences.positions(channel)[i]]);
        const double error = std::abs(changed.of(channel).error(difference, value));
        const double real = difference * double{scales[scales.size() > 1 ? channel : 0]};
        largest = std::max(largest, error);
        entry.mean_error += error / static_cast<double>(entry.elements);
        signal += real * real;
        noise += error * error;
      }
      entry.exact_channels += largest == 0 ? 1 : 0;
      entry.largest_error = std::max(entry.largest_error, largest);
    }
    entry.signal_to_noise = noise > 0 ? signal / noise : std::numeric_limits<double>::infinity();
    report_.weights.push_back(std::move(entry));
  }

  // ---- Bias ----

  Status rescale_bias(size_t index, const WeightPlaces& places, const NewWeights& weights) {
    const int32_t source = input_at(op(index), places.bias);
    if (source == graph::kAbsentTensor) return {};
    const auto bias = graph::read_tensor(model_, tensor(source));
    if (!bias) return tl::unexpected(bias.error());
    std::vector<int32_t> values = graph::constant_values<int32_t>(*bias);
    const auto& rescalings = weights.rescalings;
    if (values.empty() || (rescalings.size() > 1 && rescalings.size() != values.size())) {
      return make_error(ErrorCode::kInvalidModel,
                        "the bias '{}' is {} {}, for weights of {} output channels",
                        graph::printable(bias->name), graph::data_type_name(bias->type),
                        graph::shape_to_string(bias->shape), rescalings.size());
    }
    for (size_t i = 0; i < values.size(); ++i) values[i] = weights.of(i).bias(values[i]);
    const float input_scale = tensor(op(index).inputs[places.input]).quantization->scale.front();
    std::vector<float> scales;
    for (const auto& rescaling : rescalings) scales.push_back(input_scale * rescaling.scale());
    op(index).inputs[places.bias] = add_like(source, symmetric_parameters(std::move(scales), 0),
                                             std::as_bytes(std::span(values)));
    return {};
  }

  // A constant of the same name, type and shape as one that others may go on reading.
  int32_t add_like(int32_t source, std::unique_ptr<schema::QuantizationParametersT> quantization,
                   std::span<const std::byte> contents) {
    schema::TensorT added = tensor(source);
    added.buffer = 0;
    added.quantization = std::move(quantization);
    set_contents(model_, added, contents);
    return add_tensor(subgraph_, std::move(added));
  }

  schema::ModelT& model_;
  schema::SubGraphT& subgraph_;
  size_t subgraph_index_;
  const SymmetrizeOptions& options_;
  std::vector<bool> was_int8_;
  SymmetrizeReport& report_;
  std::map<std::pair<int32_t, size_t>, NewWeights> new_weights_;  // by tensor and channel axis
};

}  // namespace

Result<SymmetrizeReport> symmetrize(schema::ModelT& model, const SymmetrizeOptions& options) {
  std::vector<std::vector<bool>> was_int8;
  for (const auto& subgraph : model.subgraphs) {
    auto& tensors = was_int8.emplace_back();
    for (const auto& tensor : subgraph->tensors)
      tensors.push_back(tensor->type == TensorType::INT8);
  }
  SymmetrizeReport report;
  report.signed_domain = move_to_signed_domain(model, options.borders);
  for (size_t i = 0; i < model.subgraphs.size(); ++i) {
    Symmetrizer symmetrizer(model, i, options, std::move(was_int8[i]), report);
    if (auto status = symmetrizer.symmetrize_all(); !status) {
      return tl::unexpected(status.error());
    }
  }
  remove_unused(model);
  return report;
}

}  // namespace lockstep::quantization
