// Data for one input of a network, row by row: what a file holds of it, as the input's bytes. A row
// is what lies at one index of the input's outermost dimension, its batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/status.h"
#include "graph/tensor.h"
#include "tools/npy.h"
#include "tools/preprocessing.h"

namespace lockstep::tools {

// An input to fill. An input of less than two dimensions has one row: all of it.
struct InputSlot {
  graph::Tensor tensor;
  graph::Tensor row;  // the same without its batch
  size_t batch = 1;
  size_t row_elements = 0;
  size_t row_bytes = 0;
};
// kUnsupported for inputs without a size and for types that nothing here makes.
Result<InputSlot> input_slot(const graph::Tensor& tensor);

class InputRows {
 public:
  virtual ~InputRows() = default;
  virtual size_t count() const = 0;
  // The bytes of one row, or why there are none. Precondition of both: index < count().
  virtual Result<std::vector<std::byte>> read(size_t index) const = 0;
  virtual std::string name(size_t index) const = 0;
};

// The bytes of a row that takes these real values. `name` is of the row, for messages: NaN and
// infinities are refused.
Result<std::vector<std::byte>> row_of_values(const InputSlot& slot, std::span<const float> values,
                                             const std::string& name);

// Each of them for the input `slot`, whose owner keeps it and the preprocessing alive.

// Random parts of a photo, each a row of its own, instead of the photo.
struct CropRows {
  size_t count = 0;  // 0: the photo itself
  uint64_t seed = 1;
  size_t first = 0;  // number of the first row among those of the input
};

// A photo: one row of an input of height, width and 1 or 3 channels, or of height and width alone;
// or as many as it gives crops. The real values of the pixels are quantized where the input is.
// Opening it looks at its header.
Result<std::unique_ptr<InputRows>> image_rows(const InputSlot& slot,
                                              const Preprocessing& preprocessing,
                                              const CropRows& crops, std::filesystem::path path);
bool has_image_suffix(const std::filesystem::path& path);

// The numbers of an array: a whole input, rows or inputs along a first axis of their own. Extents
// of 1 may be left out or added. The numbers are real values, quantized where the input is; NaN and
// infinities are refused.
Result<std::unique_ptr<InputRows>> array_rows(const InputSlot& slot,
                                              const Preprocessing& preprocessing, NumberArray array,
                                              std::string name);
// The same of a .npy file, which is read row by row where it is in C order.
Result<std::unique_ptr<InputRows>> npy_rows(const InputSlot& slot,
                                            const Preprocessing& preprocessing,
                                            const std::filesystem::path& path);

// Bytes as the input takes them, all of its rows. float32 must be finite.
Result<std::unique_ptr<InputRows>> raw_rows(const InputSlot& slot, std::filesystem::path path);

}  // namespace lockstep::tools
