// Where the operands of an element-wise operation lie for each element of its dense output.
#pragma once

#include <array>
#include <cstdint>

#include "backend/cpu/operation.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend::cpu {

// Rows of the output that lie behind one another, and what of the operands belongs to them: offsets
// of the first row's first element, and strides from a row to the next one.
struct OperandRows {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t output = 0;
  int64_t left = 0;
  int64_t right = 0;
  int64_t left_stride = 0;
  int64_t right_stride = 0;
};

class Broadcasting {
 public:
  // Neighbouring dimensions that both operands run through alike become one.
  explicit Broadcasting(const graph::BroadcastExtents& extents);

  int64_t elements() const { return extents_[0] * extents_[1] * extents_[2] * extents_[3]; }

  // Whether one element of the right operand belongs to all columns of a row: else, its neighbours
  // do.
  bool right_repeats() const { return right_strides_[3] == 0; }

  // Whether the left operand's elements or rows repeat more closely than the right one's.
  bool left_repeats_more() const {
    return left_strides_[3] == 0 ||
           (right_strides_[3] != 0 && left_strides_[2] == 0 && right_strides_[2] != 0);
  }

  // Calls visit(OperandRows) until all of the output's elements of `range` were in one.
  template <typename Visit>
  void for_each_rows(Range range, Visit visit) const {
    while (range.begin < range.end) {
      const OperandRows rows = rows_at(range);
      visit(rows);
      range.begin += rows.rows * rows.columns;
    }
  }

 private:
  // As many of the first elements as are in rows of one kind.
  OperandRows rows_at(Range range) const;

  std::array<int64_t, 4> extents_{1, 1, 1, 1};
  std::array<int64_t, 4> left_strides_{0, 0, 0, 1};
  std::array<int64_t, 4> right_strides_{0, 0, 0, 1};
};

}  // namespace lockstep::backend::cpu
