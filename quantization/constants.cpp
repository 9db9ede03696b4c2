#include "quantization/constants.h"

#include "graph/tflite_tensors.h"
#include "quantization/affine.h"
#include "quantization/sparse_encoding.h"

namespace lockstep::quantization {
namespace {

Result<std::vector<std::byte>> dense_contents_of(const graph::Tensor& tensor,
                                                 const graph::schema::TensorT& source) {
  if (!tensor.is_sparse) return std::vector<std::byte>(tensor.data.begin(), tensor.data.end());
  const size_t element_size = graph::data_type_size(tensor.type);
  if (element_size == 0) {
    return make_error(ErrorCode::kUnsupported, "tensor '{}': sparse, of a type we do not interpret",
                      graph::printable(tensor.name));
  }
  auto dense = decode_sparse(*source.sparsity, tensor.data, element_size, tensor.shape);
  if (dense) return dense;
  return make_error(dense.error().code, "tensor '{}': {}", graph::printable(tensor.name),
                    dense.error().message);
}

}  // namespace

Result<std::vector<std::byte>> dense_contents(const graph::schema::ModelT& model,
                                              const graph::schema::TensorT& tensor) {
  const auto described = graph::read_tensor(model, tensor);
  if (!described) return tl::unexpected(described.error());
  return dense_contents_of(*described, tensor);
}

Result<std::vector<float>> real_contents(const graph::schema::ModelT& model,
                                         const graph::schema::TensorT& tensor) {
  const auto described = graph::read_tensor(model, tensor);
  if (!described) return tl::unexpected(described.error());
  const auto dense = dense_contents_of(*described, tensor);
  if (!dense) return tl::unexpected(dense.error());
  return real_values(*described, *dense);
}

}  // namespace lockstep::quantization
