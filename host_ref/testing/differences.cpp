#include "host_ref/testing/differences.h"

#include <fmt/format.h>

#include <cstdint>

namespace lockstep::host_ref::testing {

std::string differences(const graph::Tensor& tensor, std::span<const std::byte> engine,
                        std::span<const std::byte> ours) {
  if (engine.size() != ours.size()) {
    return fmt::format("'{}': the engine made {} bytes, we {}", tensor.name, engine.size(),
                       ours.size());
  }
  size_t count = 0;
  size_t first = 0;
  for (size_t i = engine.size(); i-- > 0;) {
    if (engine[i] != ours[i]) {
      ++count;
      first = i;
    }
  }
  if (count == 0) {
    return "";
  }
  const auto shown = [&](std::byte value) {
    return tensor.type == graph::DataType::kInt8 ? int{static_cast<int8_t>(value)}
                                                 : int{static_cast<uint8_t>(value)};
  };
  return fmt::format("'{}': {} of {} bytes differ, the first at {}: the engine made {}, we {}",
                     tensor.name, count, engine.size(), first, shown(engine[first]),
                     shown(ours[first]));
}

}  // namespace lockstep::host_ref::testing
