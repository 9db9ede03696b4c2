#include "conformance/generators/contents.h"

#include "graph/lowered_graph.h"

namespace lockstep::conformance {

std::string_view pattern_name(Pattern pattern) {
  switch (pattern) {
    case Pattern::kRandom:
      return "random";
    case Pattern::kAllMinimum:
      return "all_minimum";
    case Pattern::kAllMaximum:
      return "all_maximum";
    case Pattern::kAlternating:
      return "alternating";
    case Pattern::kRamp:
      return "ramp";
    case Pattern::kOneHot:
      return "one_hot";
  }
  return "unknown";
}

std::vector<int8_t> make_contents(Pattern pattern, size_t count, int32_t zero_point,
                                  Random& random) {
  std::vector<int8_t> values(count);
  if (pattern == Pattern::kOneHot) {
    values.assign(count, static_cast<int8_t>(zero_point));
    if (count > 0) {
      const int8_t far_end = zero_point > 0 ? int8_t{-128} : int8_t{127};
      values[static_cast<size_t>(random.next() % count)] = far_end;
    }
    return values;
  }
  for (size_t i = 0; i < count; ++i) {
    switch (pattern) {
      case Pattern::kAllMinimum:
        values[i] = -128;
        break;
      case Pattern::kAllMaximum:
        values[i] = 127;
        break;
      case Pattern::kAlternating:
        values[i] = i % 2 == 0 ? int8_t{-128} : int8_t{127};
        break;
      case Pattern::kRamp:
        values[i] = static_cast<int8_t>(static_cast<int32_t>(i % 256) - 128);
        break;
      case Pattern::kRandom:
      case Pattern::kOneHot:
        values[i] = random.byte();
        break;
    }
  }
  return values;
}

std::vector<std::byte> bytes_of(graph::DataType type, std::span<const int8_t> values) {
  std::vector<std::byte> bytes(values.size());
  graph::from_stored(type, std::as_bytes(values).data(), bytes.data(), bytes.size());
  return bytes;
}

}  // namespace lockstep::conformance
