#include "backend/vulkan/layout.h"

namespace lockstep::backend::vulkan {

TensorLayout layout_of(std::span<const int32_t> shape) {
  TensorLayout layout;
  if (!shape.empty()) {
    for (const int32_t extent : shape.first(shape.size() - 1)) {
      layout.rows *= extent;
    }
    layout.channels = shape.back();
  }
  layout.channel_stride = channel_stride_for(layout.channels);
  return layout;
}

TensorLayout layout_of(const graph::LoweredTensor& tensor) {
  TensorLayout layout = layout_of(tensor.shape);
  layout.element_bytes = static_cast<int32_t>(graph::data_type_size(tensor.type));
  layout.channel_stride *= layout.element_bytes;
  return layout;
}

bool lie_alike(const TensorLayout& a, const TensorLayout& b) {
  return a == b || (a.is_dense() && b.is_dense() && a.bytes() == b.bytes());
}

}  // namespace lockstep::backend::vulkan
