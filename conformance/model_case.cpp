#include "conformance/model_case.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "graph/lowering.h"
#include "graph/tflite_reader.h"

namespace lockstep::conformance {
namespace {

using Bytes = std::vector<std::byte>;

bool is_computed_by_some_contract(const graph::Graph& graph, size_t operator_index) {
  return std::ranges::any_of(numerics::kAllContracts, [&](numerics::Contract contract) {
    return graph::lower_operator(graph, operator_index, contract).has_value();
  });
}

// Leaves the operators that a case can have, and makes all their tensors outputs.
void keep_computable_operators(graph::Graph& graph) {
  std::set<int32_t> available(graph.inputs.begin(), graph.inputs.end());
  const auto is_available = [&](int32_t tensor) {
    return tensor == graph::kAbsentTensor ||
           graph.tensors[static_cast<size_t>(tensor)].is_constant() || available.contains(tensor);
  };
  std::vector<graph::Operator> kept;
  std::vector<int32_t> outputs;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    graph::Operator& op = graph.operators[i];
    if (!std::ranges::all_of(op.inputs, is_available) || !is_computed_by_some_contract(graph, i)) {
      continue;
    }
    available.insert(op.outputs.begin(), op.outputs.end());
    outputs.insert(outputs.end(), op.outputs.begin(), op.outputs.end());
    kept.push_back(op);
  }
  graph.operators = std::move(kept);
  graph.outputs = std::move(outputs);
}

// Steele, Lea and Flood's SplitMix64, which is the same everywhere.
class RandomBytes {
 public:
  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }

 private:
  uint64_t state_ = 1;
};

// 8-bit types take every value, float32 a multiple of 2^-23 in [-1, 1), wider integers 0 to 15,
// since they are often indices.
Bytes random_contents(const graph::Tensor& tensor, RandomBytes& random) {
  const size_t size = graph::data_type_size(tensor.type);
  Bytes bytes(static_cast<size_t>(graph::element_count(tensor.shape).value_or(0)) * size);
  for (size_t offset = 0; offset < bytes.size(); offset += size) {
    const uint64_t number = random.next() >> 40;
    if (tensor.type == graph::DataType::kFloat32) {
      const float value = static_cast<float>(static_cast<int64_t>(number) - (1 << 23)) / (1 << 23);
      std::memcpy(bytes.data() + offset, &value, sizeof(value));
    } else if (size == 1) {
      bytes[offset] = static_cast<std::byte>(number >> 8);
    } else {
      bytes[offset] = static_cast<std::byte>(number & 15);
    }
  }
  return bytes;
}

}  // namespace

Result<Case> make_model_case(const std::filesystem::path& path) {
  auto graph = graph::read_tflite_file(path);
  if (!graph) return tl::unexpected(graph.error());
  keep_computable_operators(*graph);
  if (graph->operators.empty()) {
    return make_error(ErrorCode::kUnsupported, "{}: there is no operator that a contract computes",
                      path.string());
  }
  if (Status status = graph::validate(*graph); !status) return tl::unexpected(status.error());
  Case result;
  result.family = "model";
  result.name = "model/" + path.filename().string();
  RandomBytes random;
  for (const int32_t input : graph->inputs) {
    result.inputs.push_back(random_contents(graph->tensors[static_cast<size_t>(input)], random));
  }
  result.graph = std::move(*graph);
  return result;
}

}  // namespace lockstep::conformance
