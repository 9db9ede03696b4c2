#include "quantization/tensor_matching.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "quantization/equalized_channels.h"

namespace lockstep::quantization {
namespace {

const graph::Tensor& tensor_at(const graph::Graph& graph, int32_t index) {
  return graph.tensors[static_cast<size_t>(index)];
}

bool have_same_size(const graph::Tensor& expected, const graph::Tensor& actual) {
  return graph::element_count(expected.shape) == graph::element_count(actual.shape);
}

// Leaves real values as they are, up to rounding.
bool is_conversion(const graph::Operator& op) {
  return op.name == "QUANTIZE" || op.name == "DEQUANTIZE";
}

// A graph, and what follows from it.
class Network {
 public:
  explicit Network(const graph::Graph& graph) : graph_(graph) {
    activations_.insert(graph.inputs.begin(), graph.inputs.end());
    for (size_t i = 0; i < graph.operators.size(); ++i) {
      const graph::Operator& op = graph.operators[i];
      const bool is_active = std::any_of(op.inputs.begin(), op.inputs.end(),
                                         [&](int32_t input) { return is_activation(input); });
      for (const int32_t output : op.outputs) {
        if (output == graph::kAbsentTensor) continue;
        producers_[output] = i;
        if (is_active) {
          activations_.insert(output);
          produced_.push_back(output);
        }
      }
    }
  }

  const graph::Graph& graph() const { return graph_; }
  bool is_activation(int32_t tensor) const { return activations_.contains(tensor); }
  // Activations that operators make, in order.
  const std::vector<int32_t>& produced() const { return produced_; }

  const graph::Operator* producer_of(int32_t tensor) const {
    const auto producer = producers_.find(tensor);
    return producer == producers_.end() ? nullptr : &graph_.operators[producer->second];
  }

  // The tensor whose values this one holds, before any conversion.
  int32_t origin_of(int32_t tensor) const {
    const graph::Operator* op = producer_of(tensor);
    while (op != nullptr && is_conversion(*op) && !op->inputs.empty() &&
           is_activation(op->inputs[0])) {
      tensor = op->inputs[0];
      op = producer_of(tensor);
    }
    return tensor;
  }

  // What an operator computes from, but for constants.
  std::vector<int32_t> origins_of_inputs(const graph::Operator& op) const {
    std::vector<int32_t> origins;
    for (const int32_t input : op.inputs) {
      if (is_activation(input)) origins.push_back(origin_of(input));
    }
    return origins;
  }

  // Names of `tensors` that only one of them has.
  std::map<std::string, int32_t> unique_names(const std::vector<int32_t>& tensors) const {
    std::map<std::string, int32_t> names;
    std::set<std::string> repeated;
    for (const int32_t tensor : tensors) {
      const std::string& name = tensor_at(graph_, tensor).name;
      if (!names.try_emplace(name, tensor).second) repeated.insert(name);
    }
    for (const std::string& name : repeated) names.erase(name);
    names.erase("");
    return names;
  }

 private:
  const graph::Graph& graph_;
  std::set<int32_t> activations_;
  std::map<int32_t, size_t> producers_;
  std::vector<int32_t> produced_;
};

// Inputs or outputs of both: by name where the names are the same, else by order.
Result<std::vector<TensorMatch>> match_ends(const Network& expected,
                                            const std::vector<int32_t>& expected_ends,
                                            const Network& actual,
                                            const std::vector<int32_t>& actual_ends,
                                            std::string_view what) {
  if (expected_ends.size() != actual_ends.size()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} {}, but '{}' has {}",
                      expected.graph().name, expected_ends.size(), what, actual.graph().name,
                      actual_ends.size());
  }
  const auto names = actual.unique_names(actual_ends);
  const bool by_name = names.size() == expected_ends.size() &&
                       expected.unique_names(expected_ends).size() == expected_ends.size() &&
                       std::all_of(expected_ends.begin(), expected_ends.end(), [&](int32_t end) {
                         return names.contains(tensor_at(expected.graph(), end).name);
                       });
  std::vector<TensorMatch> matches;
  for (size_t i = 0; i < expected_ends.size(); ++i) {
    const graph::Tensor& tensor = tensor_at(expected.graph(), expected_ends[i]);
    const TensorMatch match = {.expected = expected_ends[i],
                               .actual = by_name ? names.at(tensor.name) : actual_ends[i],
                               .kind = by_name ? MatchKind::kName : MatchKind::kOrder};
    const graph::Tensor& counterpart = tensor_at(actual.graph(), match.actual);
    if (!have_same_size(tensor, counterpart)) {
      return make_error(ErrorCode::kInvalidArgument,
                        "the {} do not correspond: '{}' of '{}' is {}, '{}' of '{}' is {}", what,
                        graph::printable(tensor.name), expected.graph().name,
                        graph::shape_to_string(tensor.shape), graph::printable(counterpart.name),
                        actual.graph().name, graph::shape_to_string(counterpart.shape));
    }
    matches.push_back(match);
  }
  return matches;
}

// The pairs of layers, while they are found.
class LayerPairs {
 public:
  LayerPairs(const Network& expected, const Network& actual)
      : expected_(expected), actual_(actual) {}

  // False where one of both has a counterpart already.
  bool add(const TensorMatch& match) {
    if (by_expected_.contains(match.expected) || is_taken(match.actual)) return false;
    by_expected_[match.expected] = match;
    actual_taken_.insert(match.actual);
    actual_origins_.insert(actual_.origin_of(match.actual));
    origins_[expected_.origin_of(match.expected)].insert(actual_.origin_of(match.actual));
    return true;
  }

  void add_by_name() {
    const std::string suffix(kEqualizedSuffix);
    const auto names = actual_.unique_names(actual_.produced());
    const auto add_pair = [&](int32_t tensor, const std::string& name, MatchKind kind) {
      const auto counterpart = names.find(name);
      if (counterpart == names.end()) return;
      if (!have_same_size(tensor_at(expected_.graph(), tensor),
                          tensor_at(actual_.graph(), counterpart->second))) {
        return;
      }
      add({.expected = tensor, .actual = counterpart->second, .kind = kind});
    };
    const auto expected_names = expected_.unique_names(expected_.produced());
    for (const auto& [name, tensor] : expected_names) add_pair(tensor, name, MatchKind::kName);
    for (const auto& [name, tensor] : expected_names) {
      add_pair(tensor, name + suffix, MatchKind::kEqualized);
      if (is_equalized(name)) {
        add_pair(tensor, name.substr(0, name.size() - suffix.size()), MatchKind::kEqualized);
      }
    }
  }

  void add_by_structure() {
    std::map<std::string, std::vector<const graph::Operator*>> candidates;
    for (const graph::Operator& op : actual_.graph().operators) {
      if (!is_conversion(op)) candidates[op.name].push_back(&op);
    }
    for (const graph::Operator& op : expected_.graph().operators) {
      if (is_conversion(op)) continue;
      for (size_t i = 0; i < op.outputs.size(); ++i) {
        if (!expected_.is_activation(op.outputs[i])) continue;
        const auto counterpart = find_counterpart(op, i, candidates[op.name]);
        if (!counterpart) continue;
        add({.expected = op.outputs[i], .actual = *counterpart, .kind = MatchKind::kStructure});
      }
    }
  }

  bool has_expected(int32_t tensor) const { return by_expected_.contains(tensor); }
  bool is_taken(int32_t actual) const { return actual_taken_.contains(actual); }
  const TensorMatch& of(int32_t expected) const { return by_expected_.at(expected); }
  // Whether a tensor, or one with the same values, has a counterpart.
  bool holds_expected(int32_t tensor) const {
    return origins_.contains(expected_.origin_of(tensor));
  }
  bool holds_actual(int32_t tensor) const {
    return actual_origins_.contains(actual_.origin_of(tensor));
  }

 private:
  // The first output number `index` of an operator of the same kind that computes from the
  // counterparts of what `op` computes from, and that has no counterpart itself.
  std::optional<int32_t> find_counterpart(
      const graph::Operator& op, size_t index,
      const std::vector<const graph::Operator*>& candidates) const {
    const int32_t output = op.outputs[index];
    if (by_expected_.contains(output)) return std::nullopt;
    const std::vector<int32_t> inputs = expected_.origins_of_inputs(op);
    for (const graph::Operator* candidate : candidates) {
      if (candidate->outputs.size() != op.outputs.size()) continue;
      const int32_t counterpart = candidate->outputs[index];
      if (!actual_.is_activation(counterpart) || is_taken(counterpart)) continue;
      if (is_equalized(tensor_at(actual_.graph(), counterpart).name) !=
          is_equalized(tensor_at(expected_.graph(), output).name)) {
        continue;
      }
      if (tensor_at(actual_.graph(), counterpart).shape !=
          tensor_at(expected_.graph(), output).shape) {
        continue;
      }
      const std::vector<int32_t> other_inputs = actual_.origins_of_inputs(*candidate);
      const bool correspond =
          std::equal(inputs.begin(), inputs.end(), other_inputs.begin(), other_inputs.end(),
                     [&](int32_t expected, int32_t actual) {
                       const auto origins = origins_.find(expected);
                       return origins != origins_.end() && origins->second.contains(actual);
                     });
      if (correspond) return counterpart;
    }
    return std::nullopt;
  }

  const Network& expected_;
  const Network& actual_;
  std::map<int32_t, TensorMatch> by_expected_;
  std::set<int32_t> actual_taken_;
  std::map<int32_t, std::set<int32_t>> origins_;  // of matching tensors, by the expected one's
  std::set<int32_t> actual_origins_;
};

}  // namespace

std::string_view match_kind_name(MatchKind kind) {
  switch (kind) {
    case MatchKind::kName:
      return "name";
    case MatchKind::kEqualized:
      return "equalized";
    case MatchKind::kOrder:
      return "order";
    case MatchKind::kStructure:
      return "structure";
  }
  return "unknown";
}

Result<TensorMatching> match_tensors(const graph::Graph& expected_graph,
                                     const graph::Graph& actual_graph) {
  const Network expected(expected_graph);
  const Network actual(actual_graph);
  auto inputs = match_ends(expected, expected_graph.inputs, actual, actual_graph.inputs, "inputs");
  if (!inputs) return tl::unexpected(inputs.error());
  auto outputs =
      match_ends(expected, expected_graph.outputs, actual, actual_graph.outputs, "outputs");
  if (!outputs) return tl::unexpected(outputs.error());

  LayerPairs pairs(expected, actual);
  for (const TensorMatch& match : *inputs) pairs.add(match);
  for (const TensorMatch& match : *outputs) pairs.add(match);
  pairs.add_by_name();
  pairs.add_by_structure();

  TensorMatching result;
  result.inputs = std::move(*inputs);
  result.outputs = std::move(*outputs);
  for (const int32_t tensor : expected.produced()) {
    if (pairs.has_expected(tensor)) {
      result.layers.push_back(pairs.of(tensor));
    } else if (!pairs.holds_expected(tensor)) {
      result.only_expected.push_back(tensor);
    }
  }
  for (const int32_t tensor : actual.produced()) {
    if (!pairs.holds_actual(tensor)) result.only_actual.push_back(tensor);
  }
  return result;
}

}  // namespace lockstep::quantization
