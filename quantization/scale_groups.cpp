#include "quantization/scale_groups.h"

#include <algorithm>
#include <set>

namespace lockstep::quantization {
namespace {

double width(const TensorRange& range) {
  return static_cast<double>(range.maximum) - static_cast<double>(range.minimum);
}

// Up to half a step outside rounds to the same integers.
bool holds(const ScaleGroup& group, const TensorRange& range) {
  const float margin = group.fixed->scale / 2;
  return range.minimum >= group.range.minimum - margin &&
         range.maximum <= group.range.maximum + margin;
}

// Disjoint sets of tensors. A set is named by one of its tensors, its root.
class Grouping {
 public:
  Grouping(std::span<const ScaledOperator> operators, const Ranges& ranges, const Ranges& demanded)
      : operators_(operators) {
    for (const ScaledOperator& op : operators) {
      for (const int32_t tensor : op.inputs) add(tensor, ranges);
      for (const int32_t tensor : op.outputs) add(tensor, ranges);
      if (op.scales != ScaleRule::kShared) {
        for (const int32_t tensor : op.inputs) sets_.at(tensor).feeds_any_scale = true;
      }
    }
    for (const auto& [tensor, range] : demanded) {
      if (const auto set = sets_.find(tensor); set != sets_.end()) set->second.demanded = range;
    }
  }

  ScaleGroups group() {
    for (size_t i = 0; i < operators_.size(); ++i) {
      const ScaledOperator& op = operators_[i];
      if (op.outputs.empty()) continue;
      if (op.scales == ScaleRule::kFixed) fix(op);
      if (op.scales == ScaleRule::kShared) share(i, op);
    }
    return result();
  }

 private:
  struct Set {
    int32_t parent = 0;  // itself: a root, for which the rest is true
    ScaleGroup group;
    bool feeds_any_scale = false;  // a member is read by an operator that takes any scale
    std::optional<TensorRange> demanded = {};  // the union of what was demanded of members
  };

  void add(int32_t tensor, const Ranges& ranges) {
    sets_.try_emplace(tensor, Set{tensor, {ranges.at(tensor), std::nullopt}});
  }

  int32_t root(int32_t tensor) {
    for (int32_t parent = sets_.at(tensor).parent; parent != tensor;) {
      // Every second step is shortened, so that long chains stay quick.
      const int32_t grandparent = sets_.at(parent).parent;
      sets_.at(tensor).parent = grandparent;
      tensor = grandparent;
      parent = sets_.at(tensor).parent;
    }
    return tensor;
  }

  void join(int32_t a, int32_t b) {
    const int32_t kept = root(a);
    const int32_t joined = root(b);
    if (kept == joined) return;
    Set& into = sets_.at(kept);
    const Set& from = sets_.at(joined);
    if (!into.group.fixed && !from.group.fixed) {
      into.group.range = united(into.group.range, from.group.range);
    } else if (!into.group.fixed) {
      into.group = from.group;
    }
    into.feeds_any_scale = into.feeds_any_scale || from.feeds_any_scale;
    if (from.demanded) {
      into.demanded = into.demanded ? united(*into.demanded, *from.demanded) : *from.demanded;
    }
    sets_.at(joined).parent = kept;
  }

  void fix(const ScaledOperator& op) {
    for (const int32_t output : op.outputs) {
      sets_.at(output).group = {range_of(op.fixed_output, kInt8Range), op.fixed_output};
    }
  }

  void share(size_t index, const ScaledOperator& op) {
    const int32_t output = op.outputs.front();
    for (const int32_t other : op.outputs) join(output, other);

    std::set<int32_t> roots;
    for (const int32_t input : op.inputs) roots.insert(root(input));
    const std::set<int32_t> leaving = inputs_that_leave(op, roots);
    if (op.constants) {
      // In front of joining: a fixed group that stays holds them anyway.
      Set& set = sets_.at(output);
      set.group.range = united(set.group.range, *op.constants);
    }
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const int32_t input = root(op.inputs[i]);
      if (leaving.contains(input)) {
        requantizations_.push_back({index, i});
      } else {
        join(output, input);
      }
    }
  }

  // The groups, by their roots, that an operator's inputs do not share with its output.
  std::set<int32_t> inputs_that_leave(const ScaledOperator& op, const std::set<int32_t>& roots) {
    if (const auto fixed = fixed_group_for_all(op, roots)) {
      return coarsened(roots, sets_.at(*fixed).group.range);
    }
    std::set<int32_t> leaving;
    TensorRange all = sets_.at(op.outputs.front()).group.range;
    if (op.constants) all = united(all, *op.constants);
    for (const int32_t input : roots) {
      if (sets_.at(input).group.fixed) {
        leaving.insert(input);
      } else {
        all = united(all, sets_.at(input).group.range);
      }
    }
    leaving.merge(coarsened(roots, all));
    return leaving;
  }

  // A group with a fixed scale that all inputs, constants and the output can live with.
  std::optional<int32_t> fixed_group_for_all(const ScaledOperator& op,
                                             const std::set<int32_t>& roots) {
    std::optional<int32_t> fixed;
    for (const int32_t input : roots) {
      if (sets_.at(input).group.fixed) fixed = input;
    }
    if (!fixed) return std::nullopt;
    const ScaleGroup& group = sets_.at(*fixed).group;
    for (const int32_t input : roots) {
      const ScaleGroup& other = sets_.at(input).group;
      if (other.fixed ? *other.fixed != *group.fixed : !holds(group, other.range)) {
        return std::nullopt;
      }
    }
    if (op.constants && !holds(group, *op.constants)) return std::nullopt;
    return fixed;
  }

  std::set<int32_t> coarsened(const std::set<int32_t>& roots, const TensorRange& all) {
    std::set<int32_t> result;
    for (const int32_t input : roots) {
      const Set& set = sets_.at(input);
      if (set.feeds_any_scale && !set.group.fixed &&
          width(all) > kAcceptedWidening * width(set.group.range)) {
        result.insert(input);
      }
    }
    return result;
  }

  ScaleGroups result() {
    ScaleGroups groups;
    std::map<int32_t, size_t> index_of_root;
    for (const auto& [tensor, set] : sets_) {
      const auto [entry, is_new] = index_of_root.try_emplace(root(tensor), groups.groups.size());
      if (is_new) {
        const Set& whole = sets_.at(entry->first);
        groups.groups.push_back(whole.group);
        if (whole.demanded && !whole.group.fixed) groups.groups.back().range = *whole.demanded;
      }
      groups.group_of[tensor] = entry->second;
    }
    groups.requantizations = std::move(requantizations_);
    return groups;
  }

  std::span<const ScaledOperator> operators_;
  std::map<int32_t, Set> sets_;
  std::vector<Requantization> requantizations_;
};

}  // namespace

ScaleGroups group_scales(std::span<const ScaledOperator> operators, const Ranges& ranges,
                         const Ranges& demanded) {
  return Grouping(operators, ranges, demanded).group();
}

}  // namespace lockstep::quantization
