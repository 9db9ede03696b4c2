#include "graph/tflite_indices.h"

#include <vector>

#include "graph/graph.h"

namespace lockstep::graph {
namespace {

class IndexCheck {
 public:
  IndexCheck(const schema::ModelT& model, std::string_view name) : model_(model), name_(name) {}

  Status check() const {
    for (size_t i = 0; i < model_.subgraphs.size(); ++i) {
      if (auto status = check_subgraph(*model_.subgraphs[i], i); !status) return status;
    }
    for (const int32_t buffer : model_.metadata_buffer) {
      if (auto status = index(buffer, model_.buffers.size(), "metadata: buffer"); !status) {
        return status;
      }
    }
    for (const auto& metadata : model_.metadata) {
      if (auto status = index(metadata->buffer, model_.buffers.size(), "metadata '{}': buffer",
                              printable(metadata->name));
          !status) {
        return status;
      }
    }
    for (const auto& signature : model_.signature_defs) {
      if (auto status = check_signature(*signature); !status) return status;
    }
    return {};
  }

 private:
  // `place` says whose index it is.
  template <typename... Args>
  Status index(int64_t value, size_t count, fmt::format_string<Args...> place,
               Args&&... args) const {
    if (value >= 0 && static_cast<uint64_t>(value) < count) return {};
    return make_error(ErrorCode::kInvalidModel, "{}: {} {} is not one of {}", name_,
                      fmt::format(place, std::forward<Args>(args)...), value, count);
  }

  Status tensors(const std::vector<int32_t>& indices, bool may_be_absent,
                 const schema::SubGraphT& subgraph, const std::string& place) const {
    for (const int32_t tensor : indices) {
      if (may_be_absent && tensor == kAbsentTensor) continue;
      if (auto status = index(tensor, subgraph.tensors.size(), "{}: tensor", place); !status) {
        return status;
      }
    }
    return {};
  }

  Status check_subgraph(const schema::SubGraphT& subgraph, size_t number) const {
    const std::string place = fmt::format("subgraph {}", number);
    if (auto status = tensors(subgraph.inputs, false, subgraph, place); !status) return status;
    if (auto status = tensors(subgraph.outputs, false, subgraph, place); !status) return status;
    for (const auto& tensor : subgraph.tensors) {
      if (auto status = check_tensor(*tensor, subgraph); !status) return status;
    }
    for (size_t i = 0; i < subgraph.operators.size(); ++i) {
      const auto status = check_operator(*subgraph.operators[i], subgraph,
                                         fmt::format("{}, operator {}", place, i));
      if (!status) return status;
    }
    return {};
  }

  Status check_tensor(const schema::TensorT& tensor, const schema::SubGraphT& subgraph) const {
    const std::string place = fmt::format("tensor '{}'", printable(tensor.name));
    if (auto status = index(tensor.buffer, model_.buffers.size(), "{}: buffer", place); !status) {
      return status;
    }
    if (tensor.quantization == nullptr) return {};
    const auto check_details = [&](const auto* details) -> Status {
      if (details == nullptr) return {};
      if (auto status = tensors({details->scales}, false, subgraph, place); !status) return status;
      return tensors({details->zero_points}, true, subgraph, place);
    };
    const auto& details = tensor.quantization->details;
    if (auto status = check_details(details.AsBlockwiseQuantization()); !status) return status;
    return check_details(details.AsMultiAxisQuantization());
  }

  Status check_operator(const schema::OperatorT& op, const schema::SubGraphT& subgraph,
                        const std::string& place) const {
    if (auto status = index(op.opcode_index, model_.operator_codes.size(), "{}: code", place);
        !status) {
      return status;
    }
    for (const auto* indices : {&op.inputs, &op.outputs, &op.intermediates}) {
      if (auto status = tensors(*indices, true, subgraph, place); !status) return status;
    }
    return {};
  }

  Status check_signature(const schema::SignatureDefT& signature) const {
    const std::string place = fmt::format("signature '{}'", printable(signature.signature_key));
    if (auto status =
            index(signature.subgraph_index, model_.subgraphs.size(), "{}: subgraph", place);
        !status) {
      return status;
    }
    const size_t count = model_.subgraphs[signature.subgraph_index]->tensors.size();
    for (const auto* entries : {&signature.inputs, &signature.outputs}) {
      for (const auto& entry : *entries) {
        if (auto status = index(entry->tensor_index, count, "{}: tensor", place); !status) {
          return status;
        }
      }
    }
    return {};
  }

  const schema::ModelT& model_;
  std::string_view name_;
};

}  // namespace

Status check_indices(const schema::ModelT& model, std::string_view name) {
  return IndexCheck(model, name).check();
}

}  // namespace lockstep::graph
