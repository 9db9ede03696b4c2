#include "graph/tflite_tree_writer.h"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <utility>

namespace lockstep::graph {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

template <typename T>
using ListOffset = Offset<flatbuffers::Vector<T>>;

// Lists that were written, by the bytes of their elements: equal numbers may differ in those.
template <typename T>
using WrittenLists = std::map<std::string, ListOffset<T>>;

class TreeWriter {
 public:
  std::vector<std::byte> write(const schema::ModelT& model) {
    const auto codes = list<schema::OperatorCode>(model.operator_codes);
    const auto subgraphs = list<schema::SubGraph>(model.subgraphs);
    const auto description = text(model.description);
    const auto buffers = list<schema::Buffer>(model.buffers);
    const auto metadata_buffer = builder_.CreateVector(model.metadata_buffer);
    const auto metadata = list<schema::Metadata>(model.metadata);
    const auto signatures = list<schema::SignatureDef>(model.signature_defs);
    const auto groups = list<schema::ExternalBufferGroup>(model.external_buffer_groups);
    const auto external_buffers = list<schema::ExternalBuffer>(model.external_buffers);
    schema::FinishModelBuffer(
        builder_,
        schema::CreateModel(builder_, model.version, codes, subgraphs, description, buffers,
                            metadata_buffer, metadata, signatures, groups, external_buffers));
    const auto bytes = std::as_bytes(std::span(builder_.GetBufferPointer(), builder_.GetSize()));
    return {bytes.begin(), bytes.end()};
  }

 private:
  // ---- Lists and texts ----

  template <typename Table, typename Object>
  ListOffset<Offset<Table>> list(const std::vector<std::unique_ptr<Object>>& objects) {
    std::vector<Offset<Table>> offsets;
    offsets.reserve(objects.size());
    for (const auto& object : objects) offsets.push_back(write_object(*object));
    return builder_.CreateVector(offsets);
  }

  template <typename Table, typename Object>
  ListOffset<Offset<Table>> list_unless_empty(const std::vector<std::unique_ptr<Object>>& objects) {
    return objects.empty() ? ListOffset<Offset<Table>>() : list<Table>(objects);
  }

  Offset<flatbuffers::String> text(const std::string& text) {
    return builder_.CreateSharedString(text);
  }
  Offset<flatbuffers::String> text_unless_empty(const std::string& contents) {
    return contents.empty() ? Offset<flatbuffers::String>() : text(contents);
  }

  template <typename T>
  ListOffset<T> unless_empty(const std::vector<T>& values) {
    return values.empty() ? ListOffset<T>() : builder_.CreateVector(values);
  }

  // Absent where empty, too.
  template <typename T>
  ListOffset<T> shared(const std::vector<T>& values) {
    if (values.empty()) return {};
    const std::string bytes(reinterpret_cast<const char*>(values.data()),
                            values.size() * sizeof(T));
    auto [entry, is_new] = std::get<WrittenLists<T>>(lists_).try_emplace(bytes);
    if (is_new) entry->second = builder_.CreateVector(values);
    return entry->second;
  }

  // ---- Objects ----

  template <typename Object>
  Offset<typename Object::TableType> write_object(const Object& object) {
    return Object::TableType::Pack(builder_, &object);
  }

  Offset<schema::SubGraph> write_object(const schema::SubGraphT& subgraph) {
    const auto tensors = list<schema::Tensor>(subgraph.tensors);
    const auto inputs = builder_.CreateVector(subgraph.inputs);
    const auto outputs = builder_.CreateVector(subgraph.outputs);
    const auto operators = list<schema::Operator>(subgraph.operators);
    return schema::CreateSubGraph(builder_, tensors, inputs, outputs, operators,
                                  text(subgraph.name), subgraph.debug_metadata_index);
  }

  Offset<schema::Tensor> write_object(const schema::TensorT& tensor) {
    const auto quantization = tensor.quantization == nullptr
                                  ? Offset<schema::QuantizationParameters>()
                                  : write_object(*tensor.quantization);
    const auto sparsity = tensor.sparsity == nullptr ? Offset<schema::SparsityParameters>()
                                                     : write_object(*tensor.sparsity);
    const auto variants = list_unless_empty<schema::VariantSubType>(tensor.variant_tensors);
    return schema::CreateTensor(builder_, shared(tensor.shape), tensor.type, tensor.buffer,
                                text_unless_empty(tensor.name), quantization, tensor.is_variable,
                                sparsity, shared(tensor.shape_signature), tensor.has_rank, variants,
                                tensor.external_buffer);
  }

  Offset<schema::QuantizationParameters> write_object(
      const schema::QuantizationParametersT& parameters) {
    const auto minimum = shared(parameters.min);
    const auto maximum = shared(parameters.max);
    const auto scale = shared(parameters.scale);
    const auto zero_point = shared(parameters.zero_point);
    const auto details = options(parameters.details);
    const std::vector<uint32_t> key{minimum.o,
                                    maximum.o,
                                    scale.o,
                                    zero_point.o,
                                    details.o,
                                    static_cast<uint32_t>(parameters.details.type),
                                    static_cast<uint32_t>(parameters.quantized_dimension)};
    auto [entry, is_new] = quantizations_.try_emplace(key);
    if (is_new) {
      entry->second = schema::CreateQuantizationParameters(builder_, minimum, maximum, scale,
                                                           zero_point, parameters.details.type,
                                                           details, parameters.quantized_dimension);
    }
    return entry->second;
  }

  Offset<schema::Operator> write_object(const schema::OperatorT& op) {
    const auto inputs = shared(op.inputs);
    const auto outputs = shared(op.outputs);
    const auto builtin_options = options(op.builtin_options);
    const auto custom_options = unless_empty(op.custom_options);
    const auto mutating_inputs = op.mutating_variable_inputs.empty()
                                     ? ListOffset<uint8_t>()
                                     : builder_.CreateVector(op.mutating_variable_inputs);
    const auto intermediates = shared(op.intermediates);
    const auto builtin_options_2 = options(op.builtin_options_2);
    return schema::CreateOperator(
        builder_, op.opcode_index, inputs, outputs, op.builtin_options.type, builtin_options,
        custom_options, op.custom_options_format, mutating_inputs, intermediates,
        op.large_custom_options_offset, op.large_custom_options_size, op.builtin_options_2.type,
        builtin_options_2, op.debug_metadata_index);
  }

  Offset<schema::SignatureDef> write_object(const schema::SignatureDefT& signature) {
    const auto inputs = list<schema::TensorMap>(signature.inputs);
    const auto outputs = list<schema::TensorMap>(signature.outputs);
    const auto key = text(signature.signature_key);
    return schema::CreateSignatureDef(builder_, inputs, outputs, key,
                                      text(signature.deprecated_tag), signature.subgraph_index);
  }

  Offset<schema::TensorMap> write_object(const schema::TensorMapT& entry) {
    return schema::CreateTensorMap(builder_, text(entry.name), entry.tensor_index);
  }

  // One of several tables. Those that would be the same bytes in a file of their own are equal.
  template <typename Union>
  Offset<void> options(const Union& options) {
    if (options.value == nullptr) return {};
    alone_.Clear();
    alone_.Finish(Offset<flatbuffers::Table>(options.Pack(alone_).o));
    const std::string contents(reinterpret_cast<const char*>(alone_.GetBufferPointer()),
                               alone_.GetSize());
    auto [entry, is_new] = options_.try_emplace(contents);
    if (is_new) entry->second = options.Pack(builder_);
    return entry->second;
  }

  FlatBufferBuilder builder_;
  std::tuple<WrittenLists<int32_t>, WrittenLists<int64_t>, WrittenLists<float>> lists_;
  std::map<std::vector<uint32_t>, Offset<schema::QuantizationParameters>> quantizations_;
  std::map<std::string, Offset<void>> options_;
  FlatBufferBuilder alone_;
};

}  // namespace

std::vector<std::byte> write_tree(const schema::ModelT& model) { return TreeWriter().write(model); }

}  // namespace lockstep::graph
