#include "graph/tflite_tensors.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "graph/validation.h"

namespace lockstep::graph {
namespace {

// Both directions in one list: a type that is absent from it is kOther.
constexpr std::pair<schema::TensorType, DataType> kTypes[] = {
    {schema::TensorType::INT8, DataType::kInt8},
    {schema::TensorType::UINT8, DataType::kUint8},
    {schema::TensorType::INT16, DataType::kInt16},
    {schema::TensorType::INT32, DataType::kInt32},
    {schema::TensorType::INT64, DataType::kInt64},
    {schema::TensorType::FLOAT16, DataType::kFloat16},
    {schema::TensorType::FLOAT32, DataType::kFloat32},
    {schema::TensorType::BOOL, DataType::kBool},
};

bool may_be_quantized(DataType type) {
  return integer_range(type).has_value() || type == DataType::kInt64;
}

// person_detect of the TFLite Micro examples gives its bias vectors the axis of the weights they
// belong to (3 of a 4-D tensor). An axis that does not exist is taken for the only dimension that
// has one index a scale; where there is no such dimension, or several, validation refuses it.
int32_t repaired_axis(int32_t axis, const Shape& shape, size_t scale_count) {
  if (scale_count <= 1 || (axis >= 0 && static_cast<size_t>(axis) < shape.size())) return axis;
  const auto matches = [&](int32_t extent) { return static_cast<size_t>(extent) == scale_count; };
  const auto first = std::find_if(shape.begin(), shape.end(), matches);
  if (first == shape.end() || std::find_if(first + 1, shape.end(), matches) != shape.end()) {
    return axis;
  }
  return static_cast<int32_t>(first - shape.begin());
}

// The affine parameters of a tensor of known type and shape; the error is the reason alone.
tl::expected<Quantization, std::string> affine_parameters(std::vector<float> scales,
                                                          const std::vector<int64_t>& zero_points,
                                                          int32_t axis, const Tensor& tensor) {
  Quantization quantization;
  const size_t count = scales.size();
  if (zero_points.size() != count && zero_points.size() != 1) {
    return tl::unexpected(fmt::format("{} scales but {} zero points", count, zero_points.size()));
  }
  for (const int64_t zero_point : zero_points) {
    if (zero_point < std::numeric_limits<int32_t>::min() ||
        zero_point > std::numeric_limits<int32_t>::max()) {
      return tl::unexpected(fmt::format("zero point {} is outside the type's range", zero_point));
    }
    quantization.zero_points.push_back(static_cast<int32_t>(zero_point));
  }
  quantization.zero_points.resize(count, quantization.zero_points.front());
  quantization.axis = repaired_axis(axis, tensor.shape, count);
  quantization.scales = std::move(scales);
  return quantization;
}

// Scales of other types mean nothing to any operator, and other schemes mean nothing to us.
bool is_affine(size_t scale_count, schema::QuantizationDetails details, DataType type) {
  return scale_count > 0 && may_be_quantized(type) && details == schema::QuantizationDetails::NONE;
}

tl::expected<Quantization, std::string> read_quantization(
    const schema::QuantizationParameters* parameters, const Tensor& tensor) {
  if (parameters == nullptr ||
      !is_affine(size_or_zero(parameters->scale()), parameters->details_type(), tensor.type)) {
    return Quantization{};
  }
  return affine_parameters(copy_vector(parameters->scale()), copy_vector(parameters->zero_point()),
                           parameters->quantized_dimension(), tensor);
}

tl::expected<Quantization, std::string> read_quantization(
    const schema::QuantizationParametersT* parameters, const Tensor& tensor) {
  if (parameters == nullptr ||
      !is_affine(parameters->scale.size(), parameters->details.type, tensor.type)) {
    return Quantization{};
  }
  return affine_parameters(parameters->scale, parameters->zero_point,
                           parameters->quantized_dimension, tensor);
}

// The contents of a constant: a part of the file, empty for an activation.
Result<std::span<const std::byte>> read_data(const schema::Model& model,
                                             const schema::Tensor& tensor) {
  const uint32_t index = tensor.buffer();
  if (tensor.external_buffer() != 0) {
    return make_error(ErrorCode::kUnsupported, "its data lie in another file");
  }
  if (index == 0) return std::span<const std::byte>{};
  if (index >= size_or_zero(model.buffers())) {
    return make_error(ErrorCode::kInvalidModel, "its data are buffer {} of {}", index,
                      size_or_zero(model.buffers()));
  }
  const schema::Buffer* buffer = model.buffers()->Get(index);
  if (buffer->offset() > 1) {
    return make_error(ErrorCode::kUnsupported, "its data lie behind the flatbuffer (buffer {})",
                      index);
  }
  if (size_or_zero(buffer->data()) == 0) return std::span<const std::byte>{};
  return std::as_bytes(std::span(buffer->data()->Data(), buffer->data()->size()));
}

}  // namespace

DataType data_type_from_file(schema::TensorType type) {
  for (const auto& [in_file, data_type] : kTypes) {
    if (in_file == type) return data_type;
  }
  return DataType::kOther;
}

schema::TensorType data_type_to_file(DataType type) {
  for (const auto& [in_file, data_type] : kTypes) {
    if (data_type == type) return in_file;
  }
  return schema::TensorType::FLOAT32;
}

Result<Tensor> read_tensor(const schema::Model& model, size_t index, std::string_view file_name) {
  const schema::Tensor& source =
      *model.subgraphs()->Get(0)->tensors()->Get(static_cast<flatbuffers::uoffset_t>(index));
  Tensor tensor;
  tensor.name = text_or_empty(source.name());
  tensor.type = data_type_from_file(source.type());
  tensor.shape = copy_vector(source.shape());
  tensor.shape_signature = copy_vector(source.shape_signature());
  tensor.is_sparse = source.sparsity() != nullptr;
  tensor.is_variable = source.is_variable();

  const auto fail = [&](ErrorCode code, std::string_view reason) {
    return make_error(code, "{}: tensor {} ('{}'): {}", file_name, index, printable(tensor.name),
                      reason);
  };
  auto quantization = read_quantization(source.quantization(), tensor);
  if (!quantization) return fail(ErrorCode::kInvalidModel, quantization.error());
  tensor.quantization = std::move(*quantization);

  const auto data = read_data(model, source);
  if (!data) return fail(data.error().code, data.error().message);
  tensor.data = *data;
  return tensor;
}

Result<Tensor> read_tensor(const schema::ModelT& model, const schema::TensorT& source) {
  Tensor tensor;
  tensor.name = source.name;
  tensor.type = data_type_from_file(source.type);
  tensor.shape = source.shape;
  tensor.shape_signature = source.shape_signature;
  tensor.is_sparse = source.sparsity != nullptr;
  tensor.is_variable = source.is_variable;
  tensor.data = std::as_bytes(std::span(model.buffers[source.buffer]->data));

  auto quantization = read_quantization(source.quantization.get(), tensor);
  if (quantization) tensor.quantization = std::move(*quantization);
  const auto mistake = quantization ? tensor_mistake(tensor) : quantization.error();
  if (!mistake) return tensor;
  return make_error(ErrorCode::kInvalidModel, "tensor '{}': {}", printable(tensor.name), *mistake);
}

}  // namespace lockstep::graph
