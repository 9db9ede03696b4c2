// Which instruction set a device's kernels use.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "backend/cpu/isa.h"
#include "graph/status.h"

namespace lockstep::backend::cpu {

struct IsaChoice {
  Isa isa;
  std::vector<Isa> liars;  // better ones that failed the test
};

// The best of `executable` (ascending) that is not beyond `cap` and passes `test`. An empty cap is
// none. kInvalidArgument where the cap is no name, or one of another architecture;
// kDeviceUnavailable where none is left.
Result<IsaChoice> choose_isa(std::span<const Isa> executable, std::string_view cap,
                             const std::function<bool(Isa)>& test);

}  // namespace lockstep::backend::cpu
