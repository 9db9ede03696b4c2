// Lists as users write them in one option.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lockstep::delegate {

// "A,B" -> {"A", "B"}; surrounding spaces and empty entries are dropped.
std::vector<std::string> split_list(std::string_view text);

}  // namespace lockstep::delegate
