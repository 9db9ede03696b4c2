#include "quantization/testing/tflite_run.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "quantization/testing/float_network_builder.h"

namespace lockstep::quantization::testing {
namespace {

template <typename T>
T value_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

void succeed_or_throw(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

std::vector<std::byte> file_of(const schema::ModelT& model) {
  // The tree itself cannot be copied, so it is written as a part of nothing else.
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(schema::Model::Pack(builder, &model), schema::ModelIdentifier());
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

std::vector<RealTensor> run_file(std::span<const std::byte> file, const graph::Graph& graph,
                                 std::span<const std::vector<float>> inputs) {
  auto interpreter =
      value_or_throw(host_ref::TfliteInterpreter::create(tflite_library(), file, {}));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(graph.inputs[i])];
    succeed_or_throw(interpreter->set_input(i, value_or_throw(tensor_bytes(tensor, inputs[i]))));
  }
  succeed_or_throw(interpreter->invoke());
  std::vector<RealTensor> outputs;
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    RealTensor output;
    output.tensor = graph.tensors[static_cast<size_t>(graph.outputs[i])];
    output.name = output.tensor.name;
    output.values = value_or_throw(real_values(output.tensor, interpreter->output(i).data));
    outputs.push_back(std::move(output));
  }
  return outputs;
}

}  // namespace

std::shared_ptr<const host_ref::TfliteLibrary> tflite_library() {
  const char* path = std::getenv("LOCKSTEP_TFLITE_LIBRARY");
  if (path == nullptr || *path == '\0') return nullptr;
  static const auto library = value_or_throw(host_ref::TfliteLibrary::load(path));
  return library;
}

std::vector<RealTensor> run_in_tflite(const schema::ModelT& model,
                                      std::span<const std::vector<float>> inputs) {
  const std::vector<std::byte> file = file_of(model);
  return run_file(file, value_or_throw(graph::read_tflite(file, "test")), inputs);
}

Ranges observe_ranges(const schema::ModelT& model,
                      std::span<const std::vector<std::vector<float>>> samples) {
  const std::vector<std::byte> file = value_or_throw(graph::expose_all_tensors(file_of(model)));
  const graph::Graph graph = value_or_throw(graph::read_tflite(file, "test"));
  Ranges ranges;
  const auto observe = [&](int32_t index, std::span<const float> values) {
    if (graph.tensors[static_cast<size_t>(index)].type != graph::DataType::kFloat32) return;
    const auto [smallest, largest] = std::minmax_element(values.begin(), values.end());
    const TensorRange range{*smallest, *largest};
    const auto [entry, is_new] = ranges.try_emplace(index, range);
    if (!is_new) entry->second = united(entry->second, range);
  };
  for (const auto& inputs : samples) {
    for (size_t i = 0; i < inputs.size(); ++i) observe(graph.inputs[i], inputs[i]);
    const std::vector<RealTensor> outputs = run_file(file, graph, inputs);
    for (size_t i = 0; i < outputs.size(); ++i) observe(graph.outputs[i], outputs[i].values);
  }
  return ranges;
}

std::vector<std::vector<float>> scattered_inputs(const schema::ModelT& model, float minimum,
                                                 float maximum, uint32_t seed) {
  const schema::SubGraphT& subgraph = *model.subgraphs.front();
  std::vector<std::vector<float>> inputs;
  for (const int32_t input : subgraph.inputs) {
    const auto count = graph::element_count(subgraph.tensors[static_cast<size_t>(input)]->shape);
    inputs.push_back(
        scattered_values(static_cast<size_t>(count.value_or(0)), minimum, maximum, seed++));
  }
  return inputs;
}

}  // namespace lockstep::quantization::testing
