#include "delegate_api/tflite/placement_report.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace lockstep::delegate {
namespace {

PlacementReport example() {
  PlacementReport report;
  report.device.backend = "vulkan";
  report.device.name = "a \"device\"";
  report.numerics = "tflite";
  SubgraphPlacement& subgraph = report.subgraph(&report);
  subgraph.partitions = 1;
  subgraph.nodes = {{4, "CONV_2D", "conv\xff", 0, "1x1", ""},
                    {5, "SOFTMAX", "scores", -1, "", "only hosts compute it"}};
  return report;
}

TEST(PlacementReport, JsonHasWhatTheHeaderPromises) {
  const auto json = nlohmann::json::parse(to_json(example()));
  EXPECT_EQ(json.at("backend"), "vulkan");
  EXPECT_EQ(json.at("device"), "a \"device\"");
  EXPECT_EQ(json.at("numerics"), "tflite");
  EXPECT_EQ(json.at("problem"), "");
  const auto& subgraph = json.at("subgraphs").at(0);
  EXPECT_EQ(subgraph.at("partitions"), 1);
  EXPECT_EQ(subgraph.at("nodes").at(0).at("index"), 4);
  EXPECT_EQ(subgraph.at("nodes").at(0).at("variant"), "1x1");
  EXPECT_EQ(subgraph.at("nodes").at(1).at("partition"), -1);
  EXPECT_EQ(subgraph.at("nodes").at(1).at("reason"), "only hosts compute it");
}

TEST(PlacementReport, SubgraphsAreToldApartByTheirContext) {
  PlacementReport report = example();
  int other = 0;
  report.subgraph(&other);
  EXPECT_EQ(&report.subgraph(&other), &report.subgraphs[1]);
  EXPECT_EQ(report.subgraphs.size(), 2u);
}

TEST(PlacementReport, AFileIsReplacedAsAWhole) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "placement_report_test.json";
  ASSERT_TRUE(write_report(PlacementReport(), path.string()));
  ASSERT_TRUE(write_report(example(), path.string()));
  std::ifstream file(path);
  EXPECT_EQ(nlohmann::json::parse(file).at("subgraphs").size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".partial"));
  std::filesystem::remove(path);
}

TEST(PlacementReport, AFileThatCannotBeWrittenIsAnError) {
  const auto status = write_report(example(), "/nowhere/at/all.json");
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, ::testing::HasSubstr("/nowhere/at/all.json"));

  const auto folder = std::filesystem::path(::testing::TempDir()) / "placement_report_test_folder";
  std::filesystem::create_directories(folder);
  EXPECT_FALSE(write_report(example(), folder.string()));
  EXPECT_FALSE(std::filesystem::exists(folder.string() + ".partial"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace lockstep::delegate
