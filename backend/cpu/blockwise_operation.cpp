#include "backend/cpu/blockwise_operation.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep::backend::cpu {

BlockCut::BlockCut(int64_t rows, int64_t columns, double nanoseconds, const Target& target)
    : rows_(rows), columns_(columns) {
  const int64_t column_blocks = (columns + kAlignment - 1) / kAlignment;
  const int64_t tasks = task_count(rows * column_blocks, nanoseconds, target);
  if (tasks <= 1) return;
  row_parts_ = std::min(rows, tasks);
  column_parts_ = std::min(column_blocks, (tasks + row_parts_ - 1) / row_parts_);
}

Block BlockCut::block(int64_t task) const {
  const int64_t column_blocks = (columns_ + kAlignment - 1) / kAlignment;
  const Range blocks = part(column_blocks, column_parts_, task % column_parts_);
  return {.rows = part(rows_, row_parts_, task / column_parts_),
          .columns = {blocks.begin * kAlignment, std::min(blocks.end * kAlignment, columns_)}};
}

BlockwiseOperation::BlockwiseOperation(std::string_view name, const Target& target,
                                       const BlockCut& cut)
    : variant_(fmt::format("{} {}", name, isa_name(least_isa(vector_extension(target.isa))))),
      cut_(cut) {}

}  // namespace lockstep::backend::cpu
