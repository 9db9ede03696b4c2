#include "graph/tflite_reader.h"

#include <fstream>
#include <utility>

#include "graph/copy_budget.h"
#include "graph/tflite_file.h"
#include "graph/tflite_operators.h"
#include "graph/tflite_tensors.h"
#include "graph/validation.h"

namespace lockstep::graph {
namespace {

size_t copied_bytes(const schema::Tensor& tensor) {
  size_t bytes =
      text_or_empty(tensor.name()).size() +
      sizeof(int32_t) * (size_or_zero(tensor.shape()) + size_or_zero(tensor.shape_signature()));
  if (const schema::QuantizationParameters* quantization = tensor.quantization()) {
    bytes += sizeof(float) * size_or_zero(quantization->scale()) +
             sizeof(int64_t) * size_or_zero(quantization->zero_point());
  }
  return bytes;
}

size_t copied_bytes(const schema::Model& model, const schema::Operator& op) {
  size_t bytes = sizeof(int32_t) * (size_or_zero(op.inputs()) + size_or_zero(op.outputs()));
  if (op.opcode_index() < size_or_zero(model.operator_codes())) {
    bytes += text_or_empty(model.operator_codes()->Get(op.opcode_index())->custom_code()).size();
  }
  if (const schema::ReshapeOptions* options = op.builtin_options_as_ReshapeOptions()) {
    bytes += sizeof(int32_t) * size_or_zero(options->new_shape());
  }
  if (const schema::SqueezeOptions* options = op.builtin_options_as_SqueezeOptions()) {
    bytes += sizeof(int32_t) * size_or_zero(options->squeeze_dims());
  }
  return bytes;
}

tl::unexpected<Error> too_repetitive(std::string_view name) {
  return make_error(ErrorCode::kInvalidModel,
                    "{}: its tensors and operators share lists that are far longer than the file",
                    name);
}

bool is_aligned(std::span<const std::byte> bytes) {
  return reinterpret_cast<uintptr_t>(bytes.data()) % kFileAlignment == 0;
}

}  // namespace

Result<Graph> read_tflite(std::span<const std::byte> bytes, std::string name,
                          std::shared_ptr<const void> owner) {
  if (owner == nullptr || !is_aligned(bytes)) {
    const auto copy = std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
    bytes = *copy;
    owner = copy;
  }
  const auto model = open_tflite(bytes, name);
  if (!model) return tl::unexpected(model.error());
  const schema::SubGraph& subgraph = *(*model)->subgraphs()->Get(0);

  Graph graph;
  graph.name = std::move(name);
  graph.storage = std::move(owner);
  graph.inputs = copy_vector(subgraph.inputs());
  graph.outputs = copy_vector(subgraph.outputs());

  CopyBudget budget(bytes.size());
  for (size_t i = 0; i < size_or_zero(subgraph.tensors()); ++i) {
    const auto index = static_cast<flatbuffers::uoffset_t>(i);
    if (!budget.spend(copied_bytes(*subgraph.tensors()->Get(index)))) {
      return too_repetitive(graph.name);
    }
    auto tensor = read_tensor(**model, i, graph.name);
    if (!tensor) return tl::unexpected(tensor.error());
    graph.tensors.push_back(std::move(*tensor));
  }
  for (size_t i = 0; i < size_or_zero(subgraph.operators()); ++i) {
    const auto index = static_cast<flatbuffers::uoffset_t>(i);
    if (!budget.spend(copied_bytes(**model, *subgraph.operators()->Get(index)))) {
      return too_repetitive(graph.name);
    }
    auto op = read_operator(**model, i, graph.tensors, graph.name);
    if (!op) return tl::unexpected(op.error());
    graph.operators.push_back(std::move(*op));
  }

  if (auto status = validate_structure(graph); !status) return tl::unexpected(status.error());
  if (auto status = leave_unsupported_operators_opaque(graph); !status) {
    return tl::unexpected(status.error());
  }
  return graph;
}

Result<std::vector<std::byte>> read_file_bytes(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return make_error(ErrorCode::kNotFound, "{}: {}", path.string(),
                      error ? error.message() : "not a file");
  }
  const uintmax_t size = std::filesystem::file_size(path, error);
  std::ifstream stream(path, std::ios::binary);
  if (error || !stream) {
    return make_error(ErrorCode::kNotFound, "{}: cannot be opened", path.string());
  }
  std::vector<std::byte> bytes(static_cast<size_t>(size));
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!stream) {
    return make_error(ErrorCode::kNotFound, "{}: cannot be read to its end", path.string());
  }
  return bytes;
}

Result<std::vector<std::byte>> read_tflite_file_bytes(const std::filesystem::path& path) {
  // Before the bytes are asked for: a sparse file of any size takes no room on the disk.
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (!error) {
    if (auto status = check_file_size(size, path.string()); !status) {
      return tl::unexpected(status.error());
    }
  }
  return read_file_bytes(path);
}

Result<Graph> read_tflite_file(const std::filesystem::path& path) {
  auto bytes = read_tflite_file_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(*bytes));
  return read_tflite(*owner, path.string(), owner);
}

}  // namespace lockstep::graph
