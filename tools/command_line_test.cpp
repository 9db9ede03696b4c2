// The program as a user meets it: exit codes, messages, JSON.
#include <flatbuffers/flatbuffers.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "graph/testing/graph_builder.h"
#include "graph/tflite_writer.h"
#include "tools/testing/command_test.h"

namespace lockstep::tools {
namespace {

using graph::testing::GraphBuilder;
using graph::testing::per_tensor;
using ::testing::HasSubstr;
using testing::lockstep;
using ::testing::Not;
using testing::Outcome;

// A folder with a small network: conv, add with itself, softmax; batch may be resized.
class CommandLine : public testing::CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    GraphBuilder builder("small");
    const int32_t input =
        builder.input("image", graph::DataType::kInt8, {1, 6, 6, 3}, per_tensor(0.5f, -1));
    std::vector<int8_t> weights(4 * 3 * 3 * 3);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<int8_t>(i * 37);
    const int32_t filter = builder.constant<int8_t>("w", {4, 3, 3, 3}, weights, per_tensor(0.25f));
    const int32_t features =
        builder.conv_2d(input, filter, graph::kAbsentTensor, per_tensor(2.0f, 3));
    const int32_t sum = builder.add(features, features, per_tensor(4.0f, 0));
    const int32_t result = builder.softmax(sum, per_tensor(1.0f / 256.0f, -128));
    const auto bytes = graph::write_tflite(builder.build({result}));
    ASSERT_TRUE(bytes) << bytes.error().message;
    write("small.tflite", *bytes);
    auto damaged = *bytes;
    damaged.resize(damaged.size() / 2);
    write("damaged.tflite", damaged);
  }
  void write_network(const std::string& name, const graph::Graph& graph) const {
    const auto bytes = graph::write_tflite(graph);
    ASSERT_TRUE(bytes) << bytes.error().message;
    write(name, *bytes);
  }
};

TEST_F(CommandLine, HelpNamesEveryCommand) {
  const Outcome outcome = lockstep("--help");
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* command : {"devices", "inspect", "run", "verify", "demo"}) {
    EXPECT_THAT(outcome.text, HasSubstr(command));
    EXPECT_EQ(lockstep(std::string(command) + " --help").exit_code, 0) << command;
  }
}

TEST_F(CommandLine, MistakesAreErrorsThatSayWhatIsWrong) {
  EXPECT_EQ(lockstep("").exit_code, 2);
  EXPECT_EQ(lockstep("frobnicate").exit_code, 2);
  EXPECT_EQ(lockstep("run --nonsense " + path("small.tflite")).exit_code, 2);
  const Outcome absent = lockstep("run /nonexistent/model.tflite");
  EXPECT_EQ(absent.exit_code, 2);
  EXPECT_THAT(absent.text, HasSubstr("/nonexistent/model.tflite"));
  const Outcome numerics = lockstep("run --numerics exact " + path("small.tflite"));
  EXPECT_EQ(numerics.exit_code, 2);
  EXPECT_THAT(numerics.text, HasSubstr("litert"));
}

TEST_F(CommandLine, ADamagedModelIsRefusedByName) {
  for (const char* command : {"run --device ref ", "inspect --device ref ", "verify "}) {
    const Outcome outcome = lockstep(command + path("damaged.tflite"));
    EXPECT_EQ(outcome.exit_code, 2) << command;
    EXPECT_THAT(outcome.text, HasSubstr("damaged.tflite")) << command;
  }
}

TEST_F(CommandLine, UnknownDevicesAndMasksListWhatThereIs) {
  const Outcome device = lockstep("run --device nothing-like-this " + path("small.tflite"));
  EXPECT_EQ(device.exit_code, 2);
  EXPECT_THAT(device.text, HasSubstr("ref"));
  const Outcome mask = lockstep("run --mask wings " + path("small.tflite"));
  EXPECT_EQ(mask.exit_code, 2);
}

TEST_F(CommandLine, RunsOnTheReferenceAndReportsJson) {
  const Outcome outcome = lockstep("run --device ref --all-tensors --json " + path("small.tflite"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const auto report = nlohmann::json::parse(outcome.text, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << outcome.text;
  EXPECT_EQ(report.at("operators").size(), 3u);
  EXPECT_EQ(report.at("tensors").size(), 3u);
  for (const auto& tensor : report.at("tensors")) EXPECT_EQ(tensor.at("status"), "ok");
}

TEST_F(CommandLine, ASeedMeansTheSameTensorsEveryTime) {
  const auto digest = [&](const std::string& options) {
    const Outcome outcome = lockstep("run --device ref --json " + options + path("small.tflite"));
    const auto report = nlohmann::json::parse(outcome.text, nullptr, false);
    return report.is_discarded() ? outcome.text : report.at("tensors")[0].at("digest").dump();
  };
  EXPECT_EQ(digest("--seed 5 "), digest("--seed 5 "));
  EXPECT_NE(digest("--seed 5 "), digest("--seed 6 "));
}

TEST_F(CommandLine, NamesThatAreNotUtf8LeaveTheJsonWhole) {
  GraphBuilder builder("latin");
  const int32_t input =
      builder.input("caf\xe9\x1b[31m", graph::DataType::kInt8, {1, 4}, per_tensor(0.5f));
  write_network("latin.tflite", builder.build({builder.add(input, input, per_tensor(0.5f))}));
  for (const char* command : {"run --all-tensors", "inspect"}) {
    const Outcome outcome =
        lockstep(std::string(command) + " --device ref --json " + path("latin.tflite"));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.text;
    EXPECT_FALSE(nlohmann::json::parse(outcome.text, nullptr, false).is_discarded()) << command;
  }
  EXPECT_THAT(lockstep("inspect --device ref " + path("latin.tflite")).text, Not(HasSubstr("\x1b")))
      << "a name must not command the terminal";
}

// Our writer writes no such file: one of a MUL is changed, by the position of fields in the schema.
TEST_F(CommandLine, AnOperatorMayLackAnOutput) {
  GraphBuilder builder("lacking");
  const int32_t input = builder.input("x", graph::DataType::kInt8, {1, 4}, per_tensor(0.5f));
  const int32_t product = builder.mul(input, input, per_tensor(0.5f));
  auto file = graph::write_tflite(builder.build({product}));
  ASSERT_TRUE(file) << file.error().message;
  const auto field = [](int position) {
    return static_cast<flatbuffers::voffset_t>(4 + 2 * position);
  };
  using Tables = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::Table>>;
  using Indices = flatbuffers::Vector<int32_t>;
  auto* const model = flatbuffers::GetMutableRoot<flatbuffers::Table>(file->data());
  auto* const code = model->GetPointer<Tables*>(field(1))->GetMutableObject(0);
  constexpr int32_t kNotUnderstood = 120;
  ASSERT_TRUE(code->SetField<int32_t>(field(3), kNotUnderstood, 0));
  auto* const subgraph = model->GetPointer<Tables*>(field(2))->GetMutableObject(0);
  subgraph->GetPointer<Indices*>(field(2))->Mutate(0, input);
  auto* const op = subgraph->GetPointer<Tables*>(field(3))->GetMutableObject(0);
  op->GetPointer<Indices*>(field(2))->Mutate(0, graph::kAbsentTensor);
  write("lacking.tflite", *file);

  const Outcome outcome =
      lockstep("run --device ref --all-tensors --json " + path("lacking.tflite"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const auto report = nlohmann::json::parse(outcome.text, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << outcome.text;
  EXPECT_EQ(report.at("unavailable_operators"), 1);
  EXPECT_EQ(report.at("tensors").size(), 0u);
}

TEST_F(CommandLine, ABatchIsOfAllInputsTogether) {
  GraphBuilder builder("pair");
  const int32_t left = builder.input("a", graph::DataType::kInt8, {1, 4}, per_tensor(0.5f));
  const int32_t right = builder.input("b", graph::DataType::kInt8, {1, 4}, per_tensor(0.5f));
  write_network("pair.tflite",
                builder.build({builder.concatenation({left, right}, 1, per_tensor(0.5f))}));
  const Outcome outcome = lockstep("run --device ref --batch 3 --json " + path("pair.tflite"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  const auto report = nlohmann::json::parse(outcome.text, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << outcome.text;
  EXPECT_EQ(report.at("tensors")[0].at("shape"), nlohmann::json({3, 8}));
}

TEST_F(CommandLine, LabelsNameTheClassesInJsonToo) {
  GraphBuilder builder("classes");
  const int32_t input = builder.input("x", graph::DataType::kInt8, {1, 2}, per_tensor(0.5f));
  write_network("classes.tflite", builder.build({builder.add(input, input, per_tensor(1.0f))}));
  write("input.bin", {std::byte{1}, std::byte{9}});
  std::ofstream(folder_ / "labels.txt") << "cat\ndog\n";
  const std::string arguments = "run --device ref --input " + path("input.bin") + " --labels " +
                                path("labels.txt") + " " + path("classes.tflite");
  EXPECT_THAT(lockstep(arguments).text, HasSubstr("9.0000  dog"));
  const auto report = nlohmann::json::parse(lockstep(arguments + " --json").text, nullptr, false);
  ASSERT_FALSE(report.is_discarded());
  EXPECT_EQ(report.at("predictions")[0].at("label"), "dog");
  EXPECT_EQ(report.at("predictions")[0].at("score"), 9.0);
}

TEST_F(CommandLine, VerifyingOnADeviceThatIsNotThereProvesNothing) {
  if (std::getenv("LOCKSTEP_TFLITE_LIBRARY") == nullptr) {
    GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is not set";
  }
  GraphBuilder builder("sum");
  const int32_t input = builder.input("x", graph::DataType::kInt8, {1, 4}, per_tensor(0.5f));
  write_network("sum.tflite", builder.build({builder.add(input, input, per_tensor(0.5f))}));
  EXPECT_EQ(lockstep("verify --device ref " + path("sum.tflite")).exit_code, 0);
  const Outcome outcome = lockstep("verify --device nothing-like-this " + path("sum.tflite"));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.text, HasSubstr("lockstep verify: no device is 'nothing-like-this'"));
}

TEST_F(CommandLine, OutputThatCannotBeWrittenIsAnError) {
  EXPECT_EQ(lockstep("devices --json > /dev/full").exit_code, 2);
}

TEST_F(CommandLine, InputFilesMustHaveTheInputsSize) {
  write("input.bin", std::vector<std::byte>(6 * 6 * 3, std::byte{7}));
  write("short.bin", std::vector<std::byte>(5));
  EXPECT_EQ(lockstep("run --device ref --input " + path("input.bin") + " " + path("small.tflite"))
                .exit_code,
            0);
  const Outcome outcome =
      lockstep("run --device ref --input " + path("short.bin") + " " + path("small.tflite"));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.text, HasSubstr("108")) << "the size that is needed";
}

TEST_F(CommandLine, OutputsAreWrittenAsFiles) {
  const Outcome outcome =
      lockstep("run --device ref --batch 2 --output " + path("out") + " " + path("small.tflite"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  int files = 0;
  for (const auto& file : std::filesystem::directory_iterator(path("out"))) {
    EXPECT_EQ(std::filesystem::file_size(file), 2u * 6 * 6 * 4);
    ++files;
  }
  EXPECT_EQ(files, 1);
}

TEST_F(CommandLine, InspectTellsShapesAndPlacement) {
  const Outcome outcome = lockstep("inspect --device ref " + path("small.tflite"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("CONV_2D"));
  EXPECT_THAT(outcome.text, HasSubstr("1x6x6x4"));
  EXPECT_THAT(outcome.text, HasSubstr("3 of 3 operators"));
}

TEST_F(CommandLine, InspectShowsKernelsAndMemoryOfEveryDevice) {
  const auto inspected = nlohmann::json::parse(
      lockstep("inspect --json " + path("small.tflite")).text, nullptr, false);
  ASSERT_FALSE(inspected.is_discarded());
  for (const auto& device : inspected.at("devices")) {
    if (device.at("name").get<std::string>().find("reference") != std::string::npos) continue;
    const auto& program = device.at("programs").at(0);
    EXPECT_FALSE(program.at("operators").at(0).at("kernel").get<std::string>().empty());
    EXPECT_FALSE(program.at("operators").at(0).at("chosen_by").get<std::string>().empty());
    EXPECT_GE(program.at("arena_bytes"), program.at("arena_lower_bound"));
    EXPECT_FALSE(program.at("tensors").empty());
  }
}

// No device has subgroups of 2^30, but the reference does not mind.
TEST_F(CommandLine, InspectGoesOnWhereADeviceCannotBeOpened) {
  const std::string impossible = "--mask subgroup-size=1073741824 ";
  const Outcome outcome = lockstep("inspect " + impossible + path("small.tflite"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("Lockstep reference (host): 3 of 3 operators"));
  if (nlohmann::json::parse(lockstep("devices --json").text).at("devices").size() > 1) {
    EXPECT_THAT(outcome.text, HasSubstr("cannot be opened: "));
    EXPECT_EQ(lockstep("inspect --device 0 " + impossible + path("small.tflite")).exit_code, 2);
  }
  EXPECT_EQ(lockstep("inspect --mask warp-drive " + path("small.tflite")).exit_code, 2)
      << "a mistake in the options is one everywhere";
}

TEST_F(CommandLine, DevicesAlwaysListsTheReference) {
  const Outcome outcome = lockstep("devices --json");
  ASSERT_EQ(outcome.exit_code, 0);
  const auto report = nlohmann::json::parse(outcome.text, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << outcome.text;
  EXPECT_EQ(report.at("devices").back().at("backend"), "ref");
}

TEST_F(CommandLine, WithoutAnyDriverEverythingStillWorksOnTheProcessor) {
  const std::string no_driver = "VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent";
  for (const char* device : {"", "--device cpu ", "--device cpu --threads 3 ", "--device ref "}) {
    EXPECT_EQ(lockstep("run " + std::string(device) + path("small.tflite"), no_driver).exit_code, 0)
        << device;
  }
  EXPECT_EQ(lockstep("run --device 0 --mask int-dot " + path("small.tflite"), no_driver).exit_code,
            2)
      << "the first device is the processor, which has nothing of that name";
}

TEST_F(CommandLine, InstructionSetsOfTheProcessorCanBeCapped) {
  const Outcome unknown = lockstep("run --device cpu --mask isa=mmx " + path("small.tflite"));
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.text, HasSubstr("'mmx' is no instruction set"));
  const Outcome by_environment =
      lockstep("run --device cpu " + path("small.tflite"), "LOCKSTEP_CPU_ISA=mmx");
  EXPECT_EQ(by_environment.exit_code, 2);
  EXPECT_THAT(by_environment.text, HasSubstr("LOCKSTEP_CPU_ISA: 'mmx'"));
}

}  // namespace
}  // namespace lockstep::tools
