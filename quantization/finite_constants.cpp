#include "quantization/finite_constants.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/tensor.h"

namespace lockstep::quantization {

Result<std::vector<float>> finite_values(const graph::schema::ModelT& model,
                                         const graph::schema::TensorT& tensor) {
  const std::vector<uint8_t>& bytes = model.buffers[tensor.buffer]->data;
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  const auto bad = std::find_if_not(values.begin(), values.end(),
                                    [](float value) { return std::isfinite(value); });
  if (bad != values.end()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "constant '{}': element {} is {}, which no scale can hold",
                      graph::printable(tensor.name), bad - values.begin(), *bad);
  }
  return values;
}

}  // namespace lockstep::quantization
