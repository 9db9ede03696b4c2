#include "graph/tflite_writer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "graph/builtin_operators.h"
#include "graph/tflite_file.h"
#include "graph/tflite_operators.h"
#include "graph/tflite_tensors.h"

namespace lockstep::graph {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

constexpr uint32_t kSchemaVersion = 3;
// The old one-byte field of an operator code says 127 where the code does not fit.
constexpr int32_t kLargestOldCode = 127;

// What the format, or this writer, has no way to say.
Status check_writable(const Graph& graph) {
  size_t constant_bytes = 0;
  for (const Tensor& tensor : graph.tensors) {
    if (tensor.type == DataType::kOther || tensor.is_sparse) {
      return make_error(ErrorCode::kUnsupported, "{}: tensor '{}' is {}: cannot be written",
                        graph.name, printable(tensor.name),
                        tensor.is_sparse ? "sparse" : "of a type we do not interpret");
    }
    constant_bytes += tensor.data.size();
  }
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    if (std::holds_alternative<OpaqueAttributes>(graph.operators[i].attributes)) {
      return make_error(ErrorCode::kUnsupported, "{}: {} is opaque: its options are not known",
                        graph.name, describe_operator(graph, i));
    }
  }
  // Half of what the format can address, so that names and shapes fit with certainty.
  if (constant_bytes > FLATBUFFERS_MAX_BUFFER_SIZE / 2) {
    return make_error(ErrorCode::kUnsupported, "{}: {} bytes of constants do not fit a file",
                      graph.name, constant_bytes);
  }
  return {};
}

class GraphWriter {
 public:
  explicit GraphWriter(const Graph& graph) : graph_(graph) {
    buffers_.push_back(schema::CreateBuffer(builder_));  // by rule the first one is empty
  }

  std::vector<std::byte> write() {
    std::vector<Offset<schema::Tensor>> tensors;
    for (const Tensor& tensor : graph_.tensors) tensors.push_back(write_tensor(tensor));
    std::vector<Offset<schema::Operator>> operators;
    for (const Operator& op : graph_.operators) operators.push_back(write_operator(op));
    const std::vector<Offset<schema::SubGraph>> subgraphs{schema::CreateSubGraphDirect(
        builder_, &tensors, &graph_.inputs, &graph_.outputs, &operators, "main")};
    const auto model = schema::CreateModelDirect(builder_, kSchemaVersion, &codes_, &subgraphs,
                                                 "Written by Lockstep", &buffers_);
    schema::FinishModelBuffer(builder_, model);
    const auto bytes = std::as_bytes(std::span(builder_.GetBufferPointer(), builder_.GetSize()));
    return {bytes.begin(), bytes.end()};
  }

 private:
  uint32_t write_data(std::span<const std::byte> data) {
    if (data.empty()) return 0;
    builder_.ForceVectorAlignment(data.size(), 1, kFileAlignment);
    const auto vector =
        builder_.CreateVector(reinterpret_cast<const uint8_t*>(data.data()), data.size());
    buffers_.push_back(schema::CreateBuffer(builder_, vector));
    return static_cast<uint32_t>(buffers_.size() - 1);
  }

  Offset<schema::QuantizationParameters> write_quantization(const Quantization& quantization) {
    if (!quantization.is_quantized()) return 0;
    const std::vector<int64_t> zero_points(quantization.zero_points.begin(),
                                           quantization.zero_points.end());
    return schema::CreateQuantizationParametersDirect(
        builder_, nullptr, nullptr, &quantization.scales, &zero_points,
        schema::QuantizationDetails::NONE, 0, quantization.axis);
  }

  Offset<schema::Tensor> write_tensor(const Tensor& tensor) {
    const uint32_t buffer = write_data(tensor.data);
    const auto quantization = write_quantization(tensor.quantization);
    const auto shape = builder_.CreateVector(tensor.shape);
    const auto name = builder_.CreateString(tensor.name);
    const auto signature = tensor.shape_signature.empty()
                               ? Offset<flatbuffers::Vector<int32_t>>{}
                               : builder_.CreateVector(tensor.shape_signature);
    return schema::CreateTensor(builder_, shape, data_type_to_file(tensor.type), buffer, name,
                                quantization, tensor.is_variable, 0, signature);
  }

  // Index of the operator's code and version in the file's list, which holds each pair once.
  uint32_t write_code(int32_t builtin_code, int32_t version) {
    const auto [entry, is_new] = code_indices_.try_emplace(std::pair(builtin_code, version),
                                                           static_cast<uint32_t>(codes_.size()));
    if (is_new) {
      codes_.push_back(schema::CreateOperatorCode(
          builder_, static_cast<int8_t>(std::min(builtin_code, kLargestOldCode)), 0, version,
          schema::BuiltinOperator{builtin_code}));
    }
    return entry->second;
  }

  Offset<schema::Operator> write_operator(const Operator& op) {
    const uint32_t code = write_code(builtin_code_of(op.attributes, op.inputs.size()), op.version);
    const WrittenOptions options = write_options(builder_, op);
    return schema::CreateOperatorDirect(builder_, code, &op.inputs, &op.outputs, options.type,
                                        options.offset);
  }

  const Graph& graph_;
  FlatBufferBuilder builder_;
  std::vector<Offset<schema::Buffer>> buffers_;
  std::vector<Offset<schema::OperatorCode>> codes_;
  std::map<std::pair<int32_t, int32_t>, uint32_t> code_indices_;
};

// Every tensor an operator produces, in order of production, then graph outputs that none produces.
Result<std::vector<int32_t>> produced_tensors(const schema::SubGraph& subgraph) {
  const size_t tensor_count = size_or_zero(subgraph.tensors());
  std::vector<bool> is_listed(tensor_count, false);
  std::vector<int32_t> produced;
  const auto list = [&](const flatbuffers::Vector<int32_t>* indices) -> Status {
    for (const int32_t index : copy_vector(indices)) {
      if (index == kAbsentTensor) continue;
      if (index < 0 || static_cast<size_t>(index) >= tensor_count) {
        return make_error(ErrorCode::kInvalidModel, "tensor {} is not one of the {} tensors", index,
                          tensor_count);
      }
      if (is_listed[static_cast<size_t>(index)]) continue;
      is_listed[static_cast<size_t>(index)] = true;
      produced.push_back(index);
    }
    return {};
  };
  for (flatbuffers::uoffset_t i = 0; i < size_or_zero(subgraph.operators()); ++i) {
    if (auto status = list(subgraph.operators()->Get(i)->outputs()); !status) {
      return tl::unexpected(status.error());
    }
  }
  if (auto status = list(subgraph.outputs()); !status) return tl::unexpected(status.error());
  return produced;
}

}  // namespace

Result<std::vector<std::byte>> write_tflite(const Graph& graph) {
  if (auto status = check_writable(graph); !status) return tl::unexpected(status.error());
  if (auto status = validate(graph); !status) return tl::unexpected(status.error());
  return GraphWriter(graph).write();
}

Result<std::vector<std::byte>> expose_all_tensors(std::span<const std::byte> bytes) {
  // A vector's memory is aligned for everything a flatbuffer holds.
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  const auto model = open_tflite(file, "model");
  if (!model) return tl::unexpected(model.error());
  const schema::SubGraph* subgraph = (*model)->subgraphs()->Get(0);
  const auto outputs = produced_tensors(*subgraph);
  if (!outputs) return tl::unexpected(outputs.error());

  // Nothing is rebuilt, so that what we cannot interpret stays as it is: a longer list is appended
  // to the file, and the subgraph's one reference to its outputs is pointed there.
  const auto* table = reinterpret_cast<const flatbuffers::Table*>(subgraph);
  const flatbuffers::voffset_t field = table->GetOptionalFieldOffset(schema::SubGraph::VT_OUTPUTS);
  if (field == 0) {
    return make_error(ErrorCode::kUnsupported, "model: the first subgraph has no list of outputs");
  }
  const size_t reference =
      static_cast<size_t>(reinterpret_cast<const std::byte*>(table) - file.data()) + field;
  const size_t list = (file.size() + 3) / 4 * 4;
  const size_t end = list + sizeof(uint32_t) + outputs->size() * sizeof(int32_t);
  if (end >= FLATBUFFERS_MAX_BUFFER_SIZE) {
    return make_error(ErrorCode::kUnsupported, "model: no room left in the file");
  }
  file.resize(end);
  const auto put = [&](size_t position, std::span<const std::byte> part) {
    std::copy(part.begin(), part.end(), file.begin() + static_cast<std::ptrdiff_t>(position));
  };
  const auto count = static_cast<uint32_t>(outputs->size());
  const auto distance = static_cast<uint32_t>(list - reference);
  put(list, std::as_bytes(std::span(&count, 1)));
  put(list + sizeof(count), std::as_bytes(std::span(*outputs)));
  put(reference, std::as_bytes(std::span(&distance, 1)));
  return file;
}

}  // namespace lockstep::graph
