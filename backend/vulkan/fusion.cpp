#include "backend/vulkan/fusion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredAdd;
using graph::LoweredConcatenation;
using graph::LoweredConvolution;
using graph::LoweredDepthwiseConvolution;
using graph::LoweredGraph;
using graph::LoweredOperator;
using graph::LoweredPad;
using graph::LoweredReshape;
using graph::LoweredTable;

// An operator on its way, and which of the operators that were given it computes.
struct Node {
  LoweredOperator op;
  Epilogue epilogue;
  size_t named_after;
  std::vector<size_t> computes;
};

// The window of a convolution of either kind.
struct WindowedInput {
  int32_t& input;
  graph::Extent4d& extent;
  graph::Window2d& window;
  int32_t zero_point;
};

std::optional<WindowedInput> windowed_input(LoweredOperator& op) {
  if (auto* convolution = std::get_if<LoweredConvolution>(&op.operation)) {
    return WindowedInput{convolution->input, convolution->input_extent, convolution->window,
                         convolution->input_zero_point};
  }
  if (auto* convolution = std::get_if<LoweredDepthwiseConvolution>(&op.operation)) {
    return WindowedInput{convolution->input, convolution->input_extent, convolution->window,
                         convolution->input_zero_point};
  }
  return std::nullopt;
}

// The output of an operator that may have an epilogue; null for others.
struct EpilogueOutput {
  int32_t* operator()(LoweredConvolution& op) const { return &op.output; }
  int32_t* operator()(LoweredDepthwiseConvolution& op) const { return &op.output; }
  int32_t* operator()(LoweredAdd& op) const { return &op.output; }
  int32_t* operator()(auto&) const { return nullptr; }
};

bool changes_nothing(const graph::ByteTable& table) {
  for (int32_t value = -128; value <= 127; ++value) {
    if (table[static_cast<size_t>(value + 128)] != value) {
      return false;
    }
  }
  return true;
}

class Fuser {
 public:
  Fuser(LoweredGraph graph, const FusionRules& rules) : rules_(rules), graph_(std::move(graph)) {
    const auto by_itself = [](int32_t tensor) { return FusedGraph::Border{tensor, {}}; };
    std::ranges::transform(graph_.inputs, std::back_inserter(inputs_), by_itself);
    std::ranges::transform(graph_.outputs, std::back_inserter(outputs_), by_itself);
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      given_.push_back({graph_.operators[i].source_operator, i});
      nodes_.push_back(Node{std::move(graph_.operators[i]), {}, i, {i}});
    }
    graph_.operators.clear();
  }

  FusedGraph run() {
    const bool is_sound = find_tensors();
    if (is_sound) {
      fuse_paddings();
      fuse_tables([](const LoweredTable& op) { return changes_nothing(op.table); });
      fuse_additions();
      fuse_tables([](const LoweredTable&) { return true; });
      fuse_reshapes();
      fuse_borders();
    }
    FusedGraph fused = result();
    if (is_sound && rules_.offset_alignment > 0) {
      fused.pieces_in_place = find_pieces_in_place(fused.graph, rules_.offset_alignment);
    }
    return fused;
  }

  FusedGraph result() {
    FusedGraph fused;
    fused.given = std::move(given_);
    fused.inputs = std::move(inputs_);
    fused.outputs = std::move(outputs_);
    for (std::optional<Node>& node : nodes_) {
      if (!node) {
        continue;
      }
      const size_t index = graph_.operators.size();
      for (const size_t computed : node->computes) {
        fused.given[computed].computed_by = index;
      }
      fused.named_after.push_back(node->named_after);
      fused.last_of.push_back(std::ranges::max(node->computes));
      fused.epilogues.push_back(node->epilogue);
      graph_.operators.push_back(std::move(node->op));
    }
    fused.graph = std::move(graph_);
    fused.pieces_in_place.resize(fused.graph.operators.size());
    return fused;
  }

 private:
  struct Uses {
    std::optional<size_t> writer;  // node
    std::vector<size_t> readers;   // nodes, ascending; twice where one reads it twice
    bool is_output = false;
  };

  bool is_tensor(int32_t index) const {
    return index >= 0 && static_cast<size_t>(index) < graph_.tensors.size();
  }
  Uses& uses(int32_t tensor) { return uses_[static_cast<size_t>(tensor)]; }
  const graph::LoweredTensor& tensor(int32_t index) const {
    return graph_.tensors[static_cast<size_t>(index)];
  }

  // Who writes and reads what; false where the graph contradicts itself.
  bool find_tensors() {
    uses_.resize(graph_.tensors.size());
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const int32_t output = graph::operation_output(nodes_[i]->op.operation);
      for (const int32_t input : graph::operation_inputs(nodes_[i]->op.operation)) {
        // Written later, or by nobody: then it is an input of the graph or a constant.
        if (!is_tensor(input) || (!uses(input).writer && !is_source(input))) {
          return false;
        }
        uses(input).readers.push_back(i);
      }
      if (!is_tensor(output) || uses(output).writer || is_source(output)) {
        return false;
      }
      uses(output).writer = i;
    }
    for (const int32_t output : graph_.outputs) {
      if (!is_tensor(output)) {
        return false;
      }
      uses(output).is_output = true;
    }
    return true;
  }

  bool is_source(int32_t index) const {
    return !tensor(index).constant.empty() ||
           std::ranges::find(graph_.inputs, index) != graph_.inputs.end();
  }

  // ---- PAD --------------------------------------------------------------------------------------

  void fuse_paddings() {
    // From the last to the first: of several in a row, one after the other becomes part of what
    // follows.
    for (size_t i = nodes_.size(); i-- > 0;) {
      if (const auto* pad = std::get_if<LoweredPad>(&nodes_[i]->op.operation)) {
        fuse_padding(i, *pad);
      }
    }
  }

  // Whether it leaves images and channels alone.
  bool pads_pixels_only(const LoweredPad& pad) const {
    const auto has_shape = [&](int32_t index, const std::array<int32_t, 4>& extents) {
      return std::ranges::equal(tensor(index).shape, extents);
    };
    return has_shape(pad.input, pad.input_extents) && has_shape(pad.output, pad.output_extents) &&
           pad.input_extents[0] == pad.output_extents[0] &&
           pad.input_extents[3] == pad.output_extents[3] && pad.before[0] == 0 &&
           pad.before[3] == 0;
  }

  void fuse_padding(size_t index, const LoweredPad& pad) {
    const Uses padded = uses(pad.output);
    if (padded.is_output || padded.readers.empty() || !pads_pixels_only(pad)) {
      return;
    }
    const bool all_take_it = std::ranges::all_of(padded.readers, [&](size_t reader) {
      const auto taker = windowed_input(nodes_[reader]->op);
      return taker && taker->zero_point == pad.value &&
             taker->extent.batch == pad.output_extents[0] &&
             taker->extent.height == pad.output_extents[1] &&
             taker->extent.width == pad.output_extents[2] &&
             taker->extent.channels == pad.output_extents[3];
    });
    if (!all_take_it) {
      return;
    }
    const LoweredPad removed = pad;
    std::erase(uses(removed.input).readers, index);
    for (const size_t reader : padded.readers) {
      const WindowedInput taker = *windowed_input(nodes_[reader]->op);
      taker.input = removed.input;
      taker.extent.height = removed.input_extents[1];
      taker.extent.width = removed.input_extents[2];
      taker.window.padding_top += removed.before[1];
      taker.window.padding_left += removed.before[2];
      uses(removed.input).readers.push_back(reader);
    }
    // Said of the first one: every operator is computed by one.
    std::vector<size_t>& computes = nodes_[padded.readers.front()]->computes;
    computes.insert(computes.end(), nodes_[index]->computes.begin(), nodes_[index]->computes.end());
    nodes_[index].reset();
  }

  // ---- ADD --------------------------------------------------------------------------------------

  void fuse_additions() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i]) {
        continue;
      }
      const auto* add = std::get_if<LoweredAdd>(&nodes_[i]->op.operation);
      if (add == nullptr || !lies_alike(*add)) {
        continue;
      }
      const auto left = producer_of(add->left);
      const auto right = producer_of(add->right);
      const bool left_is_later = left && (!right || *left > *right);
      if (left_is_later) {
        fuse_addition(i, *left, true) || (right && fuse_addition(i, *right, false));
      } else if (right) {
        fuse_addition(i, *right, false) || (left && fuse_addition(i, *left, true));
      }
    }
  }

  // Whether both operands have the output's elements in the output's order and places.
  bool lies_alike(const LoweredAdd& add) const {
    return add.left != add.right && layout_of(tensor(add.left)) == layout_of(tensor(add.output)) &&
           tensor(add.left).shape == tensor(add.right).shape &&
           layout_of(tensor(add.right)) == layout_of(tensor(add.output));
  }

  // The operator that makes a tensor for one reader only.
  std::optional<size_t> producer_of(int32_t index) {
    const Uses& used = uses(index);
    return used.is_output || used.readers.size() != 1 ? std::nullopt : used.writer;
  }

  // ADD `index` into its operand's producer.
  bool fuse_addition(size_t index, size_t producer, bool is_left) {
    const LoweredAdd& add = std::get<LoweredAdd>(nodes_[index]->op.operation);
    Epilogue epilogue = nodes_[producer]->epilogue;
    if (!epilogue.is_empty()) {
      return false;
    }
    const Addition addition = addition_of(add);
    epilogue.addition = is_left ? addition : with_operands_swapped(addition);
    epilogue.right = is_left ? add.right : add.left;
    return move_into(index, producer, is_left ? add.left : add.right, add.output, epilogue);
  }

  // Operator `index`, which reads `between`, into the operator that makes it, which moves to its
  // place. False where the device does not take that.
  bool move_into(size_t index, size_t producer, int32_t between, int32_t result,
                 const Epilogue& epilogue) {
    Node& made = *nodes_[producer];
    int32_t* const output = std::visit(EpilogueOutput{}, made.op.operation);
    if (output == nullptr ||
        !(epilogue.is_empty() || rules_.takes_epilogue(graph_, made.op, epilogue))) {
      return false;
    }
    made.epilogue = epilogue;
    *output = result;
    made.computes.insert(made.computes.end(), nodes_[index]->computes.begin(),
                         nodes_[index]->computes.end());
    std::vector<int32_t> inputs = graph::operation_inputs(made.op.operation);
    if (epilogue.adds()) {
      inputs.push_back(epilogue.right);
    }
    for (const int32_t input : inputs) {
      std::ranges::replace(uses(input).readers, producer, index);
    }
    uses(between) = {};
    nodes_[index] = std::move(*nodes_[producer]);
    nodes_[producer].reset();
    return true;
  }

  // ---- Tables behind operators ------------------------------------------------------------------

  void fuse_tables(bool (*is_meant)(const LoweredTable& op)) {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const auto* op = nodes_[i] ? std::get_if<LoweredTable>(&nodes_[i]->op.operation) : nullptr;
      const auto producer = op != nullptr ? producer_of(op->input) : std::nullopt;
      if (producer && is_meant(*op) &&
          layout_of(tensor(op->input)) == layout_of(tensor(op->output))) {
        fuse_table(i, *op, *producer);
      }
    }
  }

  void fuse_table(size_t index, const LoweredTable& op, size_t producer) {
    const Node& made = *nodes_[producer];
    Epilogue epilogue = made.epilogue;
    if (epilogue.table) {
      return;
    }
    if (!changes_nothing(op.table)) {
      epilogue.table = op.table;
    }
    move_into(index, producer, op.input, op.output, epilogue);
  }

  // ---- RESHAPE ----------------------------------------------------------------------------------

  void fuse_reshapes() {
    // From the last to the first: what several in a row become part of is then the last one's.
    for (size_t i = nodes_.size(); i-- > 0;) {
      if (const LoweredReshape* reshape = reshape_at(i)) {
        fuse_reshape(i, *reshape);
      }
    }
  }

  // The operator `index`, where it is a RESHAPE that leaves elements as they are.
  const LoweredReshape* reshape_at(size_t index) const {
    const auto* op =
        nodes_[index] ? std::get_if<LoweredReshape>(&nodes_[index]->op.operation) : nullptr;
    if (op == nullptr || tensor(op->input).type != tensor(op->output).type) {
      return nullptr;
    }
    const TensorLayout from = layout_of(tensor(op->input));
    const TensorLayout to = layout_of(tensor(op->output));
    return from.rows * from.channels == to.rows * to.channels ? op : nullptr;
  }

  // Whether a reshape would be a dispatch of its own.
  bool copies(int32_t from, int32_t to) const {
    return !lie_alike(layout_of(tensor(from)), layout_of(tensor(to)));
  }

  void fuse_reshape(size_t index, LoweredReshape reshape) {
    const Uses reshaped = uses(reshape.output);
    if (reshaped.is_output || reshaped.readers.empty()) {
      return;
    }
    int saved_copies = copies(reshape.input, reshape.output) ? 1 : 0;
    for (const size_t reader : reshaped.readers) {
      if (const LoweredReshape* next = reshape_at(reader)) {
        saved_copies += copies(reshape.output, next->output) ? 1 : 0;
        saved_copies -= copies(reshape.input, next->output) ? 1 : 0;
      } else if (!std::holds_alternative<LoweredConcatenation>(nodes_[reader]->op.operation)) {
        return;
      }
    }
    if (saved_copies < 0) {
      return;
    }
    std::vector<size_t>& readers = uses(reshape.input).readers;
    std::erase(readers, index);
    for (const size_t reader : reshaped.readers) {
      graph::LoweredOperation& operation = nodes_[reader]->op.operation;
      if (auto* concatenation = std::get_if<LoweredConcatenation>(&operation)) {
        std::ranges::replace(concatenation->inputs, reshape.output, reshape.input);
      } else {
        std::get<LoweredReshape>(operation).input = reshape.input;
      }
      readers.push_back(reader);
    }
    std::ranges::sort(readers);
    // Said of the first one: every operator is computed by one.
    std::vector<size_t>& computes = nodes_[reshaped.readers.front()]->computes;
    computes.insert(computes.end(), nodes_[index]->computes.begin(), nodes_[index]->computes.end());
    nodes_[index].reset();
    uses(reshape.output) = {};
  }

  // ---- Tables and reshapes at the borders -------------------------------------------------------

  void fuse_borders() {
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      while (fuse_input(i)) {
      }
    }
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      while (fuse_output(i)) {
      }
    }
  }

  // An operator that the host may as well compute.
  struct HostOperator {
    int32_t input = 0;
    int32_t output = 0;
    const graph::ByteTable* table = nullptr;  // null: it only lays the elements out in other rows
  };

  std::optional<HostOperator> host_operator(size_t index, const FusedGraph::Border& border) const {
    HostOperator op;
    if (const LoweredReshape* reshape = reshape_at(index)) {
      op = {reshape->input, reshape->output};
    } else if (const auto* table = std::get_if<LoweredTable>(&nodes_[index]->op.operation)) {
      op = {table->input, table->output, &table->table};
    } else {
      return std::nullopt;
    }
    const TensorLayout from = layout_of(tensor(op.input));
    const TensorLayout to = layout_of(tensor(op.output));
    const bool changes_bytes = op.table != nullptr && !changes_nothing(*op.table);
    // One table at most, of tensors that lie alike.
    if (op.table != nullptr && ((changes_bytes && border.table) || from != to)) {
      return std::nullopt;
    }
    const bool is_free = !changes_bytes && lie_alike(from, to);
    const bool pays = is_free || std::max(from.bytes(), to.bytes()) <= rules_.max_host_bytes;
    return pays ? std::optional(op) : std::nullopt;
  }

  // Gives the host the operator that reads the input, if that makes sense; whether it did.
  bool fuse_input(size_t position) {
    const int32_t given = graph_.inputs[position];
    const Uses& used = uses(given);
    if (used.is_output || used.readers.size() != 1 ||
        std::ranges::count(graph_.inputs, given) != 1) {
      return false;
    }
    const size_t index = used.readers[0];
    const auto op = host_operator(index, inputs_[position]);
    if (!op || uses(op->output).is_output) {
      return false;
    }
    graph_.inputs[position] = op->output;
    uses(op->output).writer.reset();
    give_to_host(index, *op, inputs_[position]);
    return true;
  }

  // Likewise the operator that makes the output.
  bool fuse_output(size_t position) {
    const int32_t given = graph_.outputs[position];
    const Uses& used = uses(given);
    if (!used.writer || !used.readers.empty() || std::ranges::count(graph_.outputs, given) != 1) {
      return false;
    }
    const size_t index = *used.writer;
    const auto op = host_operator(index, outputs_[position]);
    if (!op || uses(op->input).is_output || !is_computed(op->input)) {
      return false;
    }
    graph_.outputs[position] = op->input;
    std::erase(uses(op->input).readers, index);
    uses(op->input).is_output = true;
    give_to_host(index, *op, outputs_[position]);
    return true;
  }

  // Whether the device makes the tensor: it is not an input, nor a constant, under any name.
  bool is_computed(int32_t index) {
    while (uses(index).writer) {
      const auto* reshape = std::get_if<LoweredReshape>(&nodes_[*uses(index).writer]->op.operation);
      if (reshape == nullptr) {
        return true;
      }
      index = reshape->input;
    }
    return false;
  }

  void give_to_host(size_t index, const HostOperator& op, FusedGraph::Border& border) {
    if (op.table != nullptr && !changes_nothing(*op.table)) {
      border.table = *op.table;
    }
    for (const size_t computed : nodes_[index]->computes) {
      given_[computed].computed_by.reset();
    }
    nodes_[index].reset();
  }

  const FusionRules& rules_;
  LoweredGraph graph_;  // its operators are in the nodes meanwhile
  std::vector<FusedGraph::Given> given_;
  std::vector<FusedGraph::Border> inputs_;
  std::vector<FusedGraph::Border> outputs_;
  std::vector<std::optional<Node>> nodes_;
  std::vector<Uses> uses_;  // by tensor
};

}  // namespace

FusedGraph unfused(LoweredGraph graph) { return Fuser(std::move(graph), {}).result(); }

FusedGraph fuse(LoweredGraph graph, const FusionRules& rules) {
  return Fuser(std::move(graph), rules).run();
}

std::string describe_borders(const FusedGraph& fused) {
  std::string text;
  const auto describe = [&](std::string_view what, const std::vector<FusedGraph::Border>& borders) {
    for (size_t i = 0; i < borders.size(); ++i) {
      if (borders[i].table) {
        fmt::format_to(std::back_inserter(text), "{} {} through [{}]\n", what, i,
                       fmt::join(*borders[i].table, " "));
      }
    }
  };
  describe("input", fused.inputs);
  describe("output", fused.outputs);
  return text;
}

std::vector<OperatorPlacement> placements_of(const FusedGraph& fused,
                                             std::span<const KernelPlan> plans) {
  std::vector<OperatorPlacement> placements;
  for (size_t i = 0; i < fused.given.size(); ++i) {
    const std::optional<size_t> computed_by = fused.given[i].computed_by;
    OperatorPlacement& placement = placements.emplace_back();
    placement.source_operator = fused.given[i].source_operator;
    if (!computed_by) {
      placement.variant = "fused into the host's copies";
    } else if (fused.named_after[*computed_by] == i) {
      placement.variant = plans[*computed_by].variant;
    } else {
      const LoweredOperator& computing = fused.graph.operators[*computed_by];
      placement.variant =
          fmt::format("fused into {} #{}", computing.name, computing.source_operator);
    }
  }
  return placements;
}

}  // namespace lockstep::backend::vulkan
