#include <gmock/gmock.h>
#include <lockstep/lockstep.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "graph/testing/graph_builder.h"
#include "graph/testing/sample_graphs.h"
#include "graph/tflite_writer.h"

namespace lockstep {
namespace {

using ::testing::HasSubstr;

struct Closer {
  void operator()(lockstep_model* model) const { lockstep_model_destroy(model); }
  void operator()(lockstep_device* device) const { lockstep_device_close(device); }
  void operator()(lockstep_engine* engine) const { lockstep_engine_destroy(engine); }
  void operator()(lockstep_device_list* list) const { lockstep_device_list_destroy(list); }
  void operator()(lockstep_run* run) const { lockstep_run_destroy(run); }
};
using Model = std::unique_ptr<lockstep_model, Closer>;
using Device = std::unique_ptr<lockstep_device, Closer>;
using Engine = std::unique_ptr<lockstep_engine, Closer>;
using PendingRun = std::unique_ptr<lockstep_run, Closer>;

std::vector<std::byte> sample_file() {
  auto file = graph::write_tflite(graph::testing::sample_network());
  if (!file) {
    throw std::logic_error(file.error().message);
  }
  return *std::move(file);
}

Model open_model(const std::vector<std::byte>& file) {
  lockstep_model* model = nullptr;
  EXPECT_EQ(lockstep_model_create(file.data(), file.size(), "sample", &model), LOCKSTEP_OK)
      << lockstep_last_error();
  return Model(model);
}

Device open_reference() {
  lockstep_device_options options = {};
  options.struct_size = sizeof options;
  options.device = "ref";
  lockstep_device* device = nullptr;
  EXPECT_EQ(lockstep_device_open(&options, &device), LOCKSTEP_OK) << lockstep_last_error();
  return Device(device);
}

lockstep_engine_options engine_options() {
  lockstep_engine_options options = {};
  options.struct_size = sizeof options;
  return options;
}

Engine open_engine(const Model& model, lockstep_device* device,
                   const lockstep_engine_options* options = nullptr) {
  lockstep_engine* engine = nullptr;
  EXPECT_EQ(lockstep_engine_create(model.get(), device, options, &engine), LOCKSTEP_OK)
      << lockstep_last_error();
  return Engine(engine);
}

lockstep_tensor_info tensor_info(const Model& model, int32_t tensor) {
  lockstep_tensor_info info = {};
  info.struct_size = sizeof info;
  EXPECT_EQ(lockstep_model_get_tensor(model.get(), tensor, &info), LOCKSTEP_OK);
  return info;
}

// The first output for an input full of `value`.
std::vector<unsigned char> run(const Model& model, const Engine& engine, unsigned char value) {
  int32_t input = -1;
  int32_t output = -1;
  EXPECT_EQ(lockstep_model_get_input_tensor(model.get(), 0, &input), LOCKSTEP_OK);
  EXPECT_EQ(lockstep_model_get_output_tensor(model.get(), 0, &output), LOCKSTEP_OK);
  const std::vector<unsigned char> data(tensor_info(model, input).byte_size, value);
  std::vector<unsigned char> result(tensor_info(model, output).byte_size);
  EXPECT_EQ(lockstep_engine_set_input(engine.get(), 0, data.data(), data.size()), LOCKSTEP_OK);
  EXPECT_EQ(lockstep_engine_run(engine.get()), LOCKSTEP_OK) << lockstep_last_error();
  EXPECT_EQ(lockstep_engine_get_output(engine.get(), 0, result.data(), result.size()), LOCKSTEP_OK);
  return result;
}

TEST(CApi, ANetworkRunsAndOutlivesItsModelAndDevice) {
  Model model = open_model(sample_file());
  Device device = open_reference();
  const Engine on_device = open_engine(model, device.get());
  const Engine on_host = open_engine(model, nullptr);
  const auto expected = run(model, on_host, 7);
  EXPECT_EQ(run(model, on_device, 7), expected);
  EXPECT_NE(run(model, on_host, 100), expected);
  model.reset();
  device.reset();
  EXPECT_EQ(lockstep_engine_run(on_device.get()), LOCKSTEP_OK);
}

TEST(CApi, ReportsCoverEveryOperator) {
  const Model model = open_model(sample_file());
  const Device device = open_reference();
  lockstep_engine_options options = engine_options();
  options.deny_ops = "ADD";
  const Engine engine = open_engine(model, device.get(), &options);
  const size_t count = lockstep_model_operator_count(model.get());
  ASSERT_GT(count, 0u);
  for (size_t index = 0; index < count; ++index) {
    lockstep_operator_report report = {};
    report.struct_size = sizeof report;
    ASSERT_EQ(lockstep_engine_get_operator(engine.get(), index, &report), LOCKSTEP_OK);
    const bool denied = std::string(report.name) == "ADD";
    EXPECT_EQ(report.executor, denied ? LOCKSTEP_ON_HOST : LOCKSTEP_ON_DEVICE) << report.name;
    EXPECT_EQ(std::string(report.reason).empty(), !denied);
    EXPECT_GE(report.step, 0);
  }
  lockstep_statistics statistics = {};
  statistics.struct_size = sizeof statistics;
  ASSERT_EQ(lockstep_engine_get_statistics(engine.get(), &statistics), LOCKSTEP_OK);
  EXPECT_EQ(statistics.host_operators, 1);
  EXPECT_EQ(statistics.device_operators, static_cast<int64_t>(count) - 1);
  EXPECT_EQ(lockstep_engine_problem_count(engine.get()), 0u);
  EXPECT_EQ(lockstep_engine_get_problem(engine.get(), 0), nullptr);
}

TEST(CApi, EveryTensorIsReadableWhenKept) {
  const Model model = open_model(sample_file());
  lockstep_engine_options options = engine_options();
  options.keep_all_tensors = 1;
  const Engine engine = open_engine(model, nullptr, &options);
  ASSERT_EQ(lockstep_engine_run(engine.get()), LOCKSTEP_OK);
  for (size_t tensor = 0; tensor < lockstep_model_tensor_count(model.get()); ++tensor) {
    const auto index = static_cast<int32_t>(tensor);
    std::vector<unsigned char> contents(tensor_info(model, index).byte_size);
    EXPECT_EQ(lockstep_engine_get_tensor(engine.get(), index, contents.data(), contents.size()),
              LOCKSTEP_OK)
        << lockstep_last_error();
  }
}

TEST(CApi, ResizingChangesTheModelAndNotEnginesMadeBefore) {
  const Model model = open_model(sample_file());
  const Engine before = open_engine(model, nullptr);
  int32_t input = -1;
  ASSERT_EQ(lockstep_model_get_input_tensor(model.get(), 0, &input), LOCKSTEP_OK);
  const lockstep_tensor_info info = tensor_info(model, input);
  const size_t bytes = info.byte_size;
  std::vector<int32_t> shape(info.shape, info.shape + info.rank);
  shape[0] = 2;
  ASSERT_EQ(lockstep_model_resize_input(model.get(), 0, shape.data(), info.rank), LOCKSTEP_OK)
      << lockstep_last_error();
  EXPECT_EQ(tensor_info(model, input).byte_size, 2 * bytes);
  const Engine after = open_engine(model, nullptr);
  const std::vector<unsigned char> data(2 * bytes);
  EXPECT_EQ(lockstep_engine_set_input(before.get(), 0, data.data(), bytes), LOCKSTEP_OK);
  EXPECT_EQ(lockstep_engine_set_input(after.get(), 0, data.data(), 2 * bytes), LOCKSTEP_OK);

  const std::vector<int32_t> impossible(shape.size(), -1);
  EXPECT_NE(lockstep_model_resize_input(model.get(), 0, impossible.data(), info.rank), LOCKSTEP_OK);
  EXPECT_NE(lockstep_model_resize_input(model.get(), 0, nullptr, 4), LOCKSTEP_OK);
  EXPECT_NE(lockstep_model_resize_input(model.get(), 0, shape.data(), -4), LOCKSTEP_OK);
  EXPECT_EQ(tensor_info(model, input).byte_size, 2 * bytes);
}

TEST(CApi, NullHandlesAndPointersAreErrorsNotCrashes) {
  lockstep_model* no_model = nullptr;
  lockstep_run* no_run = nullptr;
  int32_t tensor = 0;
  char buffer[4] = {};
  lockstep_device_info device_info = {};
  device_info.struct_size = sizeof device_info;
  lockstep_tensor_info tensor_description = {};
  tensor_description.struct_size = sizeof tensor_description;
  const std::vector<lockstep_status> answers = {
      lockstep_model_create(nullptr, 4, "x", &no_model),
      lockstep_model_create(buffer, 4, "x", nullptr),
      lockstep_model_create_from_file(nullptr, &no_model),
      lockstep_model_create_from_file("x", nullptr),
      lockstep_model_get_input_tensor(nullptr, 0, &tensor),
      lockstep_model_get_output_tensor(nullptr, 0, &tensor),
      lockstep_model_get_tensor(nullptr, 0, &tensor_description),
      lockstep_model_resize_input(nullptr, 0, &tensor, 1),
      lockstep_device_list_create(nullptr),
      lockstep_device_list_get(nullptr, 0, &device_info),
      lockstep_device_open(nullptr, nullptr),
      lockstep_device_get_info(nullptr, &device_info),
      lockstep_engine_create(nullptr, nullptr, nullptr, nullptr),
      lockstep_engine_set_input(nullptr, 0, buffer, 4),
      lockstep_engine_run(nullptr),
      lockstep_engine_get_output(nullptr, 0, buffer, 4),
      lockstep_engine_get_tensor(nullptr, 0, buffer, 4),
      lockstep_engine_get_operator(nullptr, 0, nullptr),
      lockstep_engine_get_statistics(nullptr, nullptr),
      lockstep_engine_get_input_memory(nullptr, 0, nullptr, nullptr),
      lockstep_engine_get_output_memory(nullptr, 0, nullptr, nullptr),
      lockstep_engine_submit(nullptr, nullptr, 0, nullptr, 0, nullptr),
      lockstep_engine_submit(nullptr, nullptr, 0, nullptr, 0, &no_run),
      lockstep_run_poll(nullptr, &tensor),
      lockstep_run_wait(nullptr),
  };
  EXPECT_THAT(answers, ::testing::Each(LOCKSTEP_INVALID_ARGUMENT));
  EXPECT_EQ(lockstep_model_input_count(nullptr), 0u);
  EXPECT_EQ(lockstep_model_output_count(nullptr), 0u);
  EXPECT_EQ(lockstep_model_tensor_count(nullptr), 0u);
  EXPECT_EQ(lockstep_model_operator_count(nullptr), 0u);
  EXPECT_EQ(lockstep_device_list_count(nullptr), 0u);
  EXPECT_EQ(lockstep_engine_problem_count(nullptr), 0u);
  lockstep_model_destroy(nullptr);
  lockstep_device_close(nullptr);
  lockstep_device_list_destroy(nullptr);
  lockstep_engine_destroy(nullptr);
  lockstep_run_destroy(nullptr);

  const Model model = open_model(sample_file());
  const Engine engine = open_engine(model, nullptr);
  EXPECT_EQ(lockstep_model_get_tensor(model.get(), 0, nullptr), LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_EQ(lockstep_model_get_input_tensor(model.get(), 0, nullptr), LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_EQ(lockstep_engine_get_operator(engine.get(), 0, nullptr), LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_EQ(lockstep_engine_set_input(engine.get(), 0, nullptr, 4), LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_EQ(lockstep_engine_submit(engine.get(), nullptr, 1, nullptr, 1, &no_run),
            LOCKSTEP_INVALID_ARGUMENT);
  const lockstep_input no_input = {nullptr, 4};
  const lockstep_output no_output = {nullptr, 0};
  EXPECT_EQ(lockstep_engine_submit(engine.get(), &no_input, 1, &no_output, 1, &no_run),
            LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_THAT(lockstep_last_error(), HasSubstr("inputs[0]"));
  EXPECT_EQ(no_run, nullptr);
}

TEST(CApi, WrongSizesAndIndicesAreErrors) {
  const Model model = open_model(sample_file());
  const Engine engine = open_engine(model, nullptr);
  char byte = 0;
  EXPECT_EQ(lockstep_engine_set_input(engine.get(), 0, &byte, 1), LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_THAT(lockstep_last_error(), HasSubstr("bytes"));
  EXPECT_EQ(lockstep_engine_set_input(engine.get(), 99, &byte, 1), LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_EQ(lockstep_engine_get_output(engine.get(), 0, &byte, 100000), LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_EQ(lockstep_engine_get_output(engine.get(), 99, &byte, 1), LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_EQ(lockstep_engine_get_tensor(engine.get(), -1, &byte, 1), LOCKSTEP_INVALID_ARGUMENT);
  lockstep_operator_report report = {};
  report.struct_size = sizeof report;
  EXPECT_EQ(lockstep_engine_get_operator(engine.get(), 9999, &report), LOCKSTEP_INVALID_ARGUMENT);
  int32_t tensor = 0;
  EXPECT_EQ(lockstep_model_get_output_tensor(model.get(), 99, &tensor), LOCKSTEP_INVALID_ARGUMENT);
}

TEST(CApi, EveryTruncatedModelIsRefused) {
  const auto file = sample_file();
  for (size_t size = 0; size < file.size(); size += 1 + file.size() / 200) {
    lockstep_model* model = nullptr;
    EXPECT_EQ(lockstep_model_create(file.data(), size, "cut", &model), LOCKSTEP_INVALID_MODEL)
        << size;
    EXPECT_EQ(model, nullptr);
    EXPECT_THAT(lockstep_last_error(), HasSubstr("cut"));
  }
}

TEST(CApi, AnAbsentFileIsNotFound) {
  lockstep_model* model = nullptr;
  EXPECT_EQ(lockstep_model_create_from_file("/nowhere/net.tflite", &model), LOCKSTEP_NOT_FOUND);
  EXPECT_THAT(lockstep_last_error(), HasSubstr("/nowhere/net.tflite"));
}

TEST(CApi, UnknownOptionsAreErrorsThatListTheValidOnes) {
  const Model model = open_model(sample_file());
  lockstep_engine* engine = nullptr;
  lockstep_engine_options options = engine_options();
  options.contract = "xnnpack";
  EXPECT_EQ(lockstep_engine_create(model.get(), nullptr, &options, &engine),
            LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_THAT(lockstep_last_error(), HasSubstr("tflite, litert, reference, single"));
  options = engine_options();
  options.allow_ops = "CONV3D";
  EXPECT_EQ(lockstep_engine_create(model.get(), nullptr, &options, &engine),
            LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_THAT(lockstep_last_error(), HasSubstr("CONV_2D"));
  options = engine_options();
  options.reserved = 1;
  EXPECT_EQ(lockstep_engine_create(model.get(), nullptr, &options, &engine),
            LOCKSTEP_INVALID_ARGUMENT);

  lockstep_device_options device_options = {};
  device_options.struct_size = sizeof device_options;
  device_options.device = "no such device";
  lockstep_device* device = nullptr;
  EXPECT_EQ(lockstep_device_open(&device_options, &device), LOCKSTEP_DEVICE_UNAVAILABLE);
  EXPECT_THAT(lockstep_last_error(), HasSubstr("available"));
  EXPECT_EQ(device, nullptr);
}

TEST(CApi, StructsOfOtherVersionsWork) {
  const Model model = open_model(sample_file());
  lockstep_engine* engine = nullptr;
  // Older: only the first option existed. What lies behind is not read.
  lockstep_engine_options older = engine_options();
  older.struct_size = offsetof(lockstep_engine_options, allow_ops);
  older.allow_ops = "garbage";
  EXPECT_EQ(lockstep_engine_create(model.get(), nullptr, &older, &engine), LOCKSTEP_OK)
      << lockstep_last_error();
  lockstep_engine_destroy(engine);
  // Newer: fields we do not know must be zero.
  struct Newer {
    lockstep_engine_options known = {};
    int64_t unknown = 0;
  } newer;
  newer.known.struct_size = sizeof newer;
  EXPECT_EQ(lockstep_engine_create(model.get(), nullptr, &newer.known, &engine), LOCKSTEP_OK);
  lockstep_engine_destroy(engine);
  newer.unknown = 1;
  EXPECT_EQ(lockstep_engine_create(model.get(), nullptr, &newer.known, &engine),
            LOCKSTEP_INVALID_ARGUMENT);
  // A forgotten size.
  lockstep_engine_options forgotten = {};
  EXPECT_EQ(lockstep_engine_create(model.get(), nullptr, &forgotten, &engine),
            LOCKSTEP_INVALID_ARGUMENT);

  // Answers to an older caller end where its struct ends.
  lockstep_tensor_info info = {};
  info.struct_size = offsetof(lockstep_tensor_info, shape);
  info.byte_size = 4711;
  EXPECT_EQ(lockstep_model_get_tensor(model.get(), 0, &info), LOCKSTEP_OK);
  EXPECT_EQ(info.byte_size, 4711u);
  EXPECT_EQ(info.struct_size, offsetof(lockstep_tensor_info, shape));
  EXPECT_NE(info.name, nullptr);
}

TEST(CApi, TheReferenceIsTheLastDevice) {
  lockstep_device_list* devices = nullptr;
  ASSERT_EQ(lockstep_device_list_create(&devices), LOCKSTEP_OK);
  const std::unique_ptr<lockstep_device_list, Closer> list(devices);
  const size_t count = lockstep_device_list_count(devices);
  ASSERT_GT(count, 0u);
  lockstep_device_info info = {};
  info.struct_size = sizeof info;
  ASSERT_EQ(lockstep_device_list_get(devices, count - 1, &info), LOCKSTEP_OK);
  EXPECT_STREQ(info.backend, "ref");
  EXPECT_EQ(lockstep_device_list_get(devices, count, &info), LOCKSTEP_INVALID_ARGUMENT);
}

// The device of the machine, where there is one.
Device open_any_device() {
  lockstep_device_options options = {};
  options.struct_size = sizeof options;
  options.device = "llvmpipe";
  lockstep_device* device = nullptr;
  return lockstep_device_open(&options, &device) == LOCKSTEP_OK ? Device(device) : open_reference();
}

TEST(CApi, RunsInTheBackgroundGiveTheSameBitsFromTwoThreads) {
  const Model model = open_model(sample_file());
  const Device device = open_any_device();
  lockstep_engine_options options = engine_options();
  options.runs_in_flight = 2;
  Engine engine = open_engine(model, device.get(), &options);
  const Engine host = open_engine(model, nullptr);
  std::vector<std::vector<unsigned char>> expected;
  for (int value = 0; value < 8; ++value) {
    expected.push_back(run(model, host, static_cast<unsigned char>(value * 31)));
  }
  int32_t input_tensor = -1;
  ASSERT_EQ(lockstep_model_get_input_tensor(model.get(), 0, &input_tensor), LOCKSTEP_OK);
  const size_t input_size = tensor_info(model, input_tensor).byte_size;

  const auto submit_and_check = [&](bool polls) {
    std::vector<std::vector<unsigned char>> outputs;
    std::vector<PendingRun> runs;
    for (size_t value = 0; value < expected.size(); ++value) {
      const std::vector<unsigned char> data(input_size, static_cast<unsigned char>(value * 31));
      auto& output = outputs.emplace_back(expected[value].size());
      const lockstep_input input = {data.data(), data.size()};
      const lockstep_output room = {output.data(), output.size()};
      lockstep_run* run = nullptr;
      ASSERT_EQ(lockstep_engine_submit(engine.get(), &input, 1, &room, 1, &run), LOCKSTEP_OK)
          << lockstep_last_error();
      runs.emplace_back(run);
    }
    for (size_t i = runs.size(); i-- > 0;) {
      int32_t is_over = 0;
      while (polls && is_over == 0) {
        ASSERT_EQ(lockstep_run_poll(runs[i].get(), &is_over), LOCKSTEP_OK);
        std::this_thread::yield();
      }
      EXPECT_EQ(lockstep_run_wait(runs[i].get()), LOCKSTEP_OK) << lockstep_last_error();
      EXPECT_EQ(lockstep_run_poll(runs[i].get(), &is_over), LOCKSTEP_OK);
      EXPECT_EQ(is_over, 1);
      EXPECT_EQ(outputs[i], expected[i]);
    }
  };
  {
    const std::jthread polling([&] { submit_and_check(true); });
    const std::jthread waiting([&] { submit_and_check(false); });
  }
  EXPECT_EQ(lockstep_engine_problem_count(engine.get()), 0u);

  // A run may outlive its engine, and wrong sizes are refused.
  std::vector<unsigned char> output(expected[0].size());
  const std::vector<unsigned char> data(input_size, 0);
  const lockstep_input input = {data.data(), data.size()};
  lockstep_output room = {output.data(), output.size() + 1};
  lockstep_run* started = nullptr;
  EXPECT_EQ(lockstep_engine_submit(engine.get(), &input, 1, &room, 1, &started),
            LOCKSTEP_INVALID_ARGUMENT);
  room.size = output.size();
  ASSERT_EQ(lockstep_engine_submit(engine.get(), &input, 1, &room, 1, &started), LOCKSTEP_OK);
  const PendingRun kept(started);
  engine.reset();
  EXPECT_EQ(lockstep_run_wait(kept.get()), LOCKSTEP_OK);
  EXPECT_EQ(output, expected[0]);
}

TEST(CApi, TheEnginesMemorySavesCopies) {
  const Model model = open_model(sample_file());
  const Engine engine = open_engine(model, nullptr);
  const auto expected = run(model, engine, 77);
  ASSERT_NE(run(model, engine, 3), expected);
  void* input = nullptr;
  const void* output = nullptr;
  size_t size = 0;
  ASSERT_EQ(lockstep_engine_get_input_memory(engine.get(), 0, &input, &size), LOCKSTEP_OK);
  std::memset(input, 77, size);
  ASSERT_EQ(lockstep_engine_run(engine.get()), LOCKSTEP_OK);
  ASSERT_EQ(lockstep_engine_get_output_memory(engine.get(), 0, &output, &size), LOCKSTEP_OK);
  ASSERT_EQ(size, expected.size());
  EXPECT_EQ(std::memcmp(output, expected.data(), size), 0);
  EXPECT_EQ(lockstep_engine_get_input_memory(engine.get(), 9, &input, &size),
            LOCKSTEP_INVALID_ARGUMENT);
  EXPECT_EQ(lockstep_engine_get_output_memory(engine.get(), 9, &output, &size),
            LOCKSTEP_INVALID_ARGUMENT);
}

TEST(CApi, AProfileThatCannotBeWrittenIsAnError) {
  const Model model = open_model(sample_file());
  const Device device = open_reference();
  lockstep_engine_options options = engine_options();
  options.profile = "/no/such/folder/profile.json";
  lockstep_engine* engine = nullptr;
  EXPECT_EQ(lockstep_engine_create(model.get(), device.get(), &options, &engine),
            LOCKSTEP_NOT_FOUND);
  EXPECT_THAT(lockstep_last_error(), HasSubstr("/no/such/folder/profile.json"));
}

TEST(CApi, EachThreadHasItsOwnLastError) {
  EXPECT_NE(lockstep_engine_run(nullptr), LOCKSTEP_OK);
  const std::string here = lockstep_last_error();
  EXPECT_FALSE(here.empty());
  std::thread([] { EXPECT_STREQ(lockstep_last_error(), ""); }).join();
  EXPECT_EQ(lockstep_last_error(), here);
}

TEST(CApi, StatusesHaveNames) {
  for (lockstep_status status = LOCKSTEP_OK; status <= LOCKSTEP_INTERNAL; ++status) {
    EXPECT_STRNE(lockstep_status_name(status), "unknown status") << status;
  }
  EXPECT_STREQ(lockstep_status_name(LOCKSTEP_INTERNAL + 1), "unknown status");
}

}  // namespace
}  // namespace lockstep
