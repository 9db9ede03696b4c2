// Arrays of numbers as rows of an input.
#include <algorithm>
#include <fstream>
#include <functional>
#include <optional>
#include <utility>

#include "tools/input_rows.h"

namespace lockstep::tools {
namespace {

// Without the extents of 1, which say nothing about the order of numbers.
template <typename Extent>
ArrayShape squeezed(const std::vector<Extent>& shape) {
  ArrayShape result;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(result),
               [](Extent extent) { return extent != 1; });
  return result;
}

// How many rows an array is, or nullopt where it is none. With input BxHxW, these are: BxHxW (B
// rows), KxBxHxW (K * B), KxHxW (K) and HxW (one).
std::optional<size_t> rows_in(const ArrayShape& array_shape, const InputSlot& slot) {
  const ArrayShape array = squeezed(array_shape);
  const ArrayShape input = squeezed(slot.tensor.shape);
  const ArrayShape row = squeezed(slot.row.shape);
  if (array == input) return slot.batch;
  if (array == row) return 1;
  if (array.empty()) return std::nullopt;
  const ArrayShape behind_first(array.begin() + 1, array.end());
  const auto first = static_cast<size_t>(array[0]);
  if (behind_first == row) return first;
  if (behind_first == input) return first * slot.batch;
  return std::nullopt;
}

size_t channels_of(const InputSlot& slot) {
  const graph::Shape& shape = slot.row.shape;
  return shape.empty() ? 1 : static_cast<size_t>(shape.back());
}

using ByteReader = std::function<Result<std::vector<std::byte>>(size_t offset, size_t size)>;

class ArrayRows final : public InputRows {
 public:
  ArrayRows(const InputSlot& slot, const Preprocessing& preprocessing, NumberType type,
            size_t count, std::string name, ByteReader read_bytes)
      : slot_(slot),
        preprocessing_(preprocessing),
        type_(type),
        count_(count),
        name_(std::move(name)),
        read_bytes_(std::move(read_bytes)) {}

  size_t count() const override { return count_; }
  std::string name(size_t index) const override {
    return count_ == 1 ? name_ : fmt::format("{}[{}]", name_, index);
  }

  Result<std::vector<std::byte>> read(size_t index) const override {
    const size_t size = slot_.row_elements * number_size(type_);
    auto bytes = read_bytes_(index * size, size);
    if (!bytes || is_copied()) return bytes;
    std::vector<float> values = real_values(type_, *bytes);
    if (Status status = normalize(preprocessing_, kNumberNormalization, channels_of(slot_),
                                  slot_.tensor.name, values);
        !status) {
      return tl::unexpected(status.error());
    }
    return row_of_values(slot_, values, name(index));
  }

 private:
  // Integers of the input's own type that stand for nothing else: indices, which float32 need not
  // hold.
  bool is_copied() const {
    return slot_.tensor.type != graph::DataType::kFloat32 &&
           number_type_of(slot_.tensor.type) == type_ &&
           !slot_.tensor.quantization.is_quantized() && !preprocessing_.is_given();
  }

  const InputSlot& slot_;
  const Preprocessing& preprocessing_;
  NumberType type_;
  size_t count_;
  std::string name_;
  ByteReader read_bytes_;
};

Result<std::unique_ptr<InputRows>> rows_of(const InputSlot& slot,
                                           const Preprocessing& preprocessing, NumberType type,
                                           const ArrayShape& shape, std::string name,
                                           ByteReader read_bytes) {
  const auto count = rows_in(shape, slot);
  if (!count) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' holds {}, but input '{}' takes {}, alone or along a first axis of "
                      "their own",
                      name, array_shape_to_string(shape), graph::printable(slot.tensor.name),
                      graph::shape_to_string(slot.tensor.shape));
  }
  if (Status status =
          normalize(preprocessing, kNumberNormalization, channels_of(slot), slot.tensor.name, {});
      !status) {
    return tl::unexpected(status.error());
  }
  return std::make_unique<ArrayRows>(slot, preprocessing, type, *count, std::move(name),
                                     std::move(read_bytes));
}

Result<std::vector<std::byte>> read_part(const std::filesystem::path& path, size_t offset,
                                         size_t size) {
  std::vector<std::byte> bytes(size);
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (!file) {
    return make_error(ErrorCode::kNotFound, "'{}' cannot be read", path.string());
  }
  return bytes;
}

}  // namespace

Result<std::unique_ptr<InputRows>> array_rows(const InputSlot& slot,
                                              const Preprocessing& preprocessing, NumberArray array,
                                              std::string name) {
  const NumberType type = array.type;
  const ArrayShape shape = std::move(array.shape);
  const auto data = std::make_shared<const std::vector<std::byte>>(std::move(array.data));
  return rows_of(slot, preprocessing, type, shape, std::move(name),
                 [data](size_t offset, size_t size) -> Result<std::vector<std::byte>> {
                   const auto first = data->begin() + static_cast<ptrdiff_t>(offset);
                   return std::vector<std::byte>(first, first + static_cast<ptrdiff_t>(size));
                 });
}

Result<std::unique_ptr<InputRows>> npy_rows(const InputSlot& slot,
                                            const Preprocessing& preprocessing,
                                            const std::filesystem::path& path) {
  std::error_code error;
  const uintmax_t file_size = std::filesystem::file_size(path, error);
  if (error) {
    return make_error(ErrorCode::kNotFound, "cannot read '{}': {}", path.string(), error.message());
  }
  const auto beginning =
      read_part(path, 0, static_cast<size_t>(std::min<uintmax_t>(file_size, kMaximumNpyHeader)));
  if (!beginning) return tl::unexpected(beginning.error());
  const auto header = parse_npy_header(*beginning, path.string());
  if (!header) return tl::unexpected(header.error());
  if (header->is_fortran_order || file_size != header->data_offset + header->data_size) {
    // Whole, and where it is damaged the reader says how.
    auto array = read_npy(path);
    if (!array) return tl::unexpected(array.error());
    return array_rows(slot, preprocessing, std::move(*array), path.string());
  }
  return rows_of(slot, preprocessing, header->type, header->shape, path.string(),
                 [path, begin = header->data_offset](size_t offset, size_t size) {
                   return read_part(path, begin + offset, size);
                 });
}

}  // namespace lockstep::tools
