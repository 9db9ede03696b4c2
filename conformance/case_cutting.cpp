// Parts of a case's graph as cases of their own.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "conformance/editable_case.h"
#include "conformance/shrink_stages.h"
#include "conformance/subject.h"
#include "host_ref/interpreter.h"

namespace lockstep::conformance {
namespace {

using Bytes = std::vector<std::byte>;

// host_ref's run of a case, computed when the first step needs it and shared by all.
class Trace {
 public:
  Trace(std::shared_ptr<const Case> source, numerics::Contract contract)
      : source_(std::move(source)), contract_(contract) {}

  Result<Bytes> contents(int32_t tensor) {
    if (!interpreter_) interpreter_ = run();
    if (!*interpreter_) return tl::unexpected(interpreter_->error());
    return (*interpreter_)->tensor(tensor);
  }

 private:
  Result<host_ref::Interpreter> run() const {
    auto lowered = lower_case(*source_, contract_);
    if (!lowered) return tl::unexpected(lowered.error());
    auto interpreter = host_ref::Interpreter::create(std::move(lowered->graph));
    if (!interpreter) return interpreter;
    for (size_t i = 0; i < source_->inputs.size(); ++i) {
      if (Status status = interpreter->set_input(i, source_->inputs[i]); !status) {
        return tl::unexpected(status.error());
      }
    }
    if (Status status = interpreter->run(); !status) return tl::unexpected(status.error());
    return interpreter;
  }

  std::shared_ptr<const Case> source_;
  numerics::Contract contract_;
  std::optional<Result<host_ref::Interpreter>> interpreter_;
};

// Operators [begin, end) with everything they read from elsewhere as inputs. Outputs are what they
// make for others, or for nobody.
Result<Case> cut_range(const Case& source, size_t begin, size_t end, Trace& trace) {
  EditableCase part(source);
  std::vector<graph::Operator> kept(source.graph.operators.begin() + static_cast<ptrdiff_t>(begin),
                                    source.graph.operators.begin() + static_cast<ptrdiff_t>(end));
  std::set<int32_t> made;
  std::set<int32_t> read_inside;
  std::vector<int32_t> inputs;
  for (const graph::Operator& op : kept) {
    for (const int32_t input : op.inputs) {
      if (input == graph::kAbsentTensor) continue;
      read_inside.insert(input);
      const bool is_input =
          std::ranges::find(source.graph.inputs, input) != source.graph.inputs.end();
      const bool is_outside = !made.contains(input) && (is_input || !part.has_contents(input));
      if (is_outside && std::ranges::find(inputs, input) == inputs.end()) inputs.push_back(input);
    }
    made.insert(op.outputs.begin(), op.outputs.end());
  }
  for (const int32_t input : inputs) {
    if (part.has_contents(input)) continue;
    auto contents = trace.contents(input);
    if (!contents) return tl::unexpected(contents.error());
    part.contents[static_cast<size_t>(input)] = std::move(*contents);
  }
  std::set<int32_t> needed_outside(source.graph.outputs.begin(), source.graph.outputs.end());
  for (size_t i = end; i < source.graph.operators.size(); ++i) {
    const auto& operands = source.graph.operators[i].inputs;
    needed_outside.insert(operands.begin(), operands.end());
  }
  std::vector<int32_t> outputs;
  for (const graph::Operator& op : kept) {
    for (const int32_t output : op.outputs) {
      if (needed_outside.contains(output) || !read_inside.contains(output)) {
        outputs.push_back(output);
      }
    }
  }
  part.graph.operators = std::move(kept);
  part.graph.inputs = std::move(inputs);
  part.graph.outputs = std::move(outputs);
  return std::move(part).finish();
}

// Only what these outputs need. Inputs that nobody reads any more go too.
Result<Case> keep_outputs(const Case& source, std::vector<int32_t> outputs) {
  EditableCase part(source);
  std::set<int32_t> needed(outputs.begin(), outputs.end());
  std::vector<graph::Operator> kept;
  for (size_t i = source.graph.operators.size(); i-- > 0;) {
    const graph::Operator& op = source.graph.operators[i];
    const auto is_needed = [&](int32_t tensor) { return needed.contains(tensor); };
    if (std::ranges::none_of(op.outputs, is_needed)) continue;
    needed.insert(op.inputs.begin(), op.inputs.end());
    kept.insert(kept.begin(), op);
  }
  std::erase_if(part.graph.inputs, [&](int32_t input) { return !needed.contains(input); });
  part.graph.operators = std::move(kept);
  part.graph.outputs = std::move(outputs);
  return std::move(part).finish();
}

// The operator that makes the failing tensor. Accumulators are called by their output's name and
// more, so the longest name that the failing one begins with counts.
std::optional<size_t> failing_operator(const graph::Graph& graph, const std::string& name) {
  std::optional<size_t> found;
  size_t longest = 0;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    for (const int32_t output : graph.operators[i].outputs) {
      if (output == graph::kAbsentTensor) continue;
      const std::string& candidate = graph.tensors[static_cast<size_t>(output)].name;
      if (!candidate.empty() && candidate.size() > longest && name.starts_with(candidate)) {
        found = i;
        longest = candidate.size();
      }
    }
  }
  return found;
}

}  // namespace

std::vector<ShrinkStep> cutting_steps(const std::shared_ptr<const Case>& source,
                                      const ShrinkContext& context) {
  const graph::Graph& graph = source->graph;
  const size_t count = graph.operators.size();
  const auto trace = std::make_shared<Trace>(source, context.contract);
  std::vector<ShrinkStep> steps;
  std::set<std::pair<size_t, size_t>> known{{0, count}};
  const auto add_range = [&](size_t begin, size_t end) {
    if (!known.emplace(begin, end).second) return;
    std::string description = end - begin == 1
                                  ? "only " + graph::describe_operator(graph, begin)
                                  : fmt::format("only operators {} to {}", begin, end - 1);
    steps.push_back({std::move(description), [source, trace, begin, end] {
                       return cut_range(*source, begin, end, *trace);
                     }});
  };
  if (const auto failing = failing_operator(graph, context.failing_tensor)) {
    add_range(*failing, *failing + 1);
    add_range(*failing, count);
    add_range(0, *failing + 1);
  }
  // Consecutive parts, and all but a beginning or an end, from coarse to fine.
  for (size_t size = count / 2; size > 0; size /= 2) {
    for (size_t begin = 0; begin < count; begin += size) {
      add_range(begin, std::min(begin + size, count));
    }
    add_range(size, count);
    add_range(0, count - size);
  }
  if (graph.outputs.size() > 1) {
    const auto add_outputs = [&](std::string description, std::vector<int32_t> outputs) {
      steps.push_back({std::move(description), [source, outputs = std::move(outputs)] {
                         return keep_outputs(*source, outputs);
                       }});
    };
    for (const int32_t output : graph.outputs) {
      add_outputs(fmt::format("only output '{}'",
                              graph::printable(graph.tensors[static_cast<size_t>(output)].name)),
                  {output});
    }
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
      std::vector<int32_t> others = graph.outputs;
      others.erase(others.begin() + static_cast<ptrdiff_t>(i));
      add_outputs(fmt::format("without output {}", i), std::move(others));
    }
  }
  return steps;
}

}  // namespace lockstep::conformance
