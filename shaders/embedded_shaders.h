// The SPIR-V modules of this build, part of the program itself.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lockstep::shaders {

// The words of the module called `name` (CMakeLists.txt lists the names); empty when there is none.
// Lives as long as the program.
std::span<const std::uint32_t> find(std::string_view name);

// All names, in the order of CMakeLists.txt.
std::vector<std::string_view> names();

}  // namespace lockstep::shaders
