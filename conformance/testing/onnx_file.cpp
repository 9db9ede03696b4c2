#include "conformance/testing/onnx_file.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <fstream>
#include <limits>
#include <optional>
#include <span>

namespace lockstep::conformance::testing {
namespace {

template <typename Message>
Result<Message> read_message(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return make_error(ErrorCode::kNotFound, "cannot open '{}'", file.string());
  Message message;
  if (!message.ParseFromIstream(&stream)) {
    return make_error(ErrorCode::kInvalidModel, "'{}' is no ONNX protobuf file", file.string());
  }
  return message;
}

std::optional<graph::DataType> data_type_of(int32_t onnx_type) {
  switch (onnx_type) {
    case onnx::TensorProto::INT8:
      return graph::DataType::kInt8;
    case onnx::TensorProto::UINT8:
      return graph::DataType::kUint8;
    case onnx::TensorProto::INT32:
      return graph::DataType::kInt32;
    case onnx::TensorProto::FLOAT:
      return graph::DataType::kFloat32;
    default:
      return std::nullopt;
  }
}

template <typename T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

// Values are in raw_data, little-endian, or in the field of their type: integers of at most 32 bits
// are all in int32_data.
std::vector<std::byte> contents(const onnx::TensorProto& tensor, graph::DataType type) {
  if (tensor.has_raw_data()) {
    const auto bytes = std::as_bytes(std::span(tensor.raw_data()));
    return {bytes.begin(), bytes.end()};
  }
  if (type == graph::DataType::kFloat32) {
    return bytes_of(std::vector<float>(tensor.float_data().begin(), tensor.float_data().end()));
  }
  if (type == graph::DataType::kInt32) {
    return bytes_of(std::vector<int32_t>(tensor.int32_data().begin(), tensor.int32_data().end()));
  }
  std::vector<std::byte> bytes;
  for (const int32_t value : tensor.int32_data()) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

OnnxNode node_of(const onnx::NodeProto& proto) {
  OnnxNode node{.type = proto.op_type(),
                .inputs = {proto.input().begin(), proto.input().end()},
                .outputs = {proto.output().begin(), proto.output().end()},
                .numbers = {},
                .texts = {}};
  for (const onnx::AttributeProto& attribute : proto.attribute()) {
    if (attribute.type() == onnx::AttributeProto::INT) {
      node.numbers[attribute.name()] = {attribute.i()};
    } else if (attribute.type() == onnx::AttributeProto::INTS) {
      node.numbers[attribute.name()] = {attribute.ints().begin(), attribute.ints().end()};
    } else if (attribute.type() == onnx::AttributeProto::STRING) {
      node.texts[attribute.name()] = attribute.s();
    }
  }
  return node;
}

// input_0.pb, input_1.pb, ... as far as there are.
Result<std::vector<OnnxTensor>> read_tensors(const std::filesystem::path& folder,
                                             std::string_view role) {
  std::vector<OnnxTensor> tensors;
  for (int index = 0;; ++index) {
    const std::filesystem::path file = folder / fmt::format("{}_{}.pb", role, index);
    if (!std::filesystem::exists(file)) return tensors;
    auto tensor = read_onnx_tensor(file);
    if (!tensor) return tl::unexpected(tensor.error());
    tensors.push_back(std::move(*tensor));
  }
}

}  // namespace

Result<std::vector<OnnxNode>> read_onnx_nodes(const std::filesystem::path& file) {
  const auto model = read_message<onnx::ModelProto>(file);
  if (!model) return tl::unexpected(model.error());
  std::vector<OnnxNode> nodes;
  for (const onnx::NodeProto& node : model->graph().node()) nodes.push_back(node_of(node));
  if (nodes.empty()) {
    return make_error(ErrorCode::kInvalidModel, "'{}' has no node", file.string());
  }
  return nodes;
}

Result<OnnxTensor> read_onnx_tensor(const std::filesystem::path& file) {
  const auto proto = read_message<onnx::TensorProto>(file);
  if (!proto) return tl::unexpected(proto.error());
  const auto type = data_type_of(proto->data_type());
  if (!type) {
    return make_error(ErrorCode::kUnsupported, "'{}' holds elements of ONNX's type {}",
                      file.string(), proto->data_type());
  }
  OnnxTensor tensor{
      .name = proto->name(), .type = *type, .shape = {}, .data = contents(*proto, *type)};
  for (const int64_t extent : proto->dims()) {
    if (extent < 0 || extent > std::numeric_limits<int32_t>::max()) {
      return make_error(ErrorCode::kInvalidModel, "'{}' has an extent of {}", file.string(),
                        extent);
    }
    tensor.shape.push_back(static_cast<int32_t>(extent));
  }
  const auto count = graph::element_count(tensor.shape);
  if (!count || static_cast<size_t>(*count) * data_type_size(*type) != tensor.data.size()) {
    return make_error(ErrorCode::kInvalidModel, "'{}' has {} bytes for {} elements {}",
                      file.string(), tensor.data.size(), graph::shape_to_string(tensor.shape),
                      data_type_name(*type));
  }
  return tensor;
}

Result<OnnxVector> read_onnx_vector(const std::filesystem::path& folder) {
  auto nodes = read_onnx_nodes(folder / "model.onnx");
  if (!nodes) return tl::unexpected(nodes.error());
  auto inputs = read_tensors(folder / "test_data_set_0", "input");
  if (!inputs) return tl::unexpected(inputs.error());
  auto outputs = read_tensors(folder / "test_data_set_0", "output");
  if (!outputs) return tl::unexpected(outputs.error());
  return OnnxVector{.name = folder.filename().string(),
                    .nodes = std::move(*nodes),
                    .inputs = std::move(*inputs),
                    .outputs = std::move(*outputs)};
}

}  // namespace lockstep::conformance::testing
