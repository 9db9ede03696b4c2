// The SPIR-V modules of the device benchmarks, part of the program itself.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace lockstep::bench {

// The words of the module called `name` (CMakeLists.txt lists the names); empty when there is none.
// Lives as long as the program.
std::span<const std::uint32_t> find_module(std::string_view name);

}  // namespace lockstep::bench
