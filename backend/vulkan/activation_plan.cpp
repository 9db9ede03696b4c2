#include "backend/vulkan/activation_plan.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "backend/arena.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredGraph;
using graph::LoweredOperator;
using Memory = TensorPlace::Memory;

int64_t align_up(int64_t value, int64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

// What is known of the tensors that share one piece of memory.
struct Sharing {
  bool is_input = false;
  bool is_output = false;
  bool is_constant = false;
  int32_t first = std::numeric_limits<int32_t>::max();  // step of the first access; operator i is
  int32_t last = -1;                                    // step i + 1, 0 comes before all of them

  bool is_used() const { return last >= first; }
  void touch(int32_t step) {
    first = std::min(first, step);
    last = std::max(last, step);
  }
};

class Planner {
 public:
  Planner(const LoweredGraph& graph, std::span<const KernelPlan> plans)
      : graph_(graph),
        plans_(plans),
        roots_(graph.tensors.size(), -1),
        offsets_(graph.tensors.size(), 0),
        parts_(graph.tensors.size()),
        sharings_(graph.tensors.size()) {}

  Status follow_tensors() {
    for (size_t tensor = 0; tensor < graph_.tensors.size(); ++tensor) {
      if (!graph_.tensors[tensor].constant.empty()) {
        roots_[tensor] = static_cast<int32_t>(tensor);
        sharings_[tensor].is_constant = true;
      }
    }
    for (const int32_t tensor : graph_.inputs) {
      if (Status status = check_index(tensor, "an input"); !status) {
        return status;
      }
      const auto index = static_cast<size_t>(tensor);
      if (sharings_[index].is_constant) {
        return make_error(ErrorCode::kInvalidArgument, "{}: input '{}' is a constant", graph_.name,
                          name(tensor));
      }
      roots_[index] = tensor;
      sharings_[index].is_input = true;
    }
    if (Status status = follow_pieces(); !status) {
      return status;
    }
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      if (Status status = follow_operator(i); !status) {
        return status;
      }
    }
    const auto after_all = static_cast<int32_t>(graph_.operators.size()) + 1;
    for (const int32_t tensor : graph_.outputs) {
      if (Status status = check_readable(tensor, "the graph's outputs"); !status) {
        return status;
      }
      Sharing& sharing = sharing_of(tensor);
      sharing.is_output = true;
      sharing.touch(after_all);
    }
    for (Sharing& sharing : sharings_) {
      if (sharing.is_input && sharing.is_used()) {
        sharing.touch(0);
      }
    }
    return {};
  }

  ActivationPlan place(const PlacementRules& rules) const {
    const int64_t guard = rules.guard_bytes;
    const auto after_all = static_cast<int32_t>(graph_.operators.size()) + 1;
    ActivationPlan plan;
    plan.places.resize(graph_.tensors.size());
    std::vector<Lifetime> lifetimes;
    std::vector<size_t> lifetime_tensors;
    for (size_t tensor = 0; tensor < graph_.tensors.size(); ++tensor) {
      const Sharing& sharing = sharings_[tensor];
      if (!sharing.is_used() || roots_[tensor] != static_cast<int32_t>(tensor)) {
        continue;
      }
      TensorPlace& place = plan.places[tensor];
      place.root = static_cast<int32_t>(tensor);
      place.first = sharing.first;
      place.last = sharing.last;
      place.bytes = bound_bytes(layout_of(graph_.tensors[tensor]).bytes());
      if (sharing.is_constant) {
        place.memory = Memory::kConstants;
      } else if (rules.separate_border && (sharing.is_input || sharing.is_output)) {
        place.memory = Memory::kBorder;
        place.offset = std::max(plan.border_bytes, guard);
        plan.border_bytes = place.offset + align_up(place.bytes, rules.alignment) + guard;
      } else {
        place.memory = Memory::kArena;
        const bool is_shared = guard == 0;
        lifetimes.push_back({place.bytes + guard, is_shared ? sharing.first : 0,
                             is_shared ? sharing.last : after_all});
        lifetime_tensors.push_back(tensor);
      }
    }
    const ArenaPlan arena = plan_arena(lifetimes, rules.alignment);
    plan.arena_bytes = arena.bytes == 0 ? 0 : guard + arena.bytes;
    plan.arena_lower_bound = arena.lower_bound;
    for (size_t i = 0; i < lifetimes.size(); ++i) {
      plan.places[lifetime_tensors[i]].offset = guard + arena.offsets[i];
    }
    for (size_t tensor = 0; tensor < graph_.tensors.size(); ++tensor) {
      if (roots_[tensor] >= 0 && roots_[tensor] != static_cast<int32_t>(tensor)) {
        TensorPlace& place = plan.places[tensor];
        place = plan.places[static_cast<size_t>(roots_[tensor])];
        place.offset += offsets_[tensor];
        place.bytes = bound_bytes(layout_of(graph_.tensors[tensor]).bytes());
      }
    }
    return plan;
  }

 private:
  std::string_view name(int32_t tensor) const {
    return graph_.tensors[static_cast<size_t>(tensor)].name;
  }
  Sharing& sharing_of(int32_t tensor) {
    return sharings_[static_cast<size_t>(roots_[static_cast<size_t>(tensor)])];
  }

  Status check_index(int32_t tensor, std::string_view user) const {
    if (tensor < 0 || static_cast<size_t>(tensor) >= graph_.tensors.size()) {
      return make_error(ErrorCode::kInvalidArgument, "{}: {} names tensor {}, of {}", graph_.name,
                        user, tensor, graph_.tensors.size());
    }
    return {};
  }

  Status check_readable(int32_t tensor, std::string_view user) const {
    if (Status status = check_index(tensor, user); !status) {
      return status;
    }
    if (roots_[static_cast<size_t>(tensor)] < 0) {
      return make_error(ErrorCode::kInvalidArgument, "{}: {} reads '{}', which nothing has written",
                        graph_.name, user, name(tensor));
    }
    return {};
  }

  // Which tensors are parts of others, before anybody writes them.
  Status follow_pieces() {
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      const graph::LoweredOperation& operation = graph_.operators[i].operation;
      const int32_t output = graph::operation_output(operation);
      const std::vector<int32_t> inputs = graph::operation_inputs(operation);
      for (const PieceInPlace& piece : plans_[i].pieces_in_place) {
        // Checked with the operator, which comes later: its tensors exist.
        if (!check_index(output, "") || std::ranges::count(inputs, piece.tensor) != 1 ||
            !check_index(piece.tensor, "") || !can_be_part(piece, output)) {
          return make_error(ErrorCode::kInternal, "{}: {} cannot have tensor {} in place",
                            graph_.name, user_of(i), piece.tensor);
        }
        parts_[static_cast<size_t>(piece.tensor)] = {output, piece.offset};
      }
    }
    return {};
  }

  // Whether nobody but an operator gives the tensor a value, and it lies within the output.
  bool can_be_part(const PieceInPlace& piece, int32_t output) const {
    const auto index = static_cast<size_t>(piece.tensor);
    const int64_t end = piece.offset + layout_of(tensor(piece.tensor)).bytes();
    const bool goes_round = piece.tensor == output || parts_[static_cast<size_t>(output)].whole;
    return roots_[index] < 0 && !parts_[index].whole && !goes_round && piece.offset >= 0 &&
           piece.offset % kBindingUnit == 0 && end <= layout_of(tensor(output)).bytes();
  }

  // Where a tensor lies that an operator makes by itself: in its own memory, or in that of what it
  // is a part of.
  void find_memory(int32_t tensor) {
    const auto index = static_cast<size_t>(tensor);
    int32_t root = tensor;
    while (parts_[static_cast<size_t>(root)].whole) {
      offsets_[index] += parts_[static_cast<size_t>(root)].offset;
      root = *parts_[static_cast<size_t>(root)].whole;
    }
    roots_[index] = root;
  }

  std::string user_of(size_t index) const {
    const LoweredOperator& op = graph_.operators[index];
    return fmt::format("operator {} ({})", op.source_operator, op.name);
  }

  Status follow_operator(size_t index) {
    const LoweredOperator& op = graph_.operators[index];
    const auto step = static_cast<int32_t>(index) + 1;
    const std::string user = user_of(index);
    const std::vector<int32_t> inputs = graph::operation_inputs(op.operation);
    std::vector<int32_t> read = inputs;
    // What an epilogue reads is an input of the plan alone.
    for (const Dispatch& dispatch : plans_[index].dispatches) {
      for (const Binding& input : dispatch.inputs) {
        if (input.kind == Binding::Kind::kTensor) {
          read.push_back(input.index);
        }
      }
    }
    for (const int32_t input : read) {
      if (Status status = check_readable(input, user); !status) {
        return status;
      }
      sharing_of(input).touch(step);
    }
    const int32_t output = graph::operation_output(op.operation);
    if (Status status = check_index(output, user); !status) {
      return status;
    }
    const auto written = static_cast<size_t>(output);
    if (roots_[written] >= 0) {
      return make_error(ErrorCode::kInvalidArgument,
                        "{}: {} writes '{}', which has a value already", graph_.name, user,
                        name(output));
    }
    find_memory(output);
    if (plans_[index].is_alias) {
      if (inputs.size() != 1 ||
          !lie_alike(layout_of(tensor(inputs[0])), layout_of(tensor(output))) ||
          parts_[written].whole) {
        return make_error(ErrorCode::kInternal, "{}: {} cannot share its input's memory",
                          graph_.name, user);
      }
      const auto shared = static_cast<size_t>(inputs[0]);
      roots_[written] = roots_[shared];
      offsets_[written] = offsets_[shared];
    }
    sharing_of(output).touch(step);
    return {};
  }

  const graph::LoweredTensor& tensor(int32_t index) const {
    return graph_.tensors[static_cast<size_t>(index)];
  }

  const LoweredGraph& graph_;
  std::span<const KernelPlan> plans_;
  // What a tensor is a part of.
  struct Part {
    std::optional<int32_t> whole;
    int64_t offset = 0;
  };
  std::vector<int32_t> roots_;    // by tensor: whose memory it has; -1 before it is written
  std::vector<int64_t> offsets_;  // by tensor: where in that memory
  std::vector<Part> parts_;       // by tensor
  std::vector<Sharing> sharings_;
};

}  // namespace

PlacementRules placement_rules(const Capabilities& capabilities, const CompileOptions& options) {
  // More than what a kernel writes that is off by one pixel, but for very many channels.
  constexpr int64_t kGuardBytes = 4096;
  PlacementRules rules;
  // Whatever a kernel sees as a storage buffer, another may see as a texel buffer.
  rules.alignment = std::max(
      {kBindingUnit, static_cast<int64_t>(capabilities.min_storage_buffer_offset_alignment),
       static_cast<int64_t>(capabilities.min_texel_buffer_offset_alignment)});
  rules.separate_border = capabilities.unified_memory;
  rules.guard_bytes = options.guard_memory ? align_up(kGuardBytes, rules.alignment) : 0;
  return rules;
}

Result<ActivationPlan> plan_activations(const LoweredGraph& graph,
                                        std::span<const KernelPlan> plans,
                                        const PlacementRules& rules) {
  Planner planner(graph, plans);
  if (Status status = planner.follow_tensors(); !status) {
    return tl::unexpected(status.error());
  }
  return planner.place(rules);
}

}  // namespace lockstep::backend::vulkan
