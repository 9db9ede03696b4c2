#include "delegate_api/partitioner.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>
#include <string_view>

#include "graph/builtin_operators.h"
#include "graph/lowering.h"

namespace lockstep::delegate {
namespace {

constexpr size_t kNoOperator = SIZE_MAX;

// The operator that writes each tensor; kNoOperator for constants and graph inputs.
std::vector<size_t> find_producers(const graph::Graph& graph) {
  std::vector<size_t> producers(graph.tensors.size(), kNoOperator);
  for (size_t index = 0; index < graph.operators.size(); ++index) {
    for (const int32_t output : graph.operators[index].outputs) {
      if (output != graph::kAbsentTensor) {
        producers[static_cast<size_t>(output)] = index;
      }
    }
  }
  return producers;
}

// Calls visit(producer) for every operator whose result `op` reads.
template <typename Visit>
void for_each_producer(const graph::Operator& op, const std::vector<size_t>& producers,
                       Visit visit) {
  for (const int32_t input : op.inputs) {
    if (input == graph::kAbsentTensor) {
      continue;
    }
    const size_t producer = producers[static_cast<size_t>(input)];
    if (producer != kNoOperator) {
      visit(producer);
    }
  }
}

bool names_operator(const std::string& entry, const graph::Graph& graph,
                    const graph::Operator& op) {
  if (entry == op.name) {
    return true;
  }
  return std::any_of(op.outputs.begin(), op.outputs.end(), [&](int32_t output) {
    return output != graph::kAbsentTensor &&
           graph.tensors[static_cast<size_t>(output)].name == entry;
  });
}

bool list_names(const std::vector<std::string>& list, const graph::Graph& graph,
                const graph::Operator& op) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& entry) { return names_operator(entry, graph, op); });
}

// Names of the operators that this build understands.
std::set<std::string> understood_operator_names() {
  constexpr int32_t kLargestBuiltinCode = 255;
  std::set<std::string> names;
  for (int32_t code = 0; code <= kLargestBuiltinCode; ++code) {
    if (graph::newest_understood_version(code) > 0) {
      names.insert(graph::builtin_operator_name(code));
    }
  }
  return names;
}

Status check_list(std::string_view option, const std::vector<std::string>& list,
                  const graph::Graph& graph) {
  const std::set<std::string> understood = understood_operator_names();
  for (const std::string& entry : list) {
    const bool known =
        understood.contains(entry) ||
        std::any_of(graph.operators.begin(), graph.operators.end(),
                    [&](const graph::Operator& op) { return names_operator(entry, graph, op); });
    if (!known) {
      std::string valid;
      for (const std::string& name : understood) {
        valid += (valid.empty() ? "" : ", ") + name;
      }
      return make_error(ErrorCode::kInvalidArgument,
                        "{}: '{}' is neither an operator nor a tensor that an operator of '{}' "
                        "writes; operators are: {}",
                        option, entry, graph.name, valid);
    }
  }
  return {};
}

}  // namespace

std::string stated_reason(const graph::Graph& graph, size_t operator_index, const Error& error) {
  std::string_view reason = error.message;
  const std::array prefixes = {
      graph.name + ": ", graph::describe_operator(graph, operator_index) + ": ",
      fmt::format("operator {} ({}): ", operator_index, graph.operators[operator_index].name)};
  for (bool stripped = true; stripped;) {
    stripped = false;
    for (const std::string& prefix : prefixes) {
      if (reason.starts_with(prefix)) {
        reason.remove_prefix(prefix.size());
        stripped = true;
      }
    }
  }
  return std::string(reason);
}

namespace {

// Why each operator cannot go to the device; empty: it can.
std::vector<std::string> find_refusals(const graph::Graph& graph, const backend::Device& device,
                                       const PartitionOptions& options,
                                       std::span<const std::string> refusals) {
  std::vector<std::string> reasons(graph.operators.size());
  std::vector<size_t> lowerable;
  for (size_t index = 0; index < graph.operators.size(); ++index) {
    const graph::Operator& op = graph.operators[index];
    if (!refusals.empty() && !refusals[index].empty()) {
      reasons[index] = refusals[index];
    } else if (list_names(options.deny_ops, graph, op)) {
      reasons[index] = "named in deny_ops";
    } else if (!options.allow_ops.empty() && !list_names(options.allow_ops, graph, op)) {
      reasons[index] = "not named in allow_ops";
    } else if (const auto lowered = graph::lower_operator(graph, index, options.contract);
               !lowered) {
      reasons[index] = stated_reason(graph, index, lowered.error());
    } else {
      lowerable.push_back(index);
    }
  }
  if (lowerable.empty()) {
    return reasons;
  }
  // Device::supports needs the operators inside a graph: one that holds all candidates.
  const Partition candidates = make_partition(graph, lowerable);
  const auto lowered = lower_partition(graph, candidates, options.contract);
  for (size_t position = 0; position < lowerable.size(); ++position) {
    const size_t index = lowerable[position];
    if (!lowered) {
      reasons[index] = stated_reason(graph, index, lowered.error());
    } else if (const Status supported = device.supports(*lowered, lowered->operators[position]);
               !supported) {
      reasons[index] = stated_reason(graph, index, supported.error());
    }
  }
  return reasons;
}

// The phase of an operator counts how often a path that leads to it leaves the device and comes
// back:
//   device operator: max over producers p of phase(p) + (1 if p is a host operator), at least 0
//   host operator:   max over producers p of phase(p), at least `first_host_phase`
// where first_host_phase is -1, so that the host operators at the beginning cost no phase. The
// device operators of one phase are a partition. It is convex: a path from it through the host ends
// in a later phase. There are as few partitions as there can be: an operator of phase n has a path
// behind it that visits phases 0, 1, ..., n with the host in between each, and no two of those can
// share a partition. That is also why no two partitions can be merged.
//
// A TFLite host whose plan begins on the device acts as if first_host_phase were 0. Leaving out
// whole partitions afterwards, by min_nodes and max_partitions, leaves the others as they are: the
// phases behind such a one all shift by one.
std::vector<int32_t> find_phases(const graph::Graph& graph, const std::vector<std::string>& reasons,
                                 int32_t first_host_phase) {
  const std::vector<size_t> producers = find_producers(graph);
  std::vector<int32_t> phases(graph.operators.size());
  for (size_t index = 0; index < graph.operators.size(); ++index) {
    const bool on_device = reasons[index].empty();
    int32_t phase = on_device ? 0 : first_host_phase;
    for_each_producer(graph.operators[index], producers, [&](size_t producer) {
      const bool comes_back = on_device && !reasons[producer].empty();
      phase = std::max(phase, phases[producer] + (comes_back ? 1 : 0));
    });
    phases[index] = phase;
  }
  return phases;
}

int64_t work_of(const graph::Graph& graph, const std::vector<size_t>& operators) {
  int64_t work = 0;
  for (const size_t index : operators) {
    work += graph::multiply_accumulates(graph, graph.operators[index]);
  }
  return work;
}

}  // namespace

Status check_partition_options(const graph::Graph& graph, const PartitionOptions& options) {
  if (options.min_nodes < 0 || options.max_partitions < 0) {
    return make_error(ErrorCode::kInvalidArgument, "{} must not be negative",
                      options.min_nodes < 0 ? "min_nodes" : "max_partitions");
  }
  return check_list("allow_ops", options.allow_ops, graph).and_then([&] {
    return check_list("deny_ops", options.deny_ops, graph);
  });
}

Partition make_partition(const graph::Graph& graph, std::vector<size_t> operators) {
  std::vector<bool> inside(graph.operators.size(), false);
  for (const size_t index : operators) {
    inside[index] = true;
  }
  std::vector<bool> written(graph.tensors.size(), false);
  std::vector<bool> is_input(graph.tensors.size(), false);
  Partition partition;
  for (const size_t index : operators) {
    const graph::Operator& op = graph.operators[index];
    for (const int32_t input : op.inputs) {
      if (input == graph::kAbsentTensor) {
        continue;
      }
      const auto tensor = static_cast<size_t>(input);
      if (!written[tensor] && !is_input[tensor] && !graph.tensors[tensor].is_constant()) {
        is_input[tensor] = true;
        partition.inputs.push_back(input);
      }
    }
    for (const int32_t output : op.outputs) {
      if (output != graph::kAbsentTensor) {
        written[static_cast<size_t>(output)] = true;
      }
    }
  }
  std::vector<bool> read_inside(graph.tensors.size(), false);
  std::vector<bool> needed(graph.tensors.size(), false);
  for (size_t index = 0; index < graph.operators.size(); ++index) {
    for (const int32_t input : graph.operators[index].inputs) {
      if (input != graph::kAbsentTensor) {
        (inside[index] ? read_inside : needed)[static_cast<size_t>(input)] = true;
      }
    }
  }
  for (const int32_t output : graph.outputs) {
    needed[static_cast<size_t>(output)] = true;
  }
  for (const size_t index : operators) {
    for (const int32_t output : graph.operators[index].outputs) {
      const auto tensor = static_cast<size_t>(output);
      if (output != graph::kAbsentTensor && (needed[tensor] || !read_inside[tensor])) {
        partition.outputs.push_back(output);
      }
    }
  }
  partition.operators = std::move(operators);
  return partition;
}

Result<graph::LoweredGraph> lower_partition(const graph::Graph& graph, const Partition& partition,
                                            numerics::Contract contract) {
  auto lowered =
      graph::lower(graph, partition.operators, partition.inputs, partition.outputs, contract);
  if (!lowered) {
    return lowered;
  }
  std::vector<bool> read(graph.tensors.size(), false);
  for (const graph::LoweredOperator& op : lowered->operators) {
    for (const int32_t input : graph::operation_inputs(op.operation)) {
      read[static_cast<size_t>(input)] = true;
    }
  }
  std::erase_if(lowered->inputs, [&](int32_t input) { return !read[static_cast<size_t>(input)]; });
  return lowered;
}

Partitioning partition_graph(const graph::Graph& graph, const backend::Device& device,
                             const PartitionOptions& options,
                             std::span<const std::string> refusals) {
  std::vector<std::string> reasons = find_refusals(graph, device, options, refusals);
  const bool begins_on_device = !reasons.empty() && reasons.front().empty();
  const std::vector<int32_t> phases =
      find_phases(graph, reasons, options.form_as_tflite_does && begins_on_device ? 0 : -1);
  std::map<int32_t, std::vector<size_t>> by_phase;
  for (size_t index = 0; index < graph.operators.size(); ++index) {
    if (reasons[index].empty()) {
      by_phase[phases[index]].push_back(index);
    }
  }
  std::vector<std::vector<size_t>> candidates;
  for (auto& [phase, operators] : by_phase) {
    candidates.push_back(std::move(operators));
  }

  const auto refuse = [&](const std::vector<size_t>& operators, const std::string& reason) {
    for (const size_t index : operators) {
      reasons[index] = reason;
    }
  };
  std::erase_if(candidates, [&](const std::vector<size_t>& operators) {
    const bool is_small = std::ssize(operators) < options.min_nodes;
    if (is_small) {
      refuse(operators, fmt::format("its partition has {} operators, fewer than min_nodes {}",
                                    operators.size(), options.min_nodes));
    }
    return is_small;
  });
  const auto multiplies = [&](const std::vector<size_t>& operators) {
    return work_of(graph, operators) > 0;
  };
  std::vector<size_t> all_operators(graph.operators.size());
  std::iota(all_operators.begin(), all_operators.end(), size_t{0});
  if (!options.keep_light_partitions && multiplies(all_operators)) {
    std::erase_if(candidates, [&](const std::vector<size_t>& operators) {
      if (multiplies(operators)) {
        return false;
      }
      refuse(operators, "its partition multiplies nothing: a trip to the device would not pay");
      return true;
    });
  }
  if (options.max_partitions > 0 && std::ssize(candidates) > options.max_partitions) {
    std::vector<std::pair<int64_t, size_t>> by_work;  // negated, so that the largest comes first
    for (size_t index = 0; index < candidates.size(); ++index) {
      by_work.emplace_back(-work_of(graph, candidates[index]), index);
    }
    std::sort(by_work.begin(), by_work.end());
    for (size_t rank = static_cast<size_t>(options.max_partitions); rank < by_work.size(); ++rank) {
      const auto [negated_work, index] = by_work[rank];
      refuse(candidates[index],
             fmt::format("its partition ({} operators, {} multiply-accumulates) is not among the "
                         "max_partitions {} with the most work",
                         candidates[index].size(), -negated_work, options.max_partitions));
      candidates[index].clear();
    }
    std::erase_if(candidates, [](const auto& operators) { return operators.empty(); });
  }

  Partitioning result;
  result.decisions.resize(graph.operators.size());
  for (size_t index = 0; index < reasons.size(); ++index) {
    result.decisions[index].reason = std::move(reasons[index]);
  }
  for (std::vector<size_t>& operators : candidates) {
    for (const size_t index : operators) {
      result.decisions[index].partition = static_cast<int32_t>(result.partitions.size());
    }
    result.partitions.push_back(make_partition(graph, std::move(operators)));
  }
  return result;
}

}  // namespace lockstep::delegate
