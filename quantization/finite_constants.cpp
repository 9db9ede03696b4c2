#include "quantization/finite_constants.h"

#include <algorithm>
#include <cmath>

#include "graph/tensor.h"
#include "quantization/constants.h"

namespace lockstep::quantization {

Result<std::vector<float>> finite_values(const schema::ModelT& model,
                                         const schema::TensorT& tensor) {
  auto values = real_contents(model, tensor);
  if (!values) return values;
  const auto bad = std::find_if_not(values->begin(), values->end(),
                                    [](float value) { return std::isfinite(value); });
  if (bad != values->end()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "constant '{}': element {} is {}, which no scale can hold",
                      graph::printable(tensor.name), bad - values->begin(), *bad);
  }
  return values;
}

}  // namespace lockstep::quantization
