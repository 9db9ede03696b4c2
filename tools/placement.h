// The delegate plugin's report (its option `report`), for people.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace lockstep::tools {

// Prints the device and, for every operator, where it runs and why.
void print_placement(const nlohmann::json& report);

}  // namespace lockstep::tools
