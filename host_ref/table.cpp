#include "host_ref/table.h"

#include <algorithm>
#include <cstddef>

namespace lockstep::host_ref {

void apply_table(std::span<const int8_t> table, std::span<const int8_t> input,
                 std::span<int8_t> output) {
  std::transform(input.begin(), input.end(), output.begin(),
                 [table](int8_t value) { return table[static_cast<size_t>(value + 128)]; });
}

}  // namespace lockstep::host_ref
