#include "quantization/stepwise_run.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "graph/editable_model.h"
#include "graph/tflite_reader.h"
#include "quantization/affine.h"

namespace lockstep::quantization {
namespace {

// Writes the tree with other operators, inputs and outputs, and without signatures, which would
// contradict them; the tree is as before afterwards.
Result<std::vector<std::byte>> file_of_piece(schema::ModelT& model, size_t first, size_t last,
                                             std::span<const int32_t> inputs,
                                             std::span<const int32_t> outputs) {
  schema::SubGraphT& subgraph = *model.subgraphs.front();
  auto operators = std::exchange(subgraph.operators, {});
  auto signatures = std::exchange(model.signature_defs, {});
  const auto all_inputs = std::exchange(subgraph.inputs, {inputs.begin(), inputs.end()});
  const auto all_outputs = std::exchange(subgraph.outputs, {outputs.begin(), outputs.end()});
  for (size_t i = first; i <= last; ++i) subgraph.operators.push_back(std::move(operators[i]));

  graph::EditableModel piece{std::move(model), {}};
  auto file = graph::write_editable_model(piece);
  model = std::move(piece.tree);

  schema::SubGraphT& restored = *model.subgraphs.front();
  for (size_t i = first; i <= last; ++i) operators[i] = std::move(restored.operators[i - first]);
  restored.operators = std::move(operators);
  restored.inputs = all_inputs;
  restored.outputs = all_outputs;
  model.signature_defs = std::move(signatures);
  return file;
}

Result<std::vector<std::byte>> input_contents(const graph::Tensor& tensor,
                                              const std::vector<std::byte>& sample) {
  if (!tensor.quantization.is_quantized()) return sample;
  std::vector<float> reals(sample.size() / sizeof(float));
  if (!reals.empty()) std::memcpy(reals.data(), sample.data(), reals.size() * sizeof(float));
  return tensor_bytes(tensor, reals);
}

}  // namespace

StepwiseRun::StepwiseRun(schema::ModelT& model,
                         std::shared_ptr<const host_ref::TfliteLibrary> library, graph::Graph graph,
                         int32_t threads)
    : model_(&model),
      library_(std::move(library)),
      graph_(std::move(graph)),
      threads_(threads),
      last_reader_(graph_.tensors.size(), 0),
      producer_(graph_.tensors.size(), 0) {
  for (size_t i = 0; i < graph_.operators.size(); ++i) {
    for (const int32_t input : graph_.operators[i].inputs) {
      if (input != graph::kAbsentTensor) last_reader_[static_cast<size_t>(input)] = i + 1;
    }
    for (const int32_t output : graph_.operators[i].outputs) {
      producer_[static_cast<size_t>(output)] = i + 1;
    }
  }
}

Result<StepwiseRun> StepwiseRun::create(schema::ModelT& model,
                                        std::shared_ptr<const host_ref::TfliteLibrary> library,
                                        const SampleSource& samples, size_t memory_limit,
                                        int32_t threads) {
  graph::EditableModel whole{std::move(model), {}};
  const auto file = graph::write_editable_model(whole);
  model = std::move(whole.tree);
  if (!file) return tl::unexpected(file.error());
  auto graph = graph::read_tflite(*file, "network");
  if (!graph) return tl::unexpected(graph.error());

  StepwiseRun run(model, std::move(library), std::move(*graph), threads);
  const size_t room = memory_limit / std::max(run.largest_live_bytes(), size_t{1});
  const size_t count = std::min(samples.count, std::max(room, size_t{1}));
  for (size_t i = 0; i < count; ++i) {
    const auto sample = samples.read(i);
    if (!sample) return tl::unexpected(sample.error());
    Values values;
    for (size_t k = 0; k < run.graph_.inputs.size(); ++k) {
      const int32_t input = run.graph_.inputs[k];
      auto contents = input_contents(run.graph_.tensors[static_cast<size_t>(input)], sample->at(k));
      if (!contents) return tl::unexpected(contents.error());
      values[input] = std::move(*contents);
    }
    run.values_.push_back(std::move(values));
  }
  return run;
}

// What one sample takes at the operator where that is most.
size_t StepwiseRun::largest_live_bytes() const {
  // Born before their producer runs, gone behind their last reader.
  std::vector<int64_t> change(graph_.operators.size() + 2, 0);
  for (size_t i = 0; i < graph_.tensors.size(); ++i) {
    const graph::Tensor& tensor = graph_.tensors[i];
    if (tensor.is_constant() || last_reader_[i] == 0) continue;
    const int64_t bytes = graph::element_count(tensor.shape).value_or(0) *
                          static_cast<int64_t>(graph::data_type_size(tensor.type));
    change[producer_[i]] += bytes;
    change[last_reader_[i] + 1] -= bytes;
  }
  int64_t live = 0;
  int64_t largest = 0;
  for (const int64_t difference : change) {
    live += difference;
    largest = std::max(largest, live);
  }
  return static_cast<size_t>(largest);
}

bool StepwiseRun::is_needed_behind(int32_t tensor, size_t last) const {
  return last_reader_[static_cast<size_t>(tensor)] > last + 1;
}

std::vector<int32_t> StepwiseRun::inputs_of_piece(size_t last) const {
  std::set<int32_t> inputs;
  for (size_t i = next_; i <= last; ++i) {
    for (const int32_t input : graph_.operators[i].inputs) {
      if (input != graph::kAbsentTensor && values_.front().contains(input)) inputs.insert(input);
    }
  }
  return {inputs.begin(), inputs.end()};
}

Result<std::unique_ptr<host_ref::TfliteInterpreter>> StepwiseRun::interpreter_of_piece(
    size_t last, std::span<const int32_t> inputs, std::span<const int32_t> outputs) {
  const auto file = file_of_piece(*model_, next_, last, inputs, outputs);
  if (!file) return tl::unexpected(file.error());
  host_ref::TfliteOptions options;
  options.threads = threads_;
  return host_ref::TfliteInterpreter::create(library_, *file, options);
}

template <typename VisitRun>
Status StepwiseRun::run_piece(size_t last, std::span<const int32_t> outputs,
                              const VisitRun& visit) {
  const std::vector<int32_t> inputs = inputs_of_piece(last);
  auto interpreter = interpreter_of_piece(last, inputs, outputs);
  if (!interpreter) return tl::unexpected(interpreter.error());
  for (size_t sample = 0; sample < values_.size(); ++sample) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (Status status = (*interpreter)->set_input(i, values_[sample].at(inputs[i])); !status) {
        return status;
      }
    }
    if (Status status = (*interpreter)->invoke(); !status) return status;
    if (Status status = visit(sample, **interpreter); !status) return status;
  }
  return {};
}

Status StepwiseRun::look(size_t last, int32_t tensor, const Visit& visit) {
  return run_piece(last, std::span(&tensor, 1),
                   [&](size_t sample, const host_ref::TfliteInterpreter& interpreter) {
                     return visit(sample, interpreter.output(0).data);
                   });
}

Status StepwiseRun::pass(size_t last) {
  std::vector<int32_t> made;
  for (size_t i = next_; i <= last; ++i) {
    for (const int32_t output : graph_.operators[i].outputs) {
      if (is_needed_behind(output, last)) made.push_back(output);
    }
  }
  if (!made.empty()) {
    const Status status =
        run_piece(last, made, [&](size_t sample, const host_ref::TfliteInterpreter& interpreter) {
          for (size_t i = 0; i < made.size(); ++i) {
            const auto contents = interpreter.output(i).data;
            values_[sample][made[i]].assign(contents.begin(), contents.end());
          }
          return Status{};
        });
    if (!status) return status;
  }
  for (Values& values : values_) {
    std::erase_if(values, [&](const auto& value) { return !is_needed_behind(value.first, last); });
  }
  next_ = last + 1;
  return {};
}

}  // namespace lockstep::quantization
