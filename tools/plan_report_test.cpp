#include "tools/plan_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace lockstep::tools {
namespace {

using backend::ChosenBy;
using backend::PlannedTensor;
using backend::ProgramPlan;
using ::testing::HasSubstr;

// Three tensors in a row: the first and the third share memory.
ProgramPlan sample() {
  ProgramPlan plan;
  plan.operators = {{.source_operator = 0,
                     .kernel = "fast_kernel",
                     .chosen_by = ChosenBy::kTuning,
                     .dispatches = 1,
                     .constant_bytes = 64}};
  plan.tensors = {
      {{0}, PlannedTensor::Memory::kArena, 0, 200, 0, 1},
      {{2}, PlannedTensor::Memory::kArena, 0, 100, 2, 3, {5, 6}},
      {{1, 3}, PlannedTensor::Memory::kArena, 200, 200, 1, 2},
      {{4}, PlannedTensor::Memory::kConstants, 64, 16, 1, 1},
  };
  plan.arena_bytes = 400;
  plan.arena_lower_bound = 320;
  plan.constant_bytes = 80;
  return plan;
}

graph::Graph sample_graph() {
  graph::Graph graph;
  for (const char* name : {"a", "b", "c", "alias", "table", "left", "right"}) {
    graph.tensors.emplace_back().name = name;
  }
  graph.operators.emplace_back().name = "CONV_2D";
  return graph;
}

TEST(PlanReport, DrawsTheArenaWithTheLowestAddressesAtTheBottom) {
  EXPECT_EQ(arena_picture(sample(), 4, 100),
            "         300 |.CC.\n"
            "         200 |.CC.\n"
            "         100 |AA..\n"
            "           0 |AABB\n"
            "       bytes +---- steps 0 to 3\n");
}

TEST(PlanReport, ManyStepsShareColumns) {
  EXPECT_EQ(arena_picture(sample(), 2, 2),
            "         200 |CC\n"
            "           0 |AB\n"
            "       bytes +-- steps 0 to 3\n");
}

TEST(PlanReport, WithoutAnArenaThereIsNoPicture) {
  EXPECT_EQ(arena_picture(ProgramPlan{}, 4, 100), "");
}

TEST(PlanReport, TablesNameKernelsTensorsAndTotals) {
  const std::string kernels = kernel_table(sample_graph(), sample());
  EXPECT_THAT(kernels, HasSubstr("fast_kernel"));
  EXPECT_THAT(kernels, HasSubstr("tuning"));
  const std::string memory = memory_table(sample_graph(), sample());
  EXPECT_THAT(memory, HasSubstr("arena 400 bytes, 1.250 of the lower bound 320"));
  EXPECT_THAT(memory, HasSubstr("b = alias"));
  EXPECT_THAT(memory, HasSubstr("c of left, right"));
}

TEST(PlanReport, JsonHoldsThePlan) {
  const nlohmann::json json = plan_json(sample());
  EXPECT_EQ(json["arena_bytes"], 400);
  EXPECT_EQ(json["arena_lower_bound"], 320);
  EXPECT_EQ(json["operators"][0]["chosen_by"], "tuning");
  EXPECT_EQ(json["tensors"][1]["parts"], (std::vector<int>{5, 6}));
  EXPECT_EQ(json["tensors"][2]["tensors"], (std::vector<int>{1, 3}));
  EXPECT_EQ(json["tensors"][3]["memory"], "constants");
}

}  // namespace
}  // namespace lockstep::tools
