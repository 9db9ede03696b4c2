#include "quantization/model_comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "quantization/affine.h"

namespace lockstep::quantization {
namespace {

const graph::Tensor& tensor_at(const graph::Graph& graph, int32_t index) {
  return graph.tensors[static_cast<size_t>(index)];
}

Result<std::vector<float>> values_of(const ComparedNetwork& network, int32_t index) {
  const auto bytes = network.tensor(index);
  if (!bytes) return tl::unexpected(bytes.error());
  return real_values(tensor_at(network.graph(), index), *bytes);
}

struct ValuePair {
  std::vector<float> expected;
  std::vector<float> actual;
};

// Both sides of a pair after a run.
Result<ValuePair> values_of(const TensorMatch& match, const ComparedNetwork& expected,
                            const ComparedNetwork& actual) {
  auto expected_values = values_of(expected, match.expected);
  if (!expected_values) return tl::unexpected(expected_values.error());
  auto actual_values = values_of(actual, match.actual);
  if (!actual_values) return tl::unexpected(actual_values.error());
  if (expected_values->size() != actual_values->size()) {
    return make_error(ErrorCode::kUnsupported, "tensor '{}' has {} elements, its counterpart {}",
                      graph::printable(tensor_at(expected.graph(), match.expected).name),
                      expected_values->size(), actual_values->size());
  }
  return ValuePair{std::move(*expected_values), std::move(*actual_values)};
}

void add(TensorComparison& comparison, const ValuePair& values) {
  comparison.error.add(values.expected, values.actual);
  std::vector<float> differences;
  differences.reserve(values.expected.size());
  for (size_t i = 0; i < values.expected.size(); ++i) {
    const float difference = values.actual[i] - values.expected[i];
    if (std::isfinite(difference)) differences.push_back(difference);
  }
  comparison.differences.add(differences);
}

// The number of classes where a tensor is one list of scores for each index of its first dimension,
// else 0.
size_t class_count_of(const graph::Shape& shape) {
  const bool is_list =
      shape.size() >= 2 && shape.back() >= 2 &&
      std::all_of(shape.begin() + 1, shape.end() - 1, [](int32_t extent) { return extent == 1; });
  return is_list ? static_cast<size_t>(shape.back()) : 0;
}

void add(OutputComparison& output, const ValuePair& values, size_t sample) {
  ErrorStatistics error;
  error.add(values.expected, values.actual);
  SampleComparison of_sample = {.sample = sample,
                                .largest_error = error.largest_error(),
                                .l2 = error.l2(),
                                .sqnr = error.sqnr()};
  const size_t classes = output.class_count;
  if (classes > 0 && !values.expected.empty()) {
    for (size_t first = 0; first < values.expected.size(); first += classes) {
      output.agreement.add(std::span(values.expected).subspan(first, classes),
                           std::span(values.actual).subspan(first, classes));
    }
    of_sample.expected_class = best_classes(std::span(values.expected).first(classes), 1).front();
    of_sample.actual_class = best_classes(std::span(values.actual).first(classes), 1).front();
  }
  output.samples.push_back(of_sample);
}

// The SQNR that arrives at every layer.
class ArrivingSqnr {
 public:
  ArrivingSqnr(const graph::Graph& graph, const ModelComparison& comparison) {
    for (const TensorComparison& input : comparison.inputs) {
      sqnr_[input.match.expected] = input.error.sqnr();
    }
    for (const LayerComparison& layer : comparison.layers) {
      sqnr_[layer.tensor.match.expected] = layer.tensor.error.sqnr();
    }
    // What has no counterpart is as good as what it is made of.
    for (const graph::Operator& op : graph.operators) {
      const double arriving = at(op);
      for (const int32_t output : op.outputs) {
        if (output != graph::kAbsentTensor) sqnr_.try_emplace(output, arriving);
      }
    }
  }

  double at(const graph::Operator& op) const {
    double least = std::numeric_limits<double>::infinity();
    for (const int32_t input : op.inputs) {
      const auto sqnr = sqnr_.find(input);
      if (sqnr != sqnr_.end()) least = std::min(least, sqnr->second);
    }
    return least;
  }

 private:
  std::map<int32_t, double> sqnr_;  // by tensor
};

void find_input_sqnr(const graph::Graph& graph, ModelComparison& comparison) {
  const ArrivingSqnr arriving(graph, comparison);
  std::map<int32_t, const graph::Operator*> producers;
  for (const graph::Operator& op : graph.operators) {
    for (const int32_t output : op.outputs) producers[output] = &op;
  }
  for (LayerComparison& layer : comparison.layers) {
    layer.input_sqnr = arriving.at(*producers.at(layer.tensor.match.expected));
  }
}

ModelComparison prepared(const graph::Graph& graph, const graph::Graph& actual,
                         TensorMatching matching) {
  ModelComparison comparison;
  std::map<int32_t, std::string> operator_names;
  for (const graph::Operator& op : graph.operators) {
    for (const int32_t output : op.outputs) operator_names[output] = op.name;
  }
  for (const TensorMatch& match : matching.inputs) comparison.inputs.emplace_back().match = match;
  for (const TensorMatch& match : matching.layers) {
    // Texts and resources are no numbers to compare.
    if (tensor_at(graph, match.expected).type == graph::DataType::kOther ||
        tensor_at(actual, match.actual).type == graph::DataType::kOther) {
      continue;
    }
    LayerComparison& layer = comparison.layers.emplace_back();
    layer.tensor.match = match;
    layer.operator_name = operator_names[match.expected];
    const graph::Shape& shape = tensor_at(graph, match.expected).shape;
    if (match.kind == MatchKind::kEqualized && !shape.empty()) {
      layer.tensor.equalized.emplace(static_cast<size_t>(shape.back()));
    }
  }
  for (const TensorMatch& match : matching.outputs) {
    OutputComparison& output = comparison.outputs.emplace_back();
    output.tensor.match = match;
    output.class_count = class_count_of(tensor_at(graph, match.expected).shape);
  }
  comparison.matching = std::move(matching);
  return comparison;
}

Status compare_sample(ModelComparison& comparison, size_t sample, const ComparedNetwork& expected,
                      const ComparedNetwork& actual) {
  for (TensorComparison& input : comparison.inputs) {
    const auto values = values_of(input.match, expected, actual);
    if (!values) return tl::unexpected(values.error());
    add(input, *values);
  }
  for (LayerComparison& layer : comparison.layers) {
    auto values = values_of(layer.tensor.match, expected, actual);
    if (!values) return tl::unexpected(values.error());
    if (layer.tensor.equalized) {
      const bool is_expected =
          is_equalized(tensor_at(expected.graph(), layer.tensor.match.expected).name);
      layer.tensor.equalized->undo(is_expected ? values->actual : values->expected,
                                   is_expected ? values->expected : values->actual);
    }
    add(layer.tensor, *values);
  }
  for (OutputComparison& output : comparison.outputs) {
    const auto values = values_of(output.tensor.match, expected, actual);
    if (!values) return tl::unexpected(values.error());
    add(output.tensor, *values);
    add(output, *values, sample);
  }
  return {};
}

}  // namespace

double LayerComparison::sqnr_drop() const {
  return std::min(input_sqnr, kEightBitSqnr) - std::min(tensor.error.sqnr(), kEightBitSqnr);
}

std::optional<size_t> ModelComparison::largest_drop() const {
  std::optional<size_t> largest;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (!(layers[i].sqnr_drop() > 0)) continue;
    if (!largest || layers[i].sqnr_drop() > layers[*largest].sqnr_drop()) largest = i;
  }
  return largest;
}

Result<Sample> convert_sample(const Sample& sample, const graph::Graph& from,
                              const graph::Graph& to, const std::vector<TensorMatch>& inputs,
                              SamplesFor made_for) {
  Sample converted(to.inputs.size());
  for (const TensorMatch& match : inputs) {
    const bool forwards = made_for == SamplesFor::kExpected;
    const int32_t source = forwards ? match.expected : match.actual;
    const int32_t target = forwards ? match.actual : match.expected;
    const auto position = [](const std::vector<int32_t>& list, int32_t tensor) {
      return static_cast<size_t>(std::find(list.begin(), list.end(), tensor) - list.begin());
    };
    const std::vector<std::byte>& bytes = sample[position(from.inputs, source)];
    std::vector<std::byte>& result = converted[position(to.inputs, target)];
    const graph::Tensor& source_tensor = tensor_at(from, source);
    const graph::Tensor& target_tensor = tensor_at(to, target);
    if (source_tensor.type == target_tensor.type &&
        source_tensor.quantization == target_tensor.quantization) {
      result = bytes;
      continue;
    }
    const auto values = real_values(source_tensor, bytes);
    if (!values) return tl::unexpected(values.error());
    auto target_bytes = tensor_bytes(target_tensor, *values);
    if (!target_bytes) return tl::unexpected(target_bytes.error());
    result = std::move(*target_bytes);
  }
  return converted;
}

Result<ModelComparison> compare_models(ComparedNetwork& expected, ComparedNetwork& actual,
                                       const SampleSource& samples,
                                       const ComparisonOptions& options) {
  if (samples.count == 0) {
    return make_error(ErrorCode::kInvalidArgument, "there are no samples to compare on");
  }
  auto matching = match_tensors(expected.graph(), actual.graph());
  if (!matching) return tl::unexpected(matching.error());
  if (options.outputs_only) matching->layers.clear();
  ModelComparison comparison = prepared(expected.graph(), actual.graph(), std::move(*matching));
  comparison.samples = samples.count;
  const bool for_expected = options.samples_for == SamplesFor::kExpected;
  ComparedNetwork& first = for_expected ? expected : actual;
  ComparedNetwork& second = for_expected ? actual : expected;
  for (size_t i = 0; i < samples.count; ++i) {
    const auto sample = samples.read(i);
    if (!sample) return tl::unexpected(sample.error());
    if (sample->size() != first.graph().inputs.size()) {
      return make_error(ErrorCode::kInvalidArgument, "sample '{}' has {} inputs, '{}' takes {}",
                        samples.name(i), sample->size(), first.graph().name,
                        first.graph().inputs.size());
    }
    const auto other = convert_sample(*sample, first.graph(), second.graph(),
                                      comparison.matching.inputs, options.samples_for);
    if (!other) return tl::unexpected(other.error());
    for (const auto& [network, inputs] : {std::pair(&first, &*sample), {&second, &*other}}) {
      if (Status status = network->run(*inputs); !status) {
        return make_error(status.error().code, "'{}', sample '{}': {}", network->graph().name,
                          samples.name(i), status.error().message);
      }
    }
    if (Status status = compare_sample(comparison, i, expected, actual); !status) {
      return tl::unexpected(status.error());
    }
    if (options.progress) options.progress(i + 1, samples.count);
  }
  find_input_sqnr(expected.graph(), comparison);
  return comparison;
}

}  // namespace lockstep::quantization
