#include "tools/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include "delegate_api/whole_file.h"
#include "graph/tflite_reader.h"
#include "numerics/float16.h"

namespace lockstep::tools {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
// Magic, two bytes of version; then the length of the header in 2 or, from version 2 on, 4 bytes.
constexpr size_t kVersionEnd = 8;
// numpy itself makes no arrays of more.
constexpr size_t kMaximumAxes = 64;
// Where the numbers begin is a multiple of this in files that numpy writes.
constexpr size_t kDataAlignment = 64;

struct TypeRow {
  NumberType type;
  size_t size;
  std::string_view numpy_name;
};
constexpr std::array<TypeRow, 9> kTypes = {{
    {NumberType::kBool, 1, "|b1"},
    {NumberType::kInt8, 1, "|i1"},
    {NumberType::kUint8, 1, "|u1"},
    {NumberType::kInt16, 2, "<i2"},
    {NumberType::kInt32, 4, "<i4"},
    {NumberType::kInt64, 8, "<i8"},
    {NumberType::kFloat16, 2, "<f2"},
    {NumberType::kFloat32, 4, "<f4"},
    {NumberType::kFloat64, 8, "<f8"},
}};

const TypeRow& row_of(NumberType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(),
                       [type](const TypeRow& row) { return row.type == type; });
}

// Bytes of all elements, or nullopt where a size_t or one extent's int64 does not hold them.
std::optional<size_t> data_size_of(std::span<const int64_t> shape, size_t element_size) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  size_t size = element_size;
  for (const int64_t extent : shape) {
    if (__builtin_mul_overflow(size, static_cast<size_t>(extent), &size)) return std::nullopt;
  }
  if (size > static_cast<size_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  return size;
}

// Reads the one Python literal that a header is:
//   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Result<NpyHeader> read() {
    if (!take('{')) return damaged("does not begin with '{'");
    while (!take('}')) {
      const auto key = take_string();
      if (!key || !take(':')) return damaged("holds something else than keys and values");
      if (Status status = read_value(*key); !status) return tl::unexpected(status.error());
      if (take(',')) continue;
      if (!take('}')) return damaged("has no ',' or '}' behind a value");
      break;
    }
    skip_spaces();
    if (position_ != text_.size()) return damaged("goes on behind its '}'");
    if (!type_ || !is_fortran_order_ || !shape_) {
      return damaged("lacks one of descr, fortran_order and shape");
    }
    NpyHeader header{.type = *type_,
                     .shape = std::move(*shape_),
                     .is_fortran_order = *is_fortran_order_,
                     .data_offset = 0,
                     .data_size = 0};
    const auto size = data_size_of(header.shape, number_size(header.type));
    if (!size) {
      return make_error(ErrorCode::kInvalidArgument, "'{}': an array of {} is larger than memory",
                        name_, array_shape_to_string(header.shape));
    }
    header.data_size = *size;
    return header;
  }

 private:
  Status read_value(std::string_view key) {
    if (key == "descr" && !type_) return read_type();
    if (key == "fortran_order" && !is_fortran_order_) {
      if (take_word("True")) {
        is_fortran_order_ = true;
      } else if (take_word("False")) {
        is_fortran_order_ = false;
      } else {
        return damaged("gives a fortran_order that is neither True nor False");
      }
      return {};
    }
    if (key == "shape" && !shape_) return read_shape();
    return damaged(fmt::format("has the unexpected key '{}'", graph::printable(key)));
  }

  Status read_type() {
    // Fields with names are a list in Python's words.
    if (take('[')) {
      return make_error(ErrorCode::kUnsupported, "'{}': structured arrays are not read", name_);
    }
    const auto name = take_string();
    if (!name) return damaged("gives a descr that is no text");
    for (const TypeRow& row : kTypes) {
      if (*name == row.numpy_name) type_ = row.type;
    }
    if (type_) return {};
    if (name->starts_with('>')) {
      return make_error(ErrorCode::kUnsupported,
                        "'{}': big-endian numbers ('{}') are not read; numpy's "
                        "array.astype('<{}') makes them little-endian",
                        name_, graph::printable(*name), graph::printable(name->substr(1)));
    }
    if (name->find('O') != std::string_view::npos) {
      return make_error(ErrorCode::kUnsupported, "'{}': Python objects ('{}') are not read", name_,
                        graph::printable(*name));
    }
    std::string known;
    for (const TypeRow& row : kTypes) known += fmt::format(" {}", row.numpy_name);
    return make_error(ErrorCode::kUnsupported, "'{}': elements of type '{}' are not read, only{}",
                      name_, graph::printable(*name), known);
  }

  Status read_shape() {
    if (!take('(')) return damaged("gives a shape that is no tuple");
    ArrayShape shape;
    while (!take(')')) {
      int64_t extent = 0;
      skip_spaces();
      const char* begin = text_.data() + position_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), extent);
      if (error != std::errc{} || extent < 0) return damaged("gives an extent that is no number");
      position_ += static_cast<size_t>(end - begin);
      take('L');  // how Python 2 wrote long integers
      if (shape.size() == kMaximumAxes) {
        return damaged(fmt::format("gives more than {} axes", kMaximumAxes));
      }
      shape.push_back(extent);
      if (take(',')) continue;
      if (!take(')')) return damaged("gives a shape without an end");
      break;
    }
    shape_ = std::move(shape);
    return {};
  }

  void skip_spaces() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) {
      ++position_;
    }
  }
  bool take(char expected) {
    skip_spaces();
    if (position_ == text_.size() || text_[position_] != expected) return false;
    ++position_;
    return true;
  }
  bool take_word(std::string_view word) {
    skip_spaces();
    if (!text_.substr(position_).starts_with(word)) return false;
    position_ += word.size();
    return true;
  }
  std::optional<std::string_view> take_string() {
    skip_spaces();
    if (position_ == text_.size()) return std::nullopt;
    const char quote = text_[position_];
    if (quote != '\'' && quote != '"') return std::nullopt;
    const size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view content = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return content;
  }

  tl::unexpected<Error> damaged(std::string_view how) const {
    return make_error(ErrorCode::kInvalidArgument, "'{}': damaged: the header {}", name_, how);
  }

  std::string_view text_;
  const std::string& name_;
  size_t position_ = 0;
  std::optional<NumberType> type_;
  std::optional<bool> is_fortran_order_;
  std::optional<ArrayShape> shape_;
};

// The numbers of an array whose first axis is innermost, in the order in which the last one is.
std::vector<std::byte> turned_around(std::span<const std::byte> data,
                                     std::span<const int64_t> shape, size_t element_size) {
  std::vector<size_t> strides(shape.size());  // in the source, in bytes
  size_t stride = element_size;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    strides[axis] = stride;
    stride *= static_cast<size_t>(shape[axis]);
  }
  std::vector<std::byte> result(data.size());
  std::vector<int64_t> index(shape.size(), 0);
  size_t source = 0;
  for (size_t target = 0; target < result.size(); target += element_size) {
    std::memcpy(result.data() + target, data.data() + source, element_size);
    for (size_t axis = shape.size(); axis-- > 0;) {
      source += strides[axis];
      if (++index[axis] < shape[axis]) break;
      source -= strides[axis] * static_cast<size_t>(shape[axis]);
      index[axis] = 0;
    }
  }
  return result;
}

template <typename T>
std::vector<float> converted(std::span<const std::byte> data) {
  std::vector<float> values(data.size() / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<float>(value);
  }
  return values;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

size_t number_size(NumberType type) { return row_of(type).size; }

std::string_view numpy_name(NumberType type) { return row_of(type).numpy_name; }

std::optional<NumberType> number_type_of(graph::DataType tensor) {
  switch (tensor) {
    case graph::DataType::kInt8:
      return NumberType::kInt8;
    case graph::DataType::kUint8:
      return NumberType::kUint8;
    case graph::DataType::kInt16:
      return NumberType::kInt16;
    case graph::DataType::kInt32:
      return NumberType::kInt32;
    case graph::DataType::kInt64:
      return NumberType::kInt64;
    case graph::DataType::kFloat16:
      return NumberType::kFloat16;
    case graph::DataType::kFloat32:
      return NumberType::kFloat32;
    case graph::DataType::kBool:
      return NumberType::kBool;
    case graph::DataType::kOther:
      break;
  }
  return std::nullopt;
}

std::string array_shape_to_string(std::span<const int64_t> shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (const int64_t extent : shape) text += fmt::format("{}{}", text.empty() ? "" : "x", extent);
  return text;
}

std::vector<float> real_values(NumberType type, std::span<const std::byte> data) {
  switch (type) {
    case NumberType::kBool: {
      std::vector<float> values = converted<uint8_t>(data);
      for (float& value : values) value = value != 0 ? 1.0f : 0.0f;
      return values;
    }
    case NumberType::kInt8:
      return converted<int8_t>(data);
    case NumberType::kUint8:
      return converted<uint8_t>(data);
    case NumberType::kInt16:
      return converted<int16_t>(data);
    case NumberType::kInt32:
      return converted<int32_t>(data);
    case NumberType::kInt64:
      return converted<int64_t>(data);
    case NumberType::kFloat16: {
      std::vector<float> values(data.size() / sizeof(uint16_t));
      for (size_t i = 0; i < values.size(); ++i) {
        uint16_t bits = 0;
        std::memcpy(&bits, data.data() + i * sizeof(bits), sizeof(bits));
        values[i] = numerics::float16_to_float(bits);
      }
      return values;
    }
    case NumberType::kFloat32:
      return converted<float>(data);
    case NumberType::kFloat64:
      return converted<double>(data);
  }
  return {};
}

Result<NpyHeader> parse_npy_header(std::span<const std::byte> bytes, const std::string& name) {
  if (bytes.size() <= kVersionEnd || !as_text(bytes).starts_with(kMagic)) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is not a .npy file", name);
  }
  const auto major = std::to_integer<uint32_t>(bytes[kVersionEnd - 2]);
  const auto minor = std::to_integer<uint32_t>(bytes[kVersionEnd - 1]);
  if (major < 1 || major > 3 || minor != 0) {
    return make_error(ErrorCode::kUnsupported,
                      "'{}': version {}.{} of the .npy format is not known (1.0 to 3.0 are)", name,
                      major, minor);
  }
  const size_t length_size = major == 1 ? 2 : 4;
  const size_t begin = kVersionEnd + length_size;
  size_t length = 0;
  for (size_t i = 0; i < length_size && kVersionEnd + i < bytes.size(); ++i) {
    length |= std::to_integer<size_t>(bytes[kVersionEnd + i]) << (8 * i);
  }
  if (begin > bytes.size() || length > std::min(bytes.size(), kMaximumNpyHeader) - begin) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}': damaged: a header of {} bytes does not fit", name, length);
  }
  auto header = HeaderReader(as_text(bytes.subspan(begin, length)), name).read();
  if (!header) return header;
  header->data_offset = begin + length;
  return header;
}

Result<NumberArray> parse_npy(std::span<const std::byte> bytes, const std::string& name) {
  auto header = parse_npy_header(bytes, name);
  if (!header) return tl::unexpected(header.error());
  const std::span<const std::byte> data = bytes.subspan(header->data_offset);
  if (data.size() != header->data_size) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}': damaged: {} bytes of numbers, where {} of {} have {}", name,
                      data.size(), array_shape_to_string(header->shape), numpy_name(header->type),
                      header->data_size);
  }
  NumberArray array{.type = header->type, .shape = std::move(header->shape), .data = {}};
  if (header->is_fortran_order) {
    array.data = turned_around(data, array.shape, number_size(array.type));
  } else {
    array.data.assign(data.begin(), data.end());
  }
  return array;
}

Result<NumberArray> read_npy(const std::filesystem::path& path) {
  const auto bytes = graph::read_file_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  return parse_npy(*bytes, path.string());
}

std::vector<std::byte> npy_bytes(const NumberArray& array) {
  // A tuple of one keeps its comma: (3,).
  const std::string shape =
      fmt::format("{}{}", fmt::join(array.shape, ", "), array.shape.size() == 1 ? "," : "");
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                 numpy_name(array.type), shape);
  const size_t begin = kVersionEnd + 2;
  const size_t end =
      (begin + text.size() + 1 + kDataAlignment - 1) / kDataAlignment * kDataAlignment;
  text.resize(end - begin - 1, ' ');
  text += '\n';

  std::string file(kMagic);
  file += '\x01';
  file += '\x00';
  file += static_cast<char>(text.size() & 0xff);
  file += static_cast<char>(text.size() >> 8);
  file += text;
  const auto* first = reinterpret_cast<const std::byte*>(file.data());
  std::vector<std::byte> bytes(first, first + file.size());
  bytes.insert(bytes.end(), array.data.begin(), array.data.end());
  return bytes;
}

Status write_npy(const NumberArray& array, const std::filesystem::path& path) {
  return delegate::write_whole_file(path.string(), as_text(npy_bytes(array)), "the array");
}

}  // namespace lockstep::tools
