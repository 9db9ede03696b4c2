#include "tools/input_rows.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "graph/tflite_reader.h"
#include "quantization/affine.h"

namespace lockstep::tools {
namespace {

Status check_finite(std::span<const float> values, const std::string& name) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    return make_error(ErrorCode::kInvalidArgument, "'{}': element {} is {}", name, i,
                      std::isnan(values[i]) ? "NaN" : "infinite");
  }
  return {};
}

class RawRows final : public InputRows {
 public:
  RawRows(const InputSlot& slot, std::filesystem::path path)
      : slot_(slot), path_(std::move(path)) {}

  size_t count() const override { return slot_.batch; }
  std::string name(size_t) const override { return path_.string(); }

  Result<std::vector<std::byte>> read(size_t index) const override {
    const auto bytes = graph::read_file_bytes(path_);
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->size() != slot_.batch * slot_.row_bytes) {
      return make_error(ErrorCode::kInvalidArgument, "'{}' changed its size", path_.string());
    }
    const auto first = bytes->begin() + static_cast<ptrdiff_t>(index * slot_.row_bytes);
    std::vector<std::byte> row(first, first + static_cast<ptrdiff_t>(slot_.row_bytes));
    if (slot_.tensor.type == graph::DataType::kFloat32) {
      std::vector<float> values(slot_.row_elements);
      std::memcpy(values.data(), row.data(), row.size());
      if (Status status = check_finite(values, path_.string()); !status) {
        return tl::unexpected(status.error());
      }
    }
    return row;
  }

 private:
  const InputSlot& slot_;
  std::filesystem::path path_;
};

}  // namespace

Result<InputSlot> input_slot(const graph::Tensor& tensor) {
  const auto elements = graph::element_count(tensor.shape);
  const size_t size = graph::data_type_size(tensor.type);
  if (!elements || *elements == 0 || size == 0) {
    return make_error(ErrorCode::kUnsupported, "input '{}' of {} {} takes no data",
                      graph::printable(tensor.name), graph::data_type_name(tensor.type),
                      graph::shape_to_string(tensor.shape));
  }
  InputSlot slot{.tensor = tensor, .row = tensor};
  if (tensor.shape.size() >= 2) {
    slot.batch = static_cast<size_t>(tensor.shape[0]);
    slot.row.shape.erase(slot.row.shape.begin());
  }
  slot.row_elements = static_cast<size_t>(*elements) / slot.batch;
  slot.row_bytes = slot.row_elements * size;
  return slot;
}

Result<std::vector<std::byte>> row_of_values(const InputSlot& slot, std::span<const float> values,
                                             const std::string& name) {
  if (Status status = check_finite(values, name); !status) return tl::unexpected(status.error());
  return quantization::tensor_bytes(slot.row, values);
}

Result<std::unique_ptr<InputRows>> raw_rows(const InputSlot& slot, std::filesystem::path path) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error) {
    return make_error(ErrorCode::kNotFound, "cannot read '{}': {}", path.string(), error.message());
  }
  if (size != slot.batch * slot.row_bytes) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is neither image nor array, and as raw data it has {} bytes where "
                      "input '{}' ({} {}) takes {}",
                      path.string(), size, graph::printable(slot.tensor.name),
                      graph::data_type_name(slot.tensor.type),
                      graph::shape_to_string(slot.tensor.shape), slot.batch * slot.row_bytes);
  }
  return std::make_unique<RawRows>(slot, std::move(path));
}

}  // namespace lockstep::tools
