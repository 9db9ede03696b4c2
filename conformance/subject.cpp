#include "conformance/subject.h"

#include <fmt/format.h>

#include "backend/registry.h"
#include "conformance/device_subject.h"
#include "conformance/inference_engine.h"
#include "graph/lowering.h"

namespace lockstep::conformance {
namespace {

// The output stage of an operation whose raw accumulators are compared; null for the others.
graph::OutputStage* accumulating_output_stage(graph::LoweredOperation& operation) {
  if (auto* convolution = std::get_if<graph::LoweredConvolution>(&operation)) {
    return &convolution->output_stage;
  }
  if (auto* depthwise = std::get_if<graph::LoweredDepthwiseConvolution>(&operation)) {
    return &depthwise->output_stage;
  }
  return nullptr;
}

void set_output(graph::LoweredOperation& operation, int32_t output) {
  std::visit([output](auto& specific) { specific.output = output; }, operation);
}

// A copy of `op` that stores its accumulators into a new tensor of the graph.
graph::LoweredOperator add_accumulator_copy(const graph::LoweredOperator& op,
                                            graph::LoweredGraph& graph) {
  const graph::LoweredTensor& output =
      graph.tensors[static_cast<size_t>(graph::operation_output(op.operation))];
  graph::LoweredTensor accumulators{.name = output.name + " (accumulators)",
                                    .type = graph::DataType::kInt32,
                                    .shape = output.shape,
                                    .constant = {}};
  graph::LoweredOperator copy = op;
  accumulating_output_stage(copy.operation)->stores_accumulators = true;
  set_output(copy.operation, static_cast<int32_t>(graph.tensors.size()));
  graph.tensors.push_back(std::move(accumulators));
  return copy;
}

}  // namespace

std::string Configuration::name() const {
  if (mask.empty() && kernel.empty()) return "default";
  if (kernel.empty()) return fmt::format("mask={}", mask);
  if (mask.empty()) return fmt::format("kernel={}", kernel);
  return fmt::format("mask={} kernel={}", mask, kernel);
}

Result<LoweredCase> lower_case(const Case& source, numerics::Contract contract) {
  if (source.inputs.size() != source.graph.inputs.size()) {
    return make_error(ErrorCode::kInvalidArgument, "case '{}' has contents for {} of {} inputs",
                      source.name, source.inputs.size(), source.graph.inputs.size());
  }
  auto lowered = graph::lower(source.graph, contract);
  if (!lowered) return tl::unexpected(lowered.error());
  LoweredCase result{.source = &source,
                     .contract = contract,
                     .graph = std::move(*lowered),
                     .output_count = source.graph.outputs.size()};
  graph::LoweredGraph& graph = result.graph;
  std::vector<graph::LoweredOperator> operators;
  for (graph::LoweredOperator& op : graph.operators) {
    const bool accumulates = accumulating_output_stage(op.operation) != nullptr;
    operators.push_back(std::move(op));
    if (accumulates) {
      operators.push_back(add_accumulator_copy(operators.back(), graph));
      graph.outputs.push_back(graph::operation_output(operators.back().operation));
    }
  }
  graph.operators = std::move(operators);
  return result;
}

Result<std::unique_ptr<Subject>> open_subject(std::string_view selector) {
  if (is_engine_selector(selector)) return open_engine_subject(selector);
  return open_device_subject(selector);
}

std::vector<std::string> list_subjects() {
  std::vector<std::string> selectors;
  for (const backend::DeviceDescription& device : backend::list_devices()) {
    // Names may be shared by several devices; only the reference has a word of its own.
    selectors.push_back(device.backend == "ref" ? "ref" : std::to_string(selectors.size()));
  }
  return selectors;
}

}  // namespace lockstep::conformance
