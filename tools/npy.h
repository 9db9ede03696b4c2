// numpy's .npy files: one array of numbers each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/status.h"
#include "graph/tensor.h"

namespace lockstep::tools {

// The element types that are read and written.
enum class NumberType : uint8_t {
  kBool,
  kInt8,
  kUint8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kFloat32,
  kFloat64,
};

size_t number_size(NumberType type);                               // bytes
std::string_view numpy_name(NumberType type);                      // "|i1", "<f4"
std::optional<NumberType> number_type_of(graph::DataType tensor);  // nullopt for kOther

// A graph::Shape holds what a network takes; an array of samples may be longer.
using ArrayShape = std::vector<int64_t>;  // outermost first; empty for a single number
std::string array_shape_to_string(std::span<const int64_t> shape);  // "1000x28x28", "scalar"

struct NumberArray {
  NumberType type = NumberType::kFloat32;
  ArrayShape shape;
  std::vector<std::byte> data;  // little-endian, the last axis innermost
};

// The real numbers that little-endian bytes of `type` stand for, rounded to float32; false is 0 and
// true is 1. Precondition: whole elements.
std::vector<float> real_values(NumberType type, std::span<const std::byte> data);

// What stands in front of the numbers of a file.
struct NpyHeader {
  NumberType type = NumberType::kFloat32;
  ArrayShape shape;
  bool is_fortran_order = false;  // the first axis innermost
  size_t data_offset = 0;         // of the first number in the file
  size_t data_size = 0;           // bytes of all numbers
};

// More bytes than any header of an array of numbers has, whatever its version.
inline constexpr size_t kMaximumNpyHeader = size_t{1} << 16;

// Versions 1.0, 2.0 and 3.0 of the format. `bytes` begin a file and hold its header: the first
// kMaximumNpyHeader always do. Anything but little-endian numbers of the types above is refused
// (kUnsupported), and a header that is damaged (kInvalidArgument). `name` is what messages call the
// file.
Result<NpyHeader> parse_npy_header(std::span<const std::byte> bytes, const std::string& name);

// A whole file, which must end with the last number. Arrays in Fortran order are turned around.
Result<NumberArray> parse_npy(std::span<const std::byte> bytes, const std::string& name);
Result<NumberArray> read_npy(const std::filesystem::path& path);

// A file as numpy writes it: version 1.0, C order. Precondition: as much data as the shape says.
std::vector<std::byte> npy_bytes(const NumberArray& array);
// In whole or not at all.
Status write_npy(const NumberArray& array, const std::filesystem::path& path);

}  // namespace lockstep::tools
