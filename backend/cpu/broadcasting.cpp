#include "backend/cpu/broadcasting.h"

#include <algorithm>

namespace lockstep::backend::cpu {

Broadcasting::Broadcasting(const graph::BroadcastExtents& extents) {
  // From the innermost dimension on; `last` is the one that grows.
  size_t last = 4;
  for (size_t i = 4; i-- > 0;) {
    const int64_t extent = extents.output[i];
    const int64_t left_stride = extents.left_strides[i];
    const int64_t right_stride = extents.right_strides[i];
    if (extent == 1) continue;
    if (last < 4 && left_stride == left_strides_[last] * extents_[last] &&
        right_stride == right_strides_[last] * extents_[last]) {
      extents_[last] *= extent;
      continue;
    }
    --last;
    extents_[last] = extent;
    left_strides_[last] = left_stride;
    right_strides_[last] = right_stride;
  }
}

OperandRows Broadcasting::rows_at(Range range) const {
  const int64_t columns = extents_[3];
  const int64_t column = range.begin % columns;
  const int64_t row = range.begin / columns;
  const std::array<int64_t, 4> position = {
      row / extents_[2] / extents_[1], row / extents_[2] % extents_[1], row % extents_[2], column};
  OperandRows rows{.rows = 1,
                   .columns = std::min(columns - column, range.size()),
                   .output = range.begin,
                   .left_stride = left_strides_[2],
                   .right_stride = right_strides_[2]};
  if (column == 0 && range.size() >= columns) {
    rows.rows = std::min(extents_[2] - position[2], range.size() / columns);
  }
  for (size_t i = 0; i < 4; ++i) {
    rows.left += position[i] * left_strides_[i];
    rows.right += position[i] * right_strides_[i];
  }
  return rows;
}

}  // namespace lockstep::backend::cpu
