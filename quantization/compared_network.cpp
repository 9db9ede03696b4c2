#include "quantization/compared_network.h"

#include <algorithm>
#include <map>
#include <utility>

#include "delegate_api/engine.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"

namespace lockstep::quantization {
namespace {

tl::unexpected<Error> absent(const graph::Graph& graph, int32_t index) {
  return make_error(ErrorCode::kInvalidArgument, "'{}': tensor '{}' was not observed", graph.name,
                    graph::printable(graph.tensors[static_cast<size_t>(index)].name));
}

class TfliteNetwork final : public ComparedNetwork {
 public:
  // `outputs`: the tensors that the interpreter gives as its outputs.
  TfliteNetwork(graph::Graph graph, const std::vector<int32_t>& outputs, std::string engine,
                std::unique_ptr<host_ref::TfliteInterpreter> interpreter)
      : graph_(std::move(graph)), engine_(std::move(engine)), interpreter_(std::move(interpreter)) {
    for (size_t i = 0; i < outputs.size(); ++i) outputs_[outputs[i]] = i;
    for (size_t i = 0; i < graph_.inputs.size(); ++i) inputs_[graph_.inputs[i]] = i;
  }

  const graph::Graph& graph() const override { return graph_; }
  std::string engine() const override { return engine_; }

  Status run(const Sample& sample) override {
    for (size_t i = 0; i < sample.size(); ++i) {
      if (Status status = interpreter_->set_input(i, sample[i]); !status) return status;
    }
    return interpreter_->invoke();
  }

  Result<std::span<const std::byte>> tensor(int32_t index) const override {
    // Inputs first: what is both keeps its contents as an input.
    if (const auto input = inputs_.find(index); input != inputs_.end()) {
      return interpreter_->input(input->second).data;
    }
    if (const auto output = outputs_.find(index); output != outputs_.end()) {
      return interpreter_->output(output->second).data;
    }
    return absent(graph_, index);
  }

 private:
  graph::Graph graph_;
  std::string engine_;
  std::unique_ptr<host_ref::TfliteInterpreter> interpreter_;
  // Positions, by tensor index.
  std::map<int32_t, size_t> inputs_;
  std::map<int32_t, size_t> outputs_;
};

class LockstepNetwork final : public ComparedNetwork {
 public:
  LockstepNetwork(std::string engine_name, std::unique_ptr<delegate::Engine> engine)
      : name_(std::move(engine_name)), engine_(std::move(engine)) {}

  const graph::Graph& graph() const override { return engine_->graph(); }
  std::string engine() const override { return name_; }

  Status run(const Sample& sample) override {
    for (size_t i = 0; i < sample.size(); ++i) {
      if (Status status = engine_->set_input(i, sample[i]); !status) return status;
    }
    return engine_->run();
  }

  Result<std::span<const std::byte>> tensor(int32_t index) const override {
    const std::vector<int32_t>& inputs = graph().inputs;
    const auto input = std::find(inputs.begin(), inputs.end(), index);
    if (input == inputs.end()) return engine_->tensor(index);
    return engine_->input_memory(static_cast<size_t>(input - inputs.begin()));
  }

 private:
  std::string name_;
  std::unique_ptr<delegate::Engine> engine_;
};

}  // namespace

Result<std::unique_ptr<ComparedNetwork>> open_in_tflite(
    std::span<const std::byte> model, const std::string& name,
    const std::shared_ptr<const host_ref::TfliteLibrary>& library, int32_t threads,
    Observed observed) {
  auto graph = graph::read_tflite(model, name);
  if (!graph) return tl::unexpected(graph.error());
  std::vector<std::byte> exposed;
  std::vector<int32_t> outputs = graph->outputs;
  if (observed == Observed::kAllTensors) {
    auto with_all = graph::expose_all_tensors(model);
    if (!with_all) return tl::unexpected(with_all.error());
    exposed = std::move(*with_all);
    auto exposed_graph = graph::read_tflite(exposed, name);
    if (!exposed_graph) return tl::unexpected(exposed_graph.error());
    outputs = std::move(exposed_graph->outputs);
    model = exposed;
  }
  auto interpreter = host_ref::TfliteInterpreter::create(
      library, model, {.threads = threads, .use_xnnpack = false, .plugin = {}});
  if (!interpreter) {
    return make_error(interpreter.error().code, "'{}': {}", name, interpreter.error().message);
  }
  return std::make_unique<TfliteNetwork>(std::move(*graph), outputs, "TFLite " + library->version(),
                                         std::move(*interpreter));
}

Result<std::unique_ptr<ComparedNetwork>> open_in_lockstep(std::span<const std::byte> model,
                                                          const std::string& name,
                                                          std::shared_ptr<backend::Device> device,
                                                          numerics::Contract contract,
                                                          Observed observed) {
  const auto graph = graph::read_tflite(model, name);
  if (!graph) return tl::unexpected(graph.error());
  const std::string device_name = device->description().name;
  delegate::EngineOptions options;
  options.partition.contract = contract;
  options.keep_all_tensors = observed == Observed::kAllTensors;
  auto engine = delegate::Engine::create(*graph, std::move(device), options);
  if (!engine) return tl::unexpected(engine.error());
  for (const delegate::OperatorReport& op : (*engine)->operators()) {
    if (op.executor != delegate::Executor::kNobody) continue;
    return make_error(ErrorCode::kUnsupported, "'{}': Lockstep does not compute {} '{}': {}", name,
                      op.name, graph::printable(op.output_name), op.reason);
  }
  return std::make_unique<LockstepNetwork>(
      fmt::format("Lockstep on {} ({})", device_name, numerics::contract_name(contract)),
      std::move(*engine));
}

}  // namespace lockstep::quantization
