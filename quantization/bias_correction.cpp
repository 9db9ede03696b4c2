#include "quantization/bias_correction.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "quantization/affine.h"
#include "quantization/operator_rules.h"
#include "quantization/stepwise_run.h"
#include "quantization/tensor_matching.h"

namespace lockstep::quantization {
namespace {

constexpr int kRounds = 2;
constexpr double kLargestBias = 0x1p30;

using ChannelMeans = std::vector<double>;

// Of every index of the last dimension.
ChannelMeans channel_means(std::span<const float> values, size_t channels) {
  ChannelMeans means(channels, 0.0);
  for (size_t i = 0; i < values.size(); ++i) means[i % channels] += double{values[i]};
  for (double& mean : means)
    mean *= static_cast<double>(channels) / static_cast<double>(values.size());
  return means;
}

// A layer of the quantized network and the tensor of the float network that it should make.
struct Layer {
  size_t op = 0;
  int32_t output = 0;
  int32_t bias = 0;
  int32_t expected = 0;
};

class Corrector {
 public:
  Corrector(schema::ModelT& quantized, const graph::Graph& float_graph, StepwiseRun run)
      : model_(quantized), float_graph_(float_graph), run_(std::move(run)) {}

  Status find_layers() {
    const auto matching = match_tensors(float_graph_, run_.graph());
    if (!matching) return tl::unexpected(matching.error());
    std::map<int32_t, int32_t> expected;
    for (const TensorMatch& match : matching->layers) expected[match.actual] = match.expected;
    const schema::SubGraphT& subgraph = *model_.subgraphs.front();
    for (size_t i = 0; i < subgraph.operators.size(); ++i) {
      const schema::OperatorT& op = *subgraph.operators[i];
      const OperatorRule* rule = find_rule(schema::BuiltinOperator{builtin_code(model_, op)});
      if (rule == nullptr) continue;
      const auto position = rule->position_of(OperandRole::kBias);
      if (!position || op.inputs.size() <= *position || op.inputs[*position] < 0) continue;
      const int32_t bias = op.inputs[*position];
      const auto match = expected.find(op.outputs.front());
      if (match == expected.end() || tensor(bias).type != schema::TensorType::INT32) continue;
      layers_.push_back({i, op.outputs.front(), bias, match->second});
    }
    return {};
  }

  // What the float network makes of the same samples.
  Status observe_expected(std::span<const std::byte> float_file,
                          const std::shared_ptr<const host_ref::TfliteLibrary>& library,
                          const SampleSource& samples, int32_t threads) {
    const auto exposed = graph::expose_all_tensors(float_file);
    if (!exposed) return tl::unexpected(exposed.error());
    const auto graph = graph::read_tflite(*exposed, "float network");
    if (!graph) return tl::unexpected(graph.error());
    host_ref::TfliteOptions options;
    options.threads = threads;
    auto interpreter = host_ref::TfliteInterpreter::create(library, *exposed, options);
    if (!interpreter) return tl::unexpected(interpreter.error());
    std::map<int32_t, size_t> position;
    for (size_t i = 0; i < graph->outputs.size(); ++i) position[graph->outputs[i]] = i;
    for (size_t sample = 0; sample < run_.sample_count(); ++sample) {
      const auto inputs = samples.read(sample);
      if (!inputs) return tl::unexpected(inputs.error());
      for (size_t i = 0; i < inputs->size(); ++i) {
        if (Status status = (*interpreter)->set_input(i, (*inputs)[i]); !status) return status;
      }
      if (Status status = (*interpreter)->invoke(); !status) return status;
      for (const Layer& layer : layers_) {
        const graph::Tensor& tensor = graph->tensors[static_cast<size_t>(layer.expected)];
        auto values = real_values(tensor, (*interpreter)->output(position.at(layer.expected)).data);
        if (!values) return tl::unexpected(values.error());
        clip(*values, layer.output);
        expected_means_[layer.expected].push_back(channel_means(*values, channels_of(layer)));
      }
    }
    return {};
  }

  Result<BiasCorrectionReport> correct(const BiasCorrectionOptions& options) {
    for (size_t i = 0; i < layers_.size(); ++i) {
      for (int round = 0; round < kRounds; ++round) {
        if (Status status = correct(layers_[i]); !status) return tl::unexpected(status.error());
      }
      if (Status status = run_.pass(layers_[i].op); !status) return tl::unexpected(status.error());
      if (options.progress) options.progress(i + 1, layers_.size());
    }
    return BiasCorrectionReport{.layers = layers_.size(), .samples = run_.sample_count()};
  }

 private:
  schema::TensorT& tensor(int32_t index) {
    return *model_.subgraphs.front()->tensors[static_cast<size_t>(index)];
  }

  // What no integer of a quantized tensor stands for is nothing that a bias could bring back.
  void clip(std::vector<float>& values, int32_t quantized) {
    const auto& parameters = tensor(quantized).quantization;
    if (tensor(quantized).type != schema::TensorType::INT8 || parameters == nullptr ||
        parameters->scale.size() != 1 || parameters->zero_point.size() != 1) {
      return;
    }
    const TensorRange range =
        range_of({.scale = parameters->scale.front(),
                  .zero_point = static_cast<int32_t>(parameters->zero_point.front())},
                 kInt8Range);
    for (float& value : values) value = std::clamp(value, range.minimum, range.maximum);
  }

  size_t channels_of(const Layer& layer) {
    return static_cast<size_t>(std::max(tensor(layer.bias).shape.back(), 1));
  }

  Status correct(const Layer& layer) {
    const size_t channels = channels_of(layer);
    const auto& expected = expected_means_.at(layer.expected);
    ChannelMeans sums(channels, 0.0);
    ChannelMeans squares(channels, 0.0);
    const graph::Tensor& output = run_.graph().tensors[static_cast<size_t>(layer.output)];
    const Status status =
        run_.look(layer.op, layer.output, [&](size_t sample, std::span<const std::byte> contents) {
          const auto values = real_values(output, contents);
          if (!values) return Status(tl::unexpected(values.error()));
          const ChannelMeans actual = channel_means(*values, channels);
          for (size_t c = 0; c < channels; ++c) {
            const double difference = expected[sample][c] - actual[c];
            sums[c] += difference;
            squares[c] += difference * difference;
          }
          return Status{};
        });
    if (!status) return status;
    const auto count = static_cast<double>(run_.sample_count());
    ChannelMeans corrections(channels, 0.0);
    for (size_t c = 0; c < channels; ++c) {
      const double mean = sums[c] / count;
      const double variance = count > 1 ? (squares[c] - sums[c] * mean) / (count - 1) : mean * mean;
      const double certainty = 1 - variance / count / (mean * mean);
      if (mean != 0 && certainty > 0) corrections[c] = mean * certainty;
    }
    add_to_bias(layer.bias, corrections);
    return {};
  }

  void add_to_bias(int32_t index, const ChannelMeans& corrections) {
    schema::TensorT& bias = tensor(index);
    std::vector<int32_t> values(corrections.size());
    std::memcpy(values.data(), model_.buffers[bias.buffer]->data.data(),
                values.size() * sizeof(int32_t));
    const std::vector<float>& scales = bias.quantization->scale;
    for (size_t c = 0; c < values.size(); ++c) {
      const double scale = scales[scales.size() == 1 ? 0 : c];
      values[c] = static_cast<int32_t>(
          std::clamp(std::round(values[c] + corrections[c] / scale), -kLargestBias, kLargestBias));
    }
    set_contents(model_, bias, std::as_bytes(std::span(values)));
  }

  schema::ModelT& model_;
  const graph::Graph& float_graph_;
  StepwiseRun run_;
  std::vector<Layer> layers_;
  std::map<int32_t, std::vector<ChannelMeans>> expected_means_;  // by tensor, of each sample
};

}  // namespace

Result<BiasCorrectionReport> correct_biases(
    schema::ModelT& quantized, std::span<const std::byte> float_file,
    const std::shared_ptr<const host_ref::TfliteLibrary>& library, const SampleSource& samples,
    const BiasCorrectionOptions& options) {
  const auto float_graph = graph::read_tflite(float_file, "float network");
  if (!float_graph) return tl::unexpected(float_graph.error());
  auto run =
      StepwiseRun::create(quantized, library, samples, options.memory_limit, options.threads);
  if (!run) return tl::unexpected(run.error());
  Corrector corrector(quantized, *float_graph, std::move(*run));
  if (Status status = corrector.find_layers(); !status) return tl::unexpected(status.error());
  if (Status status = corrector.observe_expected(float_file, library, samples, options.threads);
      !status) {
    return tl::unexpected(status.error());
  }
  return corrector.correct(options);
}

}  // namespace lockstep::quantization
