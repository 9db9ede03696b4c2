#include "host_ref/interpreter.h"

#include <algorithm>
#include <new>
#include <string_view>
#include <utility>

#include "host_ref/convolution.h"
#include "host_ref/data_movement.h"
#include "host_ref/depthwise_convolution.h"
#include "host_ref/elementwise.h"
#include "host_ref/mean.h"
#include "host_ref/pool.h"
#include "host_ref/quantize.h"
#include "host_ref/resize.h"
#include "host_ref/softmax.h"
#include "host_ref/table.h"

namespace lockstep::host_ref {
namespace {

using graph::DataType;
using graph::LoweredGraph;
using graph::LoweredOperator;
using graph::LoweredTensor;

bool is_8_bit(DataType type) { return type == DataType::kInt8 || type == DataType::kUint8; }

// What an operation demands of the tensors it touches.
struct Expectation {
  int32_t tensor;
  DataType type;     // kInt8 stands for both 8-bit types
  int64_t elements;  // -1: any number
};

constexpr int64_t kAnyNumber = -1;

int64_t product(const std::array<int32_t, 4>& extents) {
  return int64_t{extents[0]} * extents[1] * extents[2] * extents[3];
}

int64_t elements_of(const LoweredGraph& graph, int32_t tensor) {
  return graph::element_count(graph.tensors[static_cast<size_t>(tensor)].shape).value_or(0);
}

// One more than the largest element index that the strides reach.
int64_t reach(const std::array<int32_t, 4>& extents, const std::array<int32_t, 4>& strides) {
  int64_t last = 0;
  for (size_t i = 0; i < 4; ++i) {
    last += int64_t{extents[i] - 1} * strides[i];
  }
  return last + 1;
}

struct ExpectationsOf {
  const LoweredGraph& graph;

  std::vector<Expectation> images(const auto& operation) const {
    return {{operation.input, DataType::kInt8, operation.input_extent.elements()},
            {operation.output, DataType::kInt8, operation.output_extent.elements()}};
  }
  std::vector<Expectation> convolution(const auto& operation) const {
    std::vector<Expectation> expectations = images(operation);
    if (operation.output_stage.stores_accumulators) {
      expectations.back().type = DataType::kInt32;
    }
    return expectations;
  }
  std::vector<Expectation> pairs(const auto& operation) const {
    const graph::BroadcastExtents& extents = operation.extents;
    return {{operation.left, DataType::kInt8, reach(extents.output, extents.left_strides)},
            {operation.right, DataType::kInt8, reach(extents.output, extents.right_strides)},
            {operation.output, DataType::kInt8, product(extents.output)}};
  }
  std::vector<Expectation> like_input(const auto& operation, DataType from, DataType to) const {
    return {{operation.input, from, kAnyNumber},
            {operation.output, to, elements_of(graph, operation.input)}};
  }

  std::vector<Expectation> operator()(const graph::LoweredConvolution& operation) const {
    return convolution(operation);
  }
  std::vector<Expectation> operator()(const graph::LoweredDepthwiseConvolution& operation) const {
    return convolution(operation);
  }
  std::vector<Expectation> operator()(const graph::LoweredPool& operation) const {
    return images(operation);
  }
  std::vector<Expectation> operator()(const graph::LoweredAdd& operation) const {
    return pairs(operation);
  }
  std::vector<Expectation> operator()(const graph::LoweredMul& operation) const {
    return pairs(operation);
  }
  std::vector<Expectation> operator()(const graph::LoweredMean& operation) const {
    const int64_t results = int64_t{operation.outer} * operation.inner;
    return {{operation.input, DataType::kInt8, results * operation.reduced},
            {operation.output, DataType::kInt8, results}};
  }
  std::vector<Expectation> operator()(const graph::LoweredPad& operation) const {
    return {{operation.input, DataType::kInt8, product(operation.input_extents)},
            {operation.output, DataType::kInt8, product(operation.output_extents)}};
  }
  std::vector<Expectation> operator()(const graph::LoweredConcatenation& operation) const {
    std::vector<Expectation> expectations;
    int64_t row = 0;
    for (size_t i = 0; i < operation.inputs.size(); ++i) {
      const int64_t size = operation.axis_sizes[i];
      expectations.push_back({operation.inputs[i], DataType::kInt8, operation.outer * size});
      row += size;
    }
    expectations.push_back({operation.output, DataType::kInt8, operation.outer * row});
    return expectations;
  }
  std::vector<Expectation> operator()(const graph::LoweredReshape& operation) const {
    const DataType type = graph.tensors[static_cast<size_t>(operation.input)].type;
    return like_input(operation, type, type);
  }
  std::vector<Expectation> operator()(const graph::LoweredTransposition& operation) const {
    return {{operation.input, DataType::kInt8, operation.elements()},
            {operation.output, DataType::kInt8, operation.elements()}};
  }
  std::vector<Expectation> operator()(const graph::LoweredResizeNearestNeighbor& operation) const {
    return images(operation);
  }
  std::vector<Expectation> operator()(const graph::LoweredResizeBilinear& operation) const {
    return images(operation);
  }
  std::vector<Expectation> operator()(const graph::LoweredTable& operation) const {
    return like_input(operation, DataType::kInt8, DataType::kInt8);
  }
  std::vector<Expectation> operator()(const graph::LoweredSoftmax& operation) const {
    const int64_t elements = int64_t{operation.rows} * operation.depth;
    return {{operation.input, DataType::kInt8, elements},
            {operation.output, DataType::kInt8, elements}};
  }
  std::vector<Expectation> operator()(const graph::LoweredQuantize& operation) const {
    return like_input(operation, DataType::kFloat32, DataType::kInt8);
  }
  std::vector<Expectation> operator()(const graph::LoweredDequantize& operation) const {
    return like_input(operation, DataType::kInt8, DataType::kFloat32);
  }
};

tl::unexpected<Error> invalid(const LoweredGraph& graph, const LoweredOperator& op,
                              std::string_view reason) {
  return make_error(ErrorCode::kInvalidArgument, "{}: lowered operator {} ({}): {}", graph.name,
                    op.source_operator, op.name, reason);
}

Status check_operator(const LoweredGraph& graph, const LoweredOperator& op,
                      std::vector<bool>& is_filled) {
  std::vector<int32_t> touched = operation_inputs(op.operation);
  const int32_t output = operation_output(op.operation);
  touched.push_back(output);
  for (const int32_t tensor : touched) {
    if (tensor < 0 || static_cast<size_t>(tensor) >= graph.tensors.size()) {
      return invalid(graph, op, fmt::format("there is no tensor {}", tensor));
    }
  }
  for (const int32_t input : operation_inputs(op.operation)) {
    if (!is_filled[static_cast<size_t>(input)]) {
      return invalid(graph, op,
                     fmt::format("nothing fills its input '{}'",
                                 graph::printable(graph.tensors[static_cast<size_t>(input)].name)));
    }
  }
  for (const Expectation& expected : std::visit(ExpectationsOf{graph}, op.operation)) {
    const LoweredTensor& tensor = graph.tensors[static_cast<size_t>(expected.tensor)];
    const bool type_fits =
        tensor.type == expected.type || (expected.type == DataType::kInt8 && is_8_bit(tensor.type));
    const bool size_fits =
        expected.elements == kAnyNumber || expected.elements == elements_of(graph, expected.tensor);
    if (!type_fits || !size_fits) {
      return invalid(graph, op,
                     fmt::format("'{}' ({} {}) is not the tensor it computes with",
                                 graph::printable(tensor.name), graph::data_type_name(tensor.type),
                                 graph::shape_to_string(tensor.shape)));
    }
  }
  is_filled[static_cast<size_t>(output)] = true;
  return {};
}

// The tensors of one run, viewed as what an operation's function takes.
class Runner {
 public:
  explicit Runner(std::vector<std::vector<std::byte>>& tensors) : tensors_(tensors) {}

  void operator()(const graph::LoweredConvolution& operation) const {
    if (operation.output_stage.stores_accumulators) {
      std::ranges::copy(convolution_accumulators(operation, read(operation.input)),
                        view<int32_t>(operation.output).begin());
    } else {
      convolution(operation, read(operation.input), write(operation.output));
    }
  }
  void operator()(const graph::LoweredDepthwiseConvolution& operation) const {
    if (operation.output_stage.stores_accumulators) {
      std::ranges::copy(depthwise_convolution_accumulators(operation, read(operation.input)),
                        view<int32_t>(operation.output).begin());
    } else {
      depthwise_convolution(operation, read(operation.input), write(operation.output));
    }
  }
  void operator()(const graph::LoweredAdd& operation) const {
    add(operation, read(operation.left), read(operation.right), write(operation.output));
  }
  void operator()(const graph::LoweredMul& operation) const {
    multiply(operation, read(operation.left), read(operation.right), write(operation.output));
  }
  void operator()(const graph::LoweredPool& operation) const {
    pool(operation, read(operation.input), write(operation.output));
  }
  void operator()(const graph::LoweredMean& operation) const {
    mean(operation, read(operation.input), write(operation.output));
  }
  void operator()(const graph::LoweredPad& operation) const {
    pad(operation, read(operation.input), write(operation.output));
  }
  void operator()(const graph::LoweredConcatenation& operation) const {
    std::vector<std::span<const int8_t>> inputs;
    for (const int32_t input : operation.inputs) {
      inputs.push_back(read(input));
    }
    concatenation(operation, inputs, write(operation.output));
  }
  void operator()(const graph::LoweredReshape& operation) const {
    reshape(bytes(operation.input), bytes(operation.output));
  }
  void operator()(const graph::LoweredTransposition& operation) const {
    transposition(operation, read(operation.input), write(operation.output));
  }
  void operator()(const graph::LoweredResizeNearestNeighbor& operation) const {
    resize_nearest_neighbor(operation, read(operation.input), write(operation.output));
  }
  void operator()(const graph::LoweredResizeBilinear& operation) const {
    resize_bilinear(operation, read(operation.input), write(operation.output));
  }
  void operator()(const graph::LoweredTable& operation) const {
    apply_table(operation.table, read(operation.input), write(operation.output));
  }
  void operator()(const graph::LoweredSoftmax& operation) const {
    softmax(operation, read(operation.input), write(operation.output));
  }
  void operator()(const graph::LoweredQuantize& operation) const {
    quantize(operation, view<const float>(operation.input), write(operation.output));
  }
  void operator()(const graph::LoweredDequantize& operation) const {
    dequantize(operation, read(operation.input), view<float>(operation.output));
  }

 private:
  std::vector<std::byte>& bytes(int32_t tensor) const {
    return tensors_[static_cast<size_t>(tensor)];
  }
  // Vectors of bytes come from the allocator with the alignment of any number.
  template <typename T>
  std::span<T> view(int32_t tensor) const {
    return {reinterpret_cast<T*>(bytes(tensor).data()), bytes(tensor).size() / sizeof(T)};
  }
  std::span<const int8_t> read(int32_t tensor) const { return view<const int8_t>(tensor); }
  std::span<int8_t> write(int32_t tensor) const { return view<int8_t>(tensor); }

  std::vector<std::vector<std::byte>>& tensors_;
};

size_t byte_size(const LoweredTensor& tensor) {
  return static_cast<size_t>(graph::element_count(tensor.shape).value_or(0)) *
         graph::data_type_size(tensor.type);
}

// Inputs, constants, and what operators touch. Other tensors stay empty.
void allocate(const LoweredGraph& graph, std::vector<std::vector<std::byte>>& tensors) {
  tensors.resize(graph.tensors.size());
  const auto allocate_one = [&](int32_t index) {
    const LoweredTensor& tensor = graph.tensors[static_cast<size_t>(index)];
    std::vector<std::byte>& bytes = tensors[static_cast<size_t>(index)];
    bytes = tensor.constant;
    bytes.resize(byte_size(tensor));
  };
  std::for_each(graph.inputs.begin(), graph.inputs.end(), allocate_one);
  for (const LoweredOperator& op : graph.operators) {
    const std::vector<int32_t> inputs = operation_inputs(op.operation);
    std::for_each(inputs.begin(), inputs.end(), allocate_one);
    allocate_one(operation_output(op.operation));
  }
}

}  // namespace

Status check_graph(const LoweredGraph& graph) {
  std::vector<bool> is_filled(graph.tensors.size());
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    is_filled[i] = !graph.tensors[i].constant.empty();
  }
  for (const int32_t input : graph.inputs) {
    if (input < 0 || static_cast<size_t>(input) >= graph.tensors.size()) {
      return make_error(ErrorCode::kInvalidArgument, "{}: there is no tensor {} to be an input",
                        graph.name, input);
    }
    is_filled[static_cast<size_t>(input)] = true;
  }
  for (const LoweredOperator& op : graph.operators) {
    if (Status status = check_operator(graph, op, is_filled); !status) {
      return status;
    }
  }
  return {};
}

Result<Interpreter> Interpreter::create(graph::LoweredGraph graph) {
  return create(std::make_shared<const graph::LoweredGraph>(std::move(graph)));
}

Result<Interpreter> Interpreter::create(std::shared_ptr<const graph::LoweredGraph> graph) {
  if (Status status = check_graph(*graph); !status) return tl::unexpected(status.error());
  Interpreter interpreter(std::move(graph));
  try {
    allocate(*interpreter.graph_, interpreter.tensors_);
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kOutOfMemory, "{}: its tensors do not fit in memory",
                      interpreter.graph_->name);
  }
  return interpreter;
}

Status Interpreter::set_input(size_t input_index, std::span<const std::byte> host_bytes) {
  if (input_index >= graph_->inputs.size()) {
    return make_error(ErrorCode::kInvalidArgument, "{}: there is no input {}", graph_->name,
                      input_index);
  }
  const auto index = static_cast<size_t>(graph_->inputs[input_index]);
  std::vector<std::byte>& bytes = tensors_[index];
  if (host_bytes.size() != bytes.size()) {
    return make_error(ErrorCode::kInvalidArgument, "{}: input '{}' has {} bytes, {} were given",
                      graph_->name, graph::printable(graph_->tensors[index].name), bytes.size(),
                      host_bytes.size());
  }
  graph::to_stored(graph_->tensors[index].type, host_bytes.data(), bytes.data(), bytes.size());
  return {};
}

Status Interpreter::run() {
  try {
    for (const LoweredOperator& op : graph_->operators) {
      std::visit(Runner(tensors_), op.operation);
    }
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kOutOfMemory, "{}: its accumulators do not fit in memory",
                      graph_->name);
  }
  return {};
}

Result<std::vector<std::byte>> Interpreter::tensor(int32_t tensor_index) const {
  if (tensor_index < 0 || static_cast<size_t>(tensor_index) >= tensors_.size()) {
    return make_error(ErrorCode::kInvalidArgument, "{}: there is no tensor {}", graph_->name,
                      tensor_index);
  }
  const auto index = static_cast<size_t>(tensor_index);
  std::vector<std::byte> host_bytes(tensors_[index].size());
  graph::from_stored(graph_->tensors[index].type, tensors_[index].data(), host_bytes.data(),
                     host_bytes.size());
  return host_bytes;
}

}  // namespace lockstep::host_ref
