// PAD, CONCATENATION, RESHAPE, DEPTH_TO_SPACE, SPACE_TO_DEPTH.
#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "backend/cpu/blockwise_operation.h"
#include "backend/cpu/byte_table.h"
#include "backend/cpu/operations.h"
#include "backend/cpu/table_kernels.h"

namespace lockstep::backend::cpu {
namespace {

// Of bytes that are moved in runs.
constexpr double kNanosecondsPerByte = 0.05;
constexpr double kNanosecondsPerRun = 5.0;

double nanoseconds(int64_t bytes, int64_t runs) {
  return static_cast<double>(bytes) * kNanosecondsPerByte +
         static_cast<double>(runs) * kNanosecondsPerRun;
}

void copy(const uint8_t* from, int64_t count, uint8_t* to) {
  std::memcpy(to, from, static_cast<size_t>(count));
}

class Copy final : public BlockwiseOperation {
 public:
  Copy(const graph::LoweredReshape& reshape, int64_t bytes, const Target& target)
      : BlockwiseOperation("copy", target,
                           BlockCut::of_elements(bytes, nanoseconds(bytes, 1), target)),
        input_(reshape.input),
        output_(reshape.output) {}

 private:
  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    copy(elements<const uint8_t>(tensors, input_) + block.columns.begin, block.columns.size(),
         elements<uint8_t>(tensors, output_) + block.columns.begin);
  }

  int32_t input_;
  int32_t output_;
};

// A dimension of a padded tensor.
struct PaddedDimension {
  int64_t input = 1;
  int64_t output = 1;
  int64_t before = 0;
};

// Dimensions that are not padded become part of the one outside.
std::array<PaddedDimension, 4> merged_dimensions(const graph::LoweredPad& pad) {
  std::array<PaddedDimension, 4> merged;
  size_t last = 3;
  for (size_t i = 4; i-- > 0;) {
    const PaddedDimension outer = {pad.input_extents[i], pad.output_extents[i], pad.before[i]};
    PaddedDimension& inner = merged[last];
    if (inner.input == inner.output) {
      inner = {outer.input * inner.input, outer.output * inner.output, outer.before * inner.input};
    } else {
      merged[--last] = outer;
    }
  }
  return merged;
}

class Pad final : public BlockwiseOperation {
 public:
  Pad(const graph::LoweredPad& pad, const Target& target)
      : Pad(pad, merged_dimensions(pad), target) {}

 private:
  Pad(const graph::LoweredPad& pad, const std::array<PaddedDimension, 4>& dimensions,
      const Target& target)
      : BlockwiseOperation(
            "pad", target,
            BlockCut::of_rows(
                rows(dimensions),
                nanoseconds(rows(dimensions) * dimensions[3].output, rows(dimensions)), target)),
        input_(pad.input),
        output_(pad.output),
        dimensions_(dimensions),
        value_(to_byte(pad.value)) {}

  static int64_t rows(const std::array<PaddedDimension, 4>& dimensions) {
    return dimensions[0].output * dimensions[1].output * dimensions[2].output;
  }

  // The row of the input that lies in a row of the output.
  std::optional<int64_t> input_row(int64_t row) const {
    int64_t result = 0;
    int64_t stride = 1;
    for (size_t i = 3; i-- > 0;) {
      const PaddedDimension& dimension = dimensions_[i];
      const int64_t position = row % dimension.output - dimension.before;
      if (position < 0 || position >= dimension.input) return std::nullopt;
      result += position * stride;
      stride *= dimension.input;
      row /= dimension.output;
    }
    return result;
  }

  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const auto* input = elements<const uint8_t>(tensors, input_);
    const auto fill = [this](uint8_t* begin, int64_t count) {
      std::memset(begin, value_, static_cast<size_t>(count));
    };
    const PaddedDimension& columns = dimensions_[3];
    for (int64_t row = block.rows.begin; row < block.rows.end; ++row) {
      uint8_t* output = elements<uint8_t>(tensors, output_) + row * columns.output;
      const std::optional<int64_t> from = input_row(row);
      if (!from) {
        fill(output, columns.output);
        continue;
      }
      const int64_t end = columns.before + columns.input;
      fill(output, columns.before);
      copy(input + *from * columns.input, columns.input, output + columns.before);
      fill(output + end, columns.output - end);
    }
  }

  int32_t input_;
  int32_t output_;
  std::array<PaddedDimension, 4> dimensions_;
  uint8_t value_;
};

class Concatenation final : public BlockwiseOperation {
 public:
  Concatenation(const graph::LoweredConcatenation& concatenation, const Target& target)
      : BlockwiseOperation(
            "concatenation", target,
            BlockCut::of_elements(
                concatenation.outer * row_size(concatenation),
                nanoseconds(
                    concatenation.outer * row_size(concatenation),
                    concatenation.outer * static_cast<int64_t>(concatenation.axis_sizes.size())),
                target)),
        output_(concatenation.output),
        row_size_(row_size(concatenation)),
        kernels_(table_kernels(target.isa)) {
    int64_t begin = 0;
    for (size_t i = 0; i < concatenation.inputs.size(); ++i) {
      Piece& piece = pieces_.emplace_back();
      piece.input = concatenation.inputs[i];
      piece.columns = {begin, begin + concatenation.axis_sizes[i]};
      if (!concatenation.tables[i].empty()) piece.table = byte_table(concatenation.tables[i]);
      begin = piece.columns.end;
    }
  }

  int64_t constant_bytes() const override {
    return static_cast<int64_t>(pieces_.size() * sizeof(Piece));
  }

 private:
  struct Piece {
    int32_t input = 0;
    Range columns;  // of each row of the output
    std::optional<ByteToByte> table;
  };

  static int64_t row_size(const graph::LoweredConcatenation& concatenation) {
    int64_t size = 0;
    for (const int32_t axis_size : concatenation.axis_sizes) size += axis_size;
    return size;
  }

  void move(const Piece& piece, const uint8_t* from, int64_t count, uint8_t* to) const {
    if (piece.table) {
      kernels_.look_up(*piece.table, from, static_cast<size_t>(count), to);
    } else {
      copy(from, count, to);
    }
  }

  // Row by row, what of each piece is in the range.
  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const Range range = block.columns;
    if (range.size() <= 0) return;
    for (int64_t row = range.begin / row_size_; row * row_size_ < range.end; ++row) {
      uint8_t* output = elements<uint8_t>(tensors, output_) + row * row_size_;
      const Range wanted = {range.begin - row * row_size_, range.end - row * row_size_};
      for (const Piece& piece : pieces_) {
        const int64_t begin = std::max(piece.columns.begin, wanted.begin);
        const int64_t end = std::min(piece.columns.end, wanted.end);
        if (begin >= end) continue;
        move(piece,
             elements<const uint8_t>(tensors, piece.input) + row * piece.columns.size() + begin -
                 piece.columns.begin,
             end - begin, output + begin);
      }
    }
  }

  int32_t output_;
  int64_t row_size_;
  std::vector<Piece> pieces_;
  const TableKernels& kernels_;
};

// Output rows of the transposition: [outer][columns].
class Transposition final : public BlockwiseOperation {
 public:
  Transposition(const graph::LoweredTransposition& transposition, const Target& target)
      : BlockwiseOperation(
            "transposition", target,
            BlockCut::of_rows(int64_t{transposition.outer} * transposition.columns,
                              nanoseconds(transposition.elements(), int64_t{transposition.outer} *
                                                                        transposition.columns *
                                                                        transposition.rows),
                              target)),
        transposition_(transposition) {}

 private:
  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const int64_t rows = transposition_.rows;
    const int64_t columns = transposition_.columns;
    const int64_t inner = transposition_.inner;
    for (int64_t i = block.rows.begin; i < block.rows.end; ++i) {
      const int64_t outer = i / columns;
      const int64_t column = i % columns;
      const uint8_t* from = elements<const uint8_t>(tensors, transposition_.input) +
                            (outer * rows * columns + column) * inner;
      uint8_t* to = elements<uint8_t>(tensors, transposition_.output) + i * rows * inner;
      for (int64_t row = 0; row < rows; ++row) {
        copy(from + row * columns * inner, inner, to + row * inner);
      }
    }
  }

  graph::LoweredTransposition transposition_;
};

}  // namespace

OperationPointer make_copy(const graph::LoweredReshape& reshape, int64_t bytes,
                           const Target& target) {
  return std::make_unique<Copy>(reshape, bytes, target);
}

OperationPointer make_operation(const graph::LoweredPad& pad, const Target& target) {
  return std::make_unique<Pad>(pad, target);
}

OperationPointer make_operation(const graph::LoweredConcatenation& concatenation,
                                const Target& target) {
  return std::make_unique<Concatenation>(concatenation, target);
}

OperationPointer make_operation(const graph::LoweredTransposition& transposition,
                                const Target& target) {
  return std::make_unique<Transposition>(transposition, target);
}

}  // namespace lockstep::backend::cpu
