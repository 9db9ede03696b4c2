#include "graph/lowered_graph.h"

#include <algorithm>

namespace lockstep::graph {
namespace {

void flip_sign_bit_of_uint8(DataType type, const std::byte* source, std::byte* destination,
                            size_t bytes) {
  if (type == DataType::kUint8) {
    std::transform(source, source + bytes, destination,
                   [](std::byte value) { return value ^ std::byte{0x80}; });
  } else if (source != destination) {
    std::copy_n(source, bytes, destination);
  }
}

struct InputsOf {
  std::vector<int32_t> operator()(const LoweredAdd& add) const { return {add.left, add.right}; }
  std::vector<int32_t> operator()(const LoweredMul& mul) const { return {mul.left, mul.right}; }
  std::vector<int32_t> operator()(const LoweredConcatenation& concatenation) const {
    return concatenation.inputs;
  }
  std::vector<int32_t> operator()(const auto& operation) const { return {operation.input}; }
};

}  // namespace

std::vector<int32_t> operation_inputs(const LoweredOperation& operation) {
  return std::visit(InputsOf{}, operation);
}

int32_t operation_output(const LoweredOperation& operation) {
  return std::visit([](const auto& any) { return any.output; }, operation);
}

// The two directions are the same function: q - 128 and q + 128 both flip the sign bit.
void to_stored(DataType type, const std::byte* source, std::byte* destination, size_t bytes) {
  flip_sign_bit_of_uint8(type, source, destination, bytes);
}

void from_stored(DataType type, const std::byte* source, std::byte* destination, size_t bytes) {
  flip_sign_bit_of_uint8(type, source, destination, bytes);
}

}  // namespace lockstep::graph
