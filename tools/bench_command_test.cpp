// `lockstep bench` and `lockstep profile` as a user meets them: exit codes, messages, files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "graph/testing/graph_builder.h"
#include "graph/testing/sample_graphs.h"
#include "graph/tflite_writer.h"
#include "tools/testing/command_test.h"

namespace lockstep::tools {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using testing::lockstep;
using testing::Outcome;

// A folder with a small network. The caches of tests stay in it.
class BenchCommand : public testing::CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    const auto bytes = graph::write_tflite(graph::testing::sample_network());
    ASSERT_TRUE(bytes) << bytes.error().message;
    write("small.tflite", *bytes);
  }

  // "COMMAND --no-progress --cache-dir '' ..."
  Outcome bench(const std::string& command, const std::string& arguments) const {
    return lockstep("bench " + command +
                    " --no-progress --cache-dir '' --quick --minimum-time 0.0001 " + arguments);
  }
  // Of the device that --device would take; empty where there is only the reference.
  static bool has_vulkan() {
    return lockstep("devices").text.find(" vulkan ") != std::string::npos;
  }
};

TEST_F(BenchCommand, LayersWriteTableJsonAndPage) {
  const Outcome outcome = bench("layers", "--device ref --filter ^ds_cnn --json '" +
                                              path("l.json") + "' --html '" + path("l.html") + "'");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("ds_cnn/conv_10x4_s2_49x10x1_to_64/batch_1"));
  EXPECT_THAT(outcome.text, HasSubstr("roofline  not measured"));
  const json report = read_json("l.json");
  EXPECT_EQ(report.at("schema"), "lockstep-bench");
  EXPECT_EQ(report.at("command"), "layers");
  EXPECT_EQ(report.at("filter"), "^ds_cnn");
  EXPECT_EQ(report.at("layer_benchmark").at("device").at("backend"), "ref");
  const json& layers = report.at("layer_benchmark").at("layers");
  std::set<std::string> names;
  for (const json& layer : layers) {
    EXPECT_TRUE(names.insert(layer.at("name")).second) << layer.at("name");
    EXPECT_GT(layer.at("variants")[0].at("time").at("median_seconds"), 0.0);
  }
  EXPECT_EQ(names.size(), 4u);
  EXPECT_TRUE(exists("l.html"));
}

TEST_F(BenchCommand, LayersOfAModelAndAListOfNames) {
  const Outcome model =
      bench("layers", "--device ref --model '" + path("small.tflite") + "' --batch 3");
  EXPECT_EQ(model.exit_code, 0) << model.text;
  EXPECT_THAT(model.text, HasSubstr("small/"));
  EXPECT_THAT(model.text, HasSubstr("/batch_3"));
  const Outcome list = lockstep("bench layers --list --batch 1");
  EXPECT_EQ(list.exit_code, 0);
  EXPECT_EQ(std::count(list.text.begin(), list.text.end(), '\n'), 31 + 24 + 50 + 4);
}

TEST_F(BenchCommand, DeviceFindsTheRoofline) {
  if (!has_vulkan()) GTEST_SKIP() << "no Vulkan device";
  const Outcome outcome = bench("device", "--filter 'shifts|memory/copy' --json -");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const json report = json::parse(outcome.text);
  const json& device = report.at("device_benchmark");
  EXPECT_EQ(device.at("roofline").at("peak_form"), "shifts");
  ASSERT_EQ(device.at("measurements").size(), 2u);
  for (const json& measurement : device.at("measurements")) {
    EXPECT_GT(measurement.at("value"), 0.0);
    EXPECT_GT(measurement.at("time").at("samples"), 0);
  }
}

TEST_F(BenchCommand, DeviceComparesTheProcessorsGemmWithItsPeak) {
  const Outcome outcome =
      bench("device", "--device cpu --threads 1 --filter 'multiply-add|memory/read|gemm' --json -");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const json device = json::parse(outcome.text).at("device_benchmark");
  EXPECT_EQ(device.at("device").at("backend"), "cpu");
  EXPECT_GT(device.at("roofline").at("peak_gops"), 0.0);
  size_t gemms = 0;
  for (const json& measurement : device.at("measurements")) {
    const std::string name = measurement.at("name");
    if (!name.starts_with("gemm/512-")) continue;
    ++gemms;
    EXPECT_GT(measurement.at("percent_of_peak"), 0.0) << name;
  }
  EXPECT_GT(gemms, 0u);
}

TEST_F(BenchCommand, DeviceMeasuresLayersOfTheReference) {
  const Outcome outcome = bench("device", "--device ref --filter depthwise");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("depthwise/3x3"));
  EXPECT_THAT(outcome.text, HasSubstr("host clock, whole runs"));
}

TEST_F(BenchCommand, GrowthFitsSlopes) {
  const Outcome outcome = bench("growth", "--device ref --json '" + path("g.json") + "'");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("multiplications alone"));
  const json growth = read_json("g.json").at("growth_benchmark");
  EXPECT_EQ(growth.at("points").size(), 8u);
  ASSERT_EQ(growth.at("axes").size(), 3u);
  EXPECT_EQ(growth.at("axes")[0].at("name"), "size");
  EXPECT_TRUE(growth.at("power_law").contains("r_squared"));
}

TEST_F(BenchCommand, ModelsCompareWithWhoeverIsThere) {
  const Outcome outcome =
      bench("models", "--device ref --starts 1 --contender lockstep --contender builtin-1 '" +
                          path("small.tflite") + "' --json '" + path("m.json") + "'");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.text;
  const json model = read_json("m.json").at("model_benchmark").at("models").at(0);
  ASSERT_EQ(model.at("contenders").size(), 2u);
  const json& ours = model.at("contenders")[0];
  EXPECT_EQ(ours.at("name"), "lockstep");
  EXPECT_GT(ours.at("latency").at("median_seconds"), 0.0);
  for (const char* start : {"cold_start", "warm_start"}) {
    EXPECT_GT(ours.at(start).at("seconds"), 0.0) << start;
    EXPECT_GT(ours.at(start).at("peak_bytes"), 1 << 20) << start;
  }
  const json& theirs = model.at("contenders")[1];
  if (theirs.contains("unavailable")) {
    EXPECT_THAT(outcome.text, HasSubstr("no TensorFlow Lite library"));
  } else {
    EXPECT_EQ(ours.at("same_bits"), true);
    EXPECT_GT(ours.at("times_as_fast_as").at("builtin-1"), 0.0);
  }
}

TEST_F(BenchCommand, ProfileWritesTableTraceAndJson) {
  if (!has_vulkan()) GTEST_SKIP() << "no Vulkan device";
  const Outcome outcome = lockstep("profile --cache-dir '' --no-roofline --runs 3 --sort time '" +
                                   path("small.tflite") + "' --trace '" + path("t.json") +
                                   "' --json '" + path("p.json") + "'");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("CONV_2D"));
  EXPECT_THAT(outcome.text, HasSubstr("A profiled run takes"));
  const json profile = read_json("p.json");
  EXPECT_EQ(profile.at("schema"), "lockstep-profile");
  EXPECT_EQ(profile.at("runs"), 3);
  EXPECT_FALSE(profile.at("device").at("name").get<std::string>().empty());
  EXPECT_TRUE(profile.at("roofline").is_null());
  double share = 0;
  size_t timed = 0;
  for (size_t i = 0; i < profile.at("operators").size(); ++i) {
    const json& op = profile.at("operators")[i];
    EXPECT_EQ(op.at("operator"), i);
    if (!op.contains("kernel")) continue;
    share += op.at("share").get<double>();
    timed += op.at("dispatches") > 0 ? 1 : 0;
    if (op.at("dispatches") > 0) {
      EXPECT_GT(op.at("median_seconds"), 0.0);
      EXPECT_GT(op.at("bytes"), 0);
    }
  }
  EXPECT_GT(timed, 3u);
  EXPECT_LE(share, 1.0 + 1e-9);
  EXPECT_GT(share, 0.3);
  size_t slices = 0;
  const json trace = read_json("t.json");
  for (const json& event : trace.at("traceEvents")) slices += event.at("ph") == "X";
  EXPECT_GE(slices, 3 * timed);
}

TEST_F(BenchCommand, ProfileSaysWhatAnOperatorIsFusedInto) {
  if (!has_vulkan()) GTEST_SKIP() << "no Vulkan device";
  graph::testing::GraphBuilder builder("uint8 at the border");
  const int32_t image = builder.input("image", graph::DataType::kUint8, {1, 6, 6, 4},
                                      graph::testing::per_tensor(0.5f, 127));
  const int32_t moved =
      builder.quantize(image, graph::DataType::kInt8, graph::testing::per_tensor(0.5f, -1));
  const int32_t sum = builder.add(moved, moved, graph::testing::per_tensor(1.0f, 3));
  const auto bytes = graph::write_tflite(builder.build({sum}));
  ASSERT_TRUE(bytes) << bytes.error().message;
  write("border.tflite", *bytes);
  const Outcome outcome = lockstep("profile --cache-dir '' --no-roofline --runs 1 '" +
                                   path("border.tflite") + "' --json '" + path("b.json") + "'");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const json operators = read_json("b.json").at("operators");
  EXPECT_EQ(operators.at(0).at("kernel"), "fused into the host's copies");
  EXPECT_EQ(operators.at(0).at("dispatches"), 0);
  EXPECT_GT(operators.at(1).at("dispatches"), 0);
}

TEST_F(BenchCommand, ProfileSaysWhichDeviceCannotTell) {
  const Outcome outcome = lockstep("profile --device ref '" + path("small.tflite") + "'");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.text, HasSubstr("reference"));
}

TEST_F(BenchCommand, HelpNamesTheCommands) {
  EXPECT_THAT(lockstep("--help").text, ::testing::AllOf(HasSubstr("bench"), HasSubstr("profile")));
  EXPECT_EQ(lockstep("profile --help").exit_code, 0);
  const Outcome help = lockstep("bench --help");
  EXPECT_EQ(help.exit_code, 0);
  for (const char* command : {"device", "layers", "models", "growth"}) {
    EXPECT_THAT(help.text, HasSubstr(command));
    EXPECT_EQ(lockstep(std::string("bench ") + command + " --help").exit_code, 0) << command;
  }
}

TEST_F(BenchCommand, MistakesNameWhatIsWrong) {
  const std::pair<std::string, std::string> mistakes[] = {
      {"bench", "subcommand"},
      {"bench layers --device ref --filter vgg", "vgg"},
      {"bench layers --device ref --filter '('", "regular expression"},
      {"bench layers --device ref --variants some", "variants"},
      {"bench layers --model /nonexistent.tflite", "/nonexistent.tflite"},
      {"bench growth --device ref --filter depth_99", "depth_99"},
      {"bench device --device ref --filter teleport", "teleport"},
      {"bench device --device nothing-like-this", "nothing-like-this"},
      {"bench models /nonexistent.tflite", "/nonexistent.tflite"},
      {"bench models --contender nobody '" + path("small.tflite") + "'", "nobody"},
      {"bench models --filter nobody '" + path("small.tflite") + "'", "nobody"},
      {"profile /nonexistent.tflite", "/nonexistent.tflite"}};
  for (const auto& [arguments, message] : mistakes) {
    const Outcome outcome = lockstep(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments << ": " << outcome.text;
    EXPECT_THAT(outcome.text, HasSubstr(message)) << arguments;
  }
}

TEST_F(BenchCommand, AFileThatCannotBeWrittenIsNamedAndNothingIsLeft) {
  const Outcome outcome = bench(
      "growth", "--device ref --filter size_8/batch_1 --json '" + path("absent/g.json") + "'");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.text, HasSubstr("absent/g.json"));
  EXPECT_FALSE(exists("absent"));
}

}  // namespace
}  // namespace lockstep::tools
