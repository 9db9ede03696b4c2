#include "tools/constant_summary.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

#include "graph/graph.h"
#include "graph/tflite_tensors.h"
#include "quantization/constants.h"
#include "quantization/model_editing.h"

namespace lockstep::tools {
namespace {

namespace schema = graph::schema;

std::string type_name(schema::TensorType type) {
  std::string name = schema::EnumNameTensorType(type);
  if (name.empty()) return fmt::format("type {}", static_cast<int>(type));
  std::ranges::transform(name, name.begin(),
                         [](char letter) { return static_cast<char>(std::tolower(letter)); });
  return name;
}

void summarize_values(const std::vector<float>& values, ConstantSummary& summary) {
  ValueRange range{.minimum = std::numeric_limits<double>::infinity(),
                   .maximum = -std::numeric_limits<double>::infinity()};
  size_t zeros = 0;
  for (const float value : values) {
    zeros += value == 0.0f;
    range.nans += std::isnan(value);
    range.minimum = std::fmin(range.minimum, value);
    range.maximum = std::fmax(range.maximum, value);
  }
  if (range.nans < values.size()) summary.range = range;
  if (!values.empty()) {
    summary.zeros = static_cast<double>(zeros) / static_cast<double>(values.size());
  }
}

std::vector<std::string> describe_consumers(const schema::ModelT& model,
                                            const schema::SubGraphT& subgraph, size_t tensor) {
  std::vector<std::string> consumers;
  for (size_t i = 0; i < subgraph.operators.size(); ++i) {
    const schema::OperatorT& op = *subgraph.operators[i];
    for (size_t input = 0; input < op.inputs.size(); ++input) {
      if (op.inputs[input] != static_cast<int32_t>(tensor)) continue;
      consumers.push_back(
          fmt::format("{} #{} input {}", quantization::operator_name(model, op), i, input));
    }
  }
  return consumers;
}

Result<ConstantSummary> summarize(const schema::ModelT& model, size_t subgraph_index,
                                  size_t tensor_index) {
  const schema::SubGraphT& subgraph = *model.subgraphs[subgraph_index];
  const schema::TensorT& source = *subgraph.tensors[tensor_index];
  const auto tensor = graph::read_tensor(model, source);
  if (!tensor) return tl::unexpected(tensor.error());
  ConstantSummary summary{.subgraph = subgraph_index,
                          .tensor = tensor_index,
                          .name = tensor->name,
                          .type = type_name(source.type),
                          .shape = tensor->shape,
                          .quantization = tensor->quantization,
                          .is_sparse = tensor->is_sparse,
                          .bytes = tensor->data.size(),
                          .consumers = describe_consumers(model, subgraph, tensor_index),
                          .range = {},
                          .zeros = {}};
  if (tensor->type == graph::DataType::kOther) return summary;
  const auto values = quantization::real_contents(model, source);
  if (!values) return tl::unexpected(values.error());
  summarize_values(*values, summary);
  return summary;
}

}  // namespace

Result<std::vector<ConstantSummary>> summarize_constants(const graph::EditableModel& model) {
  std::vector<size_t> users(model.tree.buffers.size());
  for (const auto& subgraph : model.tree.subgraphs) {
    for (const auto& tensor : subgraph->tensors) ++users[tensor->buffer];
  }
  std::vector<ConstantSummary> summaries;
  for (size_t i = 0; i < model.tree.subgraphs.size(); ++i) {
    const auto& tensors = model.tree.subgraphs[i]->tensors;
    for (size_t tensor = 0; tensor < tensors.size(); ++tensor) {
      if (!quantization::is_constant(model.tree, *tensors[tensor])) continue;
      auto summary = summarize(model.tree, i, tensor);
      if (!summary) return tl::unexpected(summary.error());
      summary->shares_buffer = users[tensors[tensor]->buffer] > 1;
      summaries.push_back(std::move(*summary));
    }
  }
  return summaries;
}

nlohmann::json to_json(const ConstantSummary& constant) {
  nlohmann::json json{{"subgraph", constant.subgraph},
                      {"tensor", constant.tensor},
                      {"name", constant.name},
                      {"type", constant.type},
                      {"shape", constant.shape},
                      {"scales", constant.quantization.scales},
                      {"zero_points", constant.quantization.zero_points},
                      {"axis", nullptr},
                      {"sparse", constant.is_sparse},
                      {"range", nullptr},
                      {"zeros", nullptr},
                      {"bytes", constant.bytes},
                      {"shares_buffer", constant.shares_buffer},
                      {"read_by", constant.consumers}};
  if (constant.quantization.is_per_axis()) json["axis"] = constant.quantization.axis;
  if (constant.range) {
    json["range"] = {{"minimum", constant.range->minimum},
                     {"maximum", constant.range->maximum},
                     {"nans", constant.range->nans}};
  }
  if (constant.zeros) json["zeros"] = *constant.zeros;
  return json;
}

}  // namespace lockstep::tools
