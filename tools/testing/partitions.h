// What tests expect of where a network's operators run.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace lockstep::tools::testing {

// Of a placement as commands print it, with one subgraph: everything that multiplies by weights is
// in one partition.
void expect_heavy_operators_in_one_partition(const nlohmann::json& placement);

}  // namespace lockstep::tools::testing
