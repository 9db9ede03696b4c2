// Smaller constants, float arithmetic: a float network whose constants are stored as float16 or
// int8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graph/status.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization {

enum class Storage : uint8_t {
  kFloat32,        // as before
  kFloat16,        // behind a DEQUANTIZE operator
  kInt8,           // behind a DEQUANTIZE operator
  kInt8ForHybrid,  // read by the hybrid kernel, which quantizes its input at run time
};
std::string_view storage_name(Storage storage);  // "float32", ...

struct StoredConstant {
  std::string name;
  size_t elements = 0;
  Storage storage = Storage::kFloat32;
  std::string reason;  // kFloat32: why, for a person
};

struct WeightOnlyReport {
  std::vector<StoredConstant> constants;  // every float32 constant that an operator reads

  size_t count(Storage storage) const;
};

// What an operator DEQUANTIZE and the tensor it makes take in a file. Constants that would not save
// as much stay float32.
inline constexpr size_t kDequantizeBytes = 160;
// What the quantization of a constant takes, and for each of its scales. Weights that would not
// save as much stay float32.
inline constexpr size_t kQuantizationBytes = 64;
inline constexpr size_t kScaleBytes = sizeof(float) + sizeof(int64_t);
// Other constants than weights stay below this, as with TensorFlow's converter.
inline constexpr size_t kSmallestInt8Constant = 1024;

// `model`: a plain float network; constants of the first subgraph change. Float16 rounds to nearest
// even; a constant with a finite number beyond its largest, 65504, stays float32.
Result<WeightOnlyReport> store_as_float16(schema::ModelT& model);

// Weights of CONV_2D and DEPTHWISE_CONV_2D become int8 with a scale for each output channel, those
// of FULLY_CONNECTED with one: their kernels compute with them as they are. Biases, which add to
// sums of many products, become float16, other constants int8, both behind a DEQUANTIZE operator.
// kInvalidArgument where one of them is not finite.
Result<WeightOnlyReport> store_as_dynamic_range(schema::ModelT& model);

}  // namespace lockstep::quantization
