// Contents without what the failure does not need: blocks to the neutral value (delta debugging),
// then single elements towards it.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "conformance/editable_case.h"
#include "conformance/shrink_stages.h"
#include "conformance/tensor_values.h"

namespace lockstep::conformance {
namespace {

// Of one list, so that it stays short; what is finer comes when the coarse blocks are gone.
constexpr size_t kMaximumBlocks = 4096;
// Elements are moved one by one once there are no more of them than this.
constexpr size_t kMaximumSingles = 256;

class ValueSteps {
 public:
  explicit ValueSteps(const std::shared_ptr<const Case>& source)
      : source_(source), editable_(*source) {}

  std::vector<ShrinkStep> make() {
    std::set<int32_t> structural;
    for (const graph::Operator& op : source_->graph.operators) {
      for (size_t i = 0; i < op.inputs.size(); ++i) {
        if (is_structural_operand(op, i)) structural.insert(op.inputs[i]);
      }
    }
    for (size_t i = 0; i < editable_.contents.size(); ++i) {
      const auto tensor = static_cast<int32_t>(i);
      if (!structural.contains(tensor)) add_tensor(tensor);
    }
    return std::move(steps_);
  }

 private:
  struct Change {
    int64_t index;
    int64_t value;
  };

  void add_tensor(int32_t tensor) {
    const graph::Tensor& description = editable_.tensor(tensor);
    const auto& bytes = editable_.contents[static_cast<size_t>(tensor)];
    const size_t size = graph::data_type_size(description.type);
    if (size == 0) return;
    const int64_t neutral = neutral_value(description);
    std::vector<int64_t> indices;
    for (int64_t i = 0; i < static_cast<int64_t>(bytes.size() / size); ++i) {
      if (element_value(description.type, bytes, i) != neutral) indices.push_back(i);
    }
    size_t blocks = 0;
    for (size_t length = indices.size(); length > 0; length /= 2) {
      blocks += (indices.size() + length - 1) / length;
      if (blocks > kMaximumBlocks) break;
      for (size_t begin = 0; begin < indices.size(); begin += length) {
        std::vector<Change> changes;
        for (size_t i = begin; i < std::min(begin + length, indices.size()); ++i) {
          changes.push_back({indices[i], neutral});
        }
        add_changes(tensor, "neutral", std::move(changes));
      }
    }
    if (!is_integer(description.type)) return;
    const auto nearer = [&](int64_t index, bool one_step) {
      const int64_t value = element_value(description.type, bytes, index);
      return one_step ? neutral + (value > neutral ? 1 : -1) : neutral + (value - neutral) / 2;
    };
    std::vector<Change> all;
    for (const int64_t index : indices) all.push_back({index, nearer(index, true)});
    if (!all.empty()) add_changes(tensor, "one beside neutral", std::move(all));
    if (indices.size() > kMaximumSingles) return;
    for (const int64_t index : indices) {
      const int64_t value = element_value(description.type, bytes, index);
      const int64_t decrement = value > neutral ? value - 1 : value + 1;
      std::set<int64_t> smaller{nearer(index, true), nearer(index, false), decrement};
      smaller.erase(neutral);  // is a block
      smaller.erase(value);
      for (const int64_t replacement : smaller) {
        add_changes(tensor, fmt::format("{} -> {}", value, replacement), {{index, replacement}});
      }
    }
  }

  void add_changes(int32_t tensor, std::string_view what, std::vector<Change> changes) {
    steps_.push_back({fmt::format("{} elements of '{}' {}", changes.size(),
                                  graph::printable(editable_.tensor(tensor).name), what),
                      [source = source_, tensor, changes = std::move(changes)] {
                        EditableCase edited(*source);
                        auto& bytes = edited.contents[static_cast<size_t>(tensor)];
                        for (const Change& change : changes) {
                          set_element_value(edited.tensor(tensor).type, bytes, change.index,
                                            change.value);
                        }
                        return std::move(edited).finish();
                      }});
  }

  std::shared_ptr<const Case> source_;
  EditableCase editable_;
  std::vector<ShrinkStep> steps_;
};

}  // namespace

std::vector<ShrinkStep> value_steps(const std::shared_ptr<const Case>& source) {
  return ValueSteps(source).make();
}

}  // namespace lockstep::conformance
