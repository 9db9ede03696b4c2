// Fewer of everything that is counted.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <variant>

#include "conformance/extent_coupling.h"
#include "conformance/shrink_stages.h"

namespace lockstep::conformance {
namespace {

using Edit = std::function<void(EditableCase&)>;

// What is left when `removed` go: half, a quarter, ... one.
std::vector<int32_t> smaller_counts(int32_t count) {
  std::vector<int32_t> counts;
  if (count > 1) counts.push_back(1);
  for (int32_t removed = count / 2; removed > 0; removed /= 2) {
    if (count - removed > 1) counts.push_back(count - removed);
  }
  return counts;
}

KeptIndices range(int32_t begin, int32_t end) {
  KeptIndices indices(static_cast<size_t>(end - begin));
  std::iota(indices.begin(), indices.end(), begin);
  return indices;
}

class ExtentSteps {
 public:
  explicit ExtentSteps(const std::shared_ptr<const Case>& source) : source_(source) {}

  std::vector<ShrinkStep> make() {
    const EditableCase editable(*source_);
    const auto coupling = ExtentCoupling::analyse(editable);
    if (!coupling) return {};
    for (const auto& extent : coupling->free_extents()) add_slices(extent);
    for (size_t i = 0; i < source_->graph.operators.size(); ++i) {
      std::visit([&](const auto& attributes) { add_edits(i, attributes); },
                 source_->graph.operators[i].attributes);
    }
    return std::move(steps_);
  }

 private:
  // The beginning of an extent or its end.
  void add_slices(const ExtentCoupling::FreeExtent& extent) {
    const graph::Tensor& tensor = source_->graph.tensors[static_cast<size_t>(extent.first.tensor)];
    for (const int32_t blocks : smaller_counts(extent.extent / extent.block)) {
      const int32_t count = blocks * extent.block;
      for (const bool is_beginning : {true, false}) {
        const int32_t begin = is_beginning ? 0 : extent.extent - count;
        steps_.push_back(
            {fmt::format("extent {} of '{}' {} -> {} (from {})", extent.first.dimension,
                         graph::printable(tensor.name), extent.extent, count, begin),
             [source = source_, id = extent.id, begin, count]() -> Result<Case> {
               EditableCase edited(*source);
               const auto coupling = ExtentCoupling::analyse(edited);
               if (!coupling) return tl::unexpected(coupling.error());
               if (Status status = coupling->resize(edited, {{id, range(begin, begin + count)}});
                   !status) {
                 return tl::unexpected(status.error());
               }
               return std::move(edited).finish();
             }});
      }
    }
  }

  void add_edit(std::string description, Edit edit) {
    steps_.push_back(edit_step(std::move(description), source_, std::move(edit)));
  }

  void add_edits(size_t op, const graph::DepthwiseConv2dAttributes& attributes) {
    for (const int32_t count : smaller_counts(attributes.depth_multiplier)) {
      add_edit(fmt::format("depth multiplier {} -> {}", attributes.depth_multiplier, count),
               [op, count](EditableCase& edited) {
                 std::get<graph::DepthwiseConv2dAttributes>(edited.graph.operators[op].attributes)
                     .depth_multiplier = count;
               });
    }
  }

  void add_edits(size_t op, const graph::Pool2dAttributes& attributes) {
    const auto add_filters = [&](std::string_view which, int32_t filter,
                                 int32_t graph::Pool2dAttributes::*member) {
      for (const int32_t count : smaller_counts(filter)) {
        add_edit(fmt::format("filter {} {} -> {}", which, filter, count),
                 [op, count, member](EditableCase& edited) {
                   auto& pool =
                       std::get<graph::Pool2dAttributes>(edited.graph.operators[op].attributes);
                   pool.*member = count;
                 });
      }
    };
    add_filters("height", attributes.filter_height, &graph::Pool2dAttributes::filter_height);
    add_filters("width", attributes.filter_width, &graph::Pool2dAttributes::filter_width);
  }

  // Number `i` of the operator's int32 operand 1 becomes `value`.
  void add_operand_edit(std::string description, size_t op, size_t i, int32_t value) {
    const auto operand = static_cast<size_t>(source_->graph.operators[op].inputs[1]);
    add_edit(std::move(description), [operand, i, value](EditableCase& edited) {
      std::memcpy(edited.contents[operand].data() + i * sizeof(value), &value, sizeof(value));
    });
  }

  std::vector<int32_t> operand_values(size_t op) const {
    const graph::Operator& source = source_->graph.operators[op];
    return graph::constant_values<int32_t>(
        source_->graph.tensors[static_cast<size_t>(source.inputs[1])]);
  }

  void add_edits(size_t op, const graph::PadAttributes&) {
    const std::vector<int32_t> values = operand_values(op);
    for (size_t i = 0; i < values.size(); ++i) {
      for (const int32_t count : smaller_counts(values[i] + 1)) {
        add_operand_edit(fmt::format("pad amount {}: {} -> {}", i, values[i], count - 1), op, i,
                         count - 1);
      }
    }
  }

  void add_edits(size_t op, const graph::ResizeAttributes&) {
    const std::vector<int32_t> values = operand_values(op);
    for (size_t i = 0; i < values.size(); ++i) {
      for (const int32_t count : smaller_counts(values[i])) {
        add_operand_edit(
            fmt::format("new {} {} -> {}", i == 0 ? "height" : "width", values[i], count), op, i,
            count);
      }
    }
  }

  void add_edits(size_t op, const graph::ConcatenationAttributes&) {
    const size_t operands = source_->graph.operators[op].inputs.size();
    for (size_t i = 0; operands > 1 && i < operands; ++i) {
      add_edit(fmt::format("operand {} of {} out of the concatenation", i, operands),
               [op, i](EditableCase& edited) {
                 graph::Operator& join = edited.graph.operators[op];
                 const int32_t operand = join.inputs[i];
                 join.inputs.erase(join.inputs.begin() + static_cast<ptrdiff_t>(i));
                 // A graph input that only this operand was would still be one.
                 const auto reads_it = [&](const graph::Operator& other) {
                   return std::ranges::find(other.inputs, operand) != other.inputs.end();
                 };
                 if (std::ranges::none_of(edited.graph.operators, reads_it)) {
                   std::erase(edited.graph.inputs, operand);
                 }
               });
    }
  }

  template <typename Attributes>
  void add_edits(size_t, const Attributes&) {}

  std::shared_ptr<const Case> source_;
  std::vector<ShrinkStep> steps_;
};

}  // namespace

std::vector<ShrinkStep> extent_steps(const std::shared_ptr<const Case>& source) {
  return ExtentSteps(source).make();
}

}  // namespace lockstep::conformance
