#include "quantization/testing/unsigned_network.h"

namespace lockstep::quantization::testing {

void make_unsigned(schema::ModelT& model) {
  for (const auto& subgraph : model.subgraphs) {
    for (const auto& tensor : subgraph->tensors) {
      if (tensor->quantization == nullptr || tensor->quantization->scale.empty()) continue;
      schema::QuantizationParametersT& quantization = *tensor->quantization;
      quantization.scale = std::vector<float>{quantization.scale.front()};
      quantization.zero_point = std::vector<int64_t>{quantization.zero_point.front()};
      quantization.quantized_dimension = 0;
      if (tensor->type != schema::TensorType::INT8) continue;
      tensor->type = schema::TensorType::UINT8;
      quantization.zero_point.front() += 128;
      for (uint8_t& value : model.buffers[tensor->buffer]->data) value ^= 0x80;
    }
  }
}

}  // namespace lockstep::quantization::testing
