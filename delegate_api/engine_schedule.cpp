#include "delegate_api/engine_schedule.h"

#include <algorithm>
#include <utility>

#include "graph/lowering.h"

namespace lockstep::delegate {

std::vector<std::string> find_unavailable(const graph::Graph& graph, numerics::Contract contract) {
  std::vector<bool> available(graph.tensors.size(), false);
  for (size_t index = 0; index < graph.tensors.size(); ++index) {
    available[index] = graph.tensors[index].is_constant();
  }
  for (const int32_t input : graph.inputs) {
    available[static_cast<size_t>(input)] = true;
  }
  std::vector<std::string> reasons(graph.operators.size());
  for (size_t index = 0; index < graph.operators.size(); ++index) {
    const graph::Operator& op = graph.operators[index];
    const auto missing = std::find_if(op.inputs.begin(), op.inputs.end(), [&](int32_t input) {
      return input != graph::kAbsentTensor && !available[static_cast<size_t>(input)];
    });
    if (missing != op.inputs.end()) {
      reasons[index] =
          fmt::format("its input '{}' is not available",
                      graph::printable(graph.tensors[static_cast<size_t>(*missing)].name));
    } else if (const auto lowered = graph::lower_operator(graph, index, contract); !lowered) {
      reasons[index] = stated_reason(graph, index, lowered.error());
    }
    for (const int32_t output : op.outputs) {
      if (output != graph::kAbsentTensor) {
        available[static_cast<size_t>(output)] = reasons[index].empty();
      }
    }
  }
  return reasons;
}

Result<std::vector<ScheduledProgram>> schedule(const graph::Graph& graph, Partitioning partitioning,
                                               const std::vector<std::string>& unavailable) {
  std::vector<bool> pending(graph.tensors.size(), false);
  std::vector<size_t> waiting;  // operators of the host
  for (size_t index = 0; index < graph.operators.size(); ++index) {
    if (!unavailable[index].empty()) {
      continue;
    }
    for (const int32_t output : graph.operators[index].outputs) {
      pending[static_cast<size_t>(output)] = true;
    }
    if (partitioning.decisions[index].partition < 0) {
      waiting.push_back(index);
    }
  }
  const auto is_ready = [&](const std::vector<int32_t>& inputs) {
    return std::none_of(inputs.begin(), inputs.end(), [&](int32_t input) {
      return input != graph::kAbsentTensor && pending[static_cast<size_t>(input)];
    });
  };
  const auto mark_done = [&](size_t index) {
    for (const int32_t output : graph.operators[index].outputs) {
      pending[static_cast<size_t>(output)] = false;
    }
  };

  std::vector<ScheduledProgram> programs;
  for (size_t next = 0; next < partitioning.partitions.size() || !waiting.empty();) {
    std::vector<size_t> ready;
    std::erase_if(waiting, [&](size_t index) {
      const bool runs_now = is_ready(graph.operators[index].inputs);
      if (runs_now) {
        ready.push_back(index);
        mark_done(index);
      }
      return runs_now;
    });
    const bool host_moved = !ready.empty();
    if (host_moved) {
      programs.push_back(
          {.is_on_device = false, .partition = make_partition(graph, std::move(ready))});
    }
    if (next < partitioning.partitions.size() && is_ready(partitioning.partitions[next].inputs)) {
      for (const size_t index : partitioning.partitions[next].operators) {
        mark_done(index);
      }
      programs.push_back(
          {.is_on_device = true, .partition = std::move(partitioning.partitions[next])});
      ++next;
    } else if (!host_moved) {
      return make_error(ErrorCode::kInternal, "'{}': partitions wait for each other", graph.name);
    }
  }
  return programs;
}

}  // namespace lockstep::delegate
