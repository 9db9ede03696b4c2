#include "conformance/generators/measurement.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <optional>
#include <utility>
#include <variant>

#include "graph/lowering.h"
#include "host_ref/interpreter.h"
#include "numerics/contract.h"

namespace lockstep::conformance {
namespace {

using graph::Activation;
using graph::DataType;
using graph::Graph;
using graph::Operator;
using graph::Tensor;

bool is_8_bit(const Tensor& tensor) {
  return tensor.type == DataType::kInt8 || tensor.type == DataType::kUint8;
}

bool is_activation_tensor(const Tensor& tensor) {
  return is_8_bit(tensor) && tensor.quantization.scales.size() == 1;
}

// The attributes' fused activation; null for operators that have none.
struct FindActivation {
  template <typename Attributes>
  Activation* operator()(Attributes& attributes) const {
    if constexpr (requires { attributes.activation; }) {
      return &attributes.activation;
    } else {
      return nullptr;
    }
  }
};

Activation fused_activation(const Operator& op) {
  graph::OperatorAttributes attributes = op.attributes;
  const Activation* activation = std::visit(FindActivation{}, attributes);
  return activation == nullptr ? Activation::kNone : *activation;
}

bool has_activation(const Graph& graph) {
  for (const Operator& op : graph.operators) {
    if (fused_activation(op) != Activation::kNone) {
      return true;
    }
  }
  return false;
}

std::string_view clipped_share(const std::vector<int32_t>& with,
                               const std::vector<int32_t>& without) {
  size_t clipped = 0;
  for (size_t i = 0; i < with.size(); ++i) {
    clipped += with[i] != without[i] ? 1 : 0;
  }
  return clipped == 0 ? "nothing" : clipped == with.size() ? "all" : "some";
}

}  // namespace

void CoveragePoints::add(std::string_view dimension, std::string_view value) {
  points_.insert({std::string(dimension), std::string(value)});
}

std::vector<CoveragePoint> CoveragePoints::sorted() const {
  return {points_.begin(), points_.end()};
}

Result<MeasuredGraph> MeasuredGraph::compute(const Graph& graph, const std::vector<Bytes>& inputs) {
  MeasuredGraph measured(graph);
  measured.contents_.resize(graph.tensors.size());
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    measured.contents_[i].assign(graph.tensors[i].data.begin(), graph.tensors[i].data.end());
  }
  for (const numerics::Contract contract : numerics::kAllContracts) {
    Result<graph::LoweredGraph> lowered = graph::lower(graph, contract);
    if (!lowered) {
      continue;
    }
    Result<host_ref::Interpreter> interpreter = host_ref::Interpreter::create(*std::move(lowered));
    if (!interpreter) {
      return tl::unexpected(interpreter.error());
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (Status status = interpreter->set_input(i, inputs[i]); !status) {
        return tl::unexpected(status.error());
      }
    }
    if (Status status = interpreter->run(); !status) {
      return tl::unexpected(status.error());
    }
    for (size_t i = 0; i < graph.tensors.size(); ++i) {
      if (graph.tensors[i].is_constant()) {
        continue;
      }
      Result<Bytes> contents = interpreter->tensor(static_cast<int32_t>(i));
      if (!contents) {
        return tl::unexpected(contents.error());
      }
      measured.contents_[i] = *std::move(contents);
    }
    break;
  }
  return measured;
}

std::vector<int32_t> MeasuredGraph::values(int32_t index) const {
  const Bytes& bytes = contents_[static_cast<size_t>(index)];
  std::vector<int32_t> values;
  if (!is_8_bit(tensor(index))) {
    return values;
  }
  const bool is_signed = tensor(index).type == DataType::kInt8;
  values.reserve(bytes.size());
  for (const std::byte byte : bytes) {
    const auto value = static_cast<uint8_t>(byte);
    values.push_back(is_signed ? static_cast<int8_t>(value) : value);
  }
  return values;
}

std::vector<float> MeasuredGraph::real_values(int32_t index) const {
  const Bytes& bytes = contents_[static_cast<size_t>(index)];
  std::vector<float> values;
  if (tensor(index).type == DataType::kFloat32 && !bytes.empty()) {
    values.resize(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  }
  return values;
}

std::string_view activation_name(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return "none";
    case Activation::kRelu:
      return "relu";
    case Activation::kReluN1To1:
      return "relu_n1_to_1";
    case Activation::kRelu6:
      return "relu6";
    case Activation::kTanh:
      return "tanh";
    case Activation::kSignBit:
      return "sign_bit";
  }
  return "unknown";
}

std::string_view zero_point_name(const Tensor& tensor) {
  const int32_t lowest = tensor.type == DataType::kUint8 ? 0 : -128;
  switch (zero_point_of(tensor) - lowest) {
    case 0:
      return "lowest";
    case 128:
      return "middle";
    case 255:
      return "highest";
    default:
      return "other";
  }
}

void measure_operators(const MeasuredGraph& measured, CoveragePoints& points) {
  for (const Operator& op : measured.graph().operators) {
    points.add("operator", op.name);
    const Tensor& input = measured.tensor(op.inputs[0]);
    const Tensor& output = measured.tensor(op.outputs[0]);
    const std::string_view input_type = graph::data_type_name(input.type);
    points.add("type", input.type == output.type ? std::string(input_type)
                                                 : fmt::format("{} to {}", input_type,
                                                               graph::data_type_name(output.type)));
    points.add("rank", std::to_string(input.shape.size()));
    if (input.shape.size() > 1) {
      points.add("batch", input.shape[0] == 1 ? "1" : "more");
    }
    if (!output.shape.empty()) {
      points.add("channels", std::to_string(output.shape.back()));
    }
    for (const int32_t index : op.inputs) {
      if (index != graph::kAbsentTensor && is_activation_tensor(measured.tensor(index))) {
        points.add("input zero_point", zero_point_name(measured.tensor(index)));
      }
    }
    if (is_activation_tensor(output)) {
      points.add("output zero_point", zero_point_name(output));
    }
    points.add("activation", activation_name(fused_activation(op)));
  }
}

Graph without_activations(const Graph& graph) {
  Graph plain = graph;
  for (Operator& op : plain.operators) {
    if (Activation* activation = std::visit(FindActivation{}, op.attributes)) {
      *activation = Activation::kNone;
    }
  }
  return plain;
}

Status measure_clipping(const MeasuredGraph& measured, const std::vector<Bytes>& inputs,
                        CoveragePoints& points) {
  if (!has_activation(measured.graph())) {
    return {};
  }
  const Graph plain_graph = without_activations(measured.graph());
  const Result<MeasuredGraph> plain = MeasuredGraph::compute(plain_graph, inputs);
  if (!plain) {
    return tl::unexpected(plain.error());
  }
  for (const Operator& op : measured.graph().operators) {
    const Activation activation = fused_activation(op);
    const std::vector<int32_t> with = measured.values(op.outputs[0]);
    const std::vector<int32_t> without = plain->values(op.outputs[0]);
    if (activation != Activation::kNone && !with.empty() && with.size() == without.size()) {
      points.add("clipping", fmt::format("{} clips {}", activation_name(activation),
                                         clipped_share(with, without)));
    }
  }
  return {};
}

RoundingWatch::RoundingWatch(const Tensor& output) {
  const double lowest = output.type == DataType::kUint8 ? 0.0 : -128.0;
  lowest_ = lowest - zero_point_of(output);
  highest_ = lowest + 255.0 - zero_point_of(output);
}

void RoundingWatch::see(double numerator, double denominator) {
  const double quotient = numerator / denominator;
  // The odd number of halves nearest the quotient; compared without dividing.
  const double halves = 2.0 * std::floor(quotient) + 1.0;
  if (halves * denominator == 2.0 * numerator) {
    (numerator > 0 ? positive_tie_ : negative_tie_) = true;
  }
  beyond_lowest_ = beyond_lowest_ || quotient < lowest_ - 1.0;
  beyond_highest_ = beyond_highest_ || quotient > highest_ + 1.0;
}

void RoundingWatch::report(CoveragePoints& points) const {
  if (positive_tie_) points.add("tie", "positive");
  if (negative_tie_) points.add("tie", "negative");
  if (beyond_lowest_) points.add("saturation", "lowest");
  if (beyond_highest_) points.add("saturation", "highest");
}

}  // namespace lockstep::conformance
