#include "tools/testing/partitions.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace lockstep::tools::testing {

void expect_heavy_operators_in_one_partition(const nlohmann::json& placement) {
  std::set<int> partitions;
  ASSERT_EQ(placement.at("subgraphs").size(), 1u);
  for (const auto& op : placement.at("subgraphs")[0].at("nodes")) {
    const std::string name = op.at("operator");
    if (name != "CONV_2D" && name != "DEPTHWISE_CONV_2D" && name != "FULLY_CONNECTED") continue;
    EXPECT_GE(op.at("partition").get<int>(), 0) << name << ": " << op.at("reason");
    partitions.insert(op.at("partition").get<int>());
  }
  EXPECT_EQ(partitions.size(), 1u);
}

}  // namespace lockstep::tools::testing
