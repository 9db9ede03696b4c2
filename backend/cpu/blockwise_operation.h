// An operation whose tasks are blocks of a matrix: rows cut first, and columns where there are few
// rows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/cpu/operation.h"

namespace lockstep::backend::cpu {

struct Block {
  Range rows;
  Range columns;
};

// How `rows` times `columns` elements are cut.
class BlockCut {
 public:
  // `nanoseconds`: about what all of it takes.
  BlockCut(int64_t rows, int64_t columns, double nanoseconds, const Target& target);

  // Of elements in a row.
  static BlockCut of_elements(int64_t elements, double nanoseconds, const Target& target) {
    return {1, elements, nanoseconds, target};
  }
  // Of rows that stay whole.
  static BlockCut of_rows(int64_t rows, double nanoseconds, const Target& target) {
    return {rows, 1, nanoseconds, target};
  }

  int64_t tasks() const { return row_parts_ * column_parts_; }

  // Columns begin at multiples of kAlignment, so that tasks write to cache lines of their own.
  Block block(int64_t task) const;

 private:
  int64_t rows_;
  int64_t columns_;
  int64_t row_parts_ = 1;
  int64_t column_parts_ = 1;
};

class BlockwiseOperation : public Operation {
 public:
  std::string variant() const final { return variant_; }
  int64_t tasks() const final { return cut_.tasks(); }
  void run(int64_t task, TensorMemory tensors, std::byte* scratch) const final {
    run_block(cut_.block(task), tensors, scratch);
  }

 protected:
  // `name`: of what is computed, to which the variant adds the target's vectors.
  BlockwiseOperation(std::string_view name, const Target& target, const BlockCut& cut);

 private:
  virtual void run_block(const Block& block, TensorMemory tensors, std::byte* scratch) const = 0;

  std::string variant_;
  BlockCut cut_;
};

}  // namespace lockstep::backend::cpu
