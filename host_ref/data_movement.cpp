#include "host_ref/data_movement.h"

#include <algorithm>

#include "host_ref/table.h"

namespace lockstep::host_ref {

void pad(const graph::LoweredPad& operation, std::span<const int8_t> input,
         std::span<int8_t> output) {
  std::fill(output.begin(), output.end(), operation.value);
  const auto& [in0, in1, in2, in3] = operation.input_extents;
  const auto& [out0, out1, out2, out3] = operation.output_extents;
  const auto& [before0, before1, before2, before3] = operation.before;
  auto source = input.begin();
  for (int64_t i0 = 0; i0 < in0; ++i0) {
    for (int64_t i1 = 0; i1 < in1; ++i1) {
      for (int64_t i2 = 0; i2 < in2; ++i2) {
        const int64_t row = ((i0 + before0) * out1 + i1 + before1) * out2 + i2 + before2;
        std::copy_n(source, in3, output.begin() + row * out3 + before3);
        source += in3;
      }
    }
  }
}

void concatenation(const graph::LoweredConcatenation& operation,
                   std::span<const std::span<const int8_t>> inputs, std::span<int8_t> output) {
  size_t next = 0;
  for (size_t row = 0; row < static_cast<size_t>(operation.outer); ++row) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto size = static_cast<size_t>(operation.axis_sizes[i]);
      const std::span<const int8_t> source = inputs[i].subspan(row * size, size);
      const std::span<int8_t> destination = output.subspan(next, size);
      if (operation.tables[i].empty()) {
        std::copy(source.begin(), source.end(), destination.begin());
      } else {
        apply_table(operation.tables[i], source, destination);
      }
      next += size;
    }
  }
}

void transposition(const graph::LoweredTransposition& operation, std::span<const int8_t> input,
                   std::span<int8_t> output) {
  auto source = input.begin();
  for (int64_t outer = 0; outer < operation.outer; ++outer) {
    for (int64_t row = 0; row < operation.rows; ++row) {
      for (int64_t column = 0; column < operation.columns; ++column) {
        const int64_t run = (outer * operation.columns + column) * operation.rows + row;
        std::copy_n(source, operation.inner, output.begin() + run * operation.inner);
        source += operation.inner;
      }
    }
  }
}

void reshape(std::span<const std::byte> input, std::span<std::byte> output) {
  std::copy(input.begin(), input.end(), output.begin());
}

}  // namespace lockstep::host_ref
