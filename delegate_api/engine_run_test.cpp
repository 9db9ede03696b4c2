// Runs submitted to an engine, and the trace of profiled ones.
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "backend/registry.h"
#include "delegate_api/engine.h"
#include "delegate_api/testing/fake_engine.h"
#include "graph/testing/graph_builder.h"
#include "graph/testing/sample_graphs.h"

namespace lockstep::delegate {
namespace {

using testing::create;
using ::testing::ElementsAre;
using testing::fake_device;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Bytes = std::vector<std::byte>;

size_t byte_size(const graph::Graph& graph, int32_t index) {
  const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(index)];
  return static_cast<size_t>(graph::element_count(tensor.shape).value()) *
         graph::data_type_size(tensor.type);
}

// Inputs of a seed, room for the outputs, and what run() makes of the inputs.
struct Job {
  Job(const graph::Graph& graph, uint32_t seed) {
    std::mt19937 random(seed);
    for (const int32_t input : graph.inputs) {
      for (std::byte& byte : inputs.emplace_back(byte_size(graph, input))) {
        byte = static_cast<std::byte>(random());
      }
    }
    for (const int32_t output : graph.outputs) {
      outputs.emplace_back(byte_size(graph, output));
    }
    const auto host = create(graph, nullptr);
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_TRUE(host->set_input(i, inputs[i]));
    }
    EXPECT_TRUE(host->run());
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto contents = host->output(i).value();
      expected.emplace_back(contents.begin(), contents.end());
    }
  }
  Result<std::unique_ptr<EngineRun>> submit(Engine& engine) {
    const std::vector<std::span<const std::byte>> input_spans(inputs.begin(), inputs.end());
    const std::vector<std::span<std::byte>> output_spans(outputs.begin(), outputs.end());
    return engine.submit(input_spans, output_spans);
  }
  std::vector<Bytes> inputs;
  std::vector<Bytes> outputs;
  std::vector<Bytes> expected;
};

TEST(EngineRun, GivesTheBitsOfRunHoweverWorkIsDivided) {
  const graph::Graph graph = graph::testing::sample_network();
  for (const int32_t every : {1, 2, 3, 100}) {
    const auto engine = create(graph, fake_device(every));
    std::vector<Job> jobs;
    for (uint32_t seed = 0; seed < 4; ++seed) {
      jobs.emplace_back(graph, seed);
    }
    std::vector<std::unique_ptr<EngineRun>> runs;
    for (Job& job : jobs) {
      auto run = job.submit(*engine);
      ASSERT_TRUE(run) << run.error().message;
      runs.push_back(*std::move(run));
      std::ranges::fill(job.inputs[0], std::byte{0});  // they were read
    }
    for (size_t i = jobs.size(); i-- > 0;) {
      EXPECT_TRUE(runs[i]->wait());
      EXPECT_TRUE(runs[i]->poll());
      EXPECT_EQ(jobs[i].outputs, jobs[i].expected);
    }
  }
}

TEST(EngineRun, PollingGoesOnOnlyWhereTheDeviceIsDone) {
  const graph::Graph graph = graph::testing::sample_network();
  const auto device = fake_device(2);
  device->holds_runs = true;
  const auto engine = create(graph, device);
  Job job(graph, 1);
  const auto run = job.submit(*engine);
  ASSERT_TRUE(run);
  EXPECT_FALSE((*run)->poll());
  device->holds_runs = false;
  EXPECT_TRUE((*run)->poll());
  EXPECT_EQ(job.outputs, job.expected);
}

TEST(EngineRun, DevicesLostUnderSeveralRunsChangeNoBit) {
  const graph::Graph graph = graph::testing::sample_network();
  const auto device = fake_device();
  device->holds_runs = true;
  const auto engine = create(graph, device);
  std::vector<Job> jobs;
  for (uint32_t seed = 0; seed < 3; ++seed) {
    jobs.emplace_back(graph, seed);
  }
  std::vector<std::unique_ptr<EngineRun>> runs;
  for (Job& job : jobs) {
    runs.push_back(job.submit(*engine).value());
  }
  device->fails_to_run = true;
  for (size_t i = 0; i < jobs.size(); ++i) {
    const Status done = runs[i]->wait();
    EXPECT_TRUE(done) << done.error().message;
    EXPECT_EQ(jobs[i].outputs, jobs[i].expected);
  }
  EXPECT_THAT(engine->problems(), ElementsAre(HasSubstr("was lost")));
  EXPECT_EQ(engine->operators()[0].executor, Executor::kHost);
}

TEST(EngineRun, OutlivesItsEngineAndWaitsWhenDropped) {
  const graph::Graph graph = graph::testing::sample_network();
  const auto device = fake_device(2);
  device->holds_runs = true;
  auto engine = create(graph, device);
  Job kept(graph, 1);
  Job dropped(graph, 2);
  const auto run = kept.submit(*engine);
  ASSERT_TRUE(run);
  dropped.submit(*engine)->reset();
  EXPECT_EQ(dropped.outputs, dropped.expected);
  engine.reset();
  EXPECT_TRUE((*run)->wait());
  EXPECT_EQ(kept.outputs, kept.expected);
}

TEST(EngineRun, LeavesTheEnginesOwnTensorsAlone) {
  const graph::Graph graph = graph::testing::sample_network();
  const auto engine = create(graph, fake_device(2));
  Job own(graph, 1);
  Job submitted(graph, 2);
  ASSERT_TRUE(engine->set_input(0, own.inputs[0]));
  const auto run = submitted.submit(*engine);
  ASSERT_TRUE(run);
  ASSERT_TRUE(engine->run());
  EXPECT_TRUE((*run)->wait());
  EXPECT_EQ(submitted.outputs, submitted.expected);
  const auto output = engine->output(0).value();
  EXPECT_EQ(Bytes(output.begin(), output.end()), own.expected[0]);
}

TEST(EngineRun, ThreadsMaySubmitAtOnce) {
  const graph::Graph graph = graph::testing::sample_network();
  for (const char* name : {"llvmpipe", "ref"}) {
    const auto device = backend::open_device(name, {});
    if (!device) {
      continue;
    }
    EngineOptions options;
    options.compile.runs_in_flight = 2;
    const auto engine = create(graph, *device, options);
    std::vector<std::jthread> threads;
    for (uint32_t thread = 0; thread < 3; ++thread) {
      threads.emplace_back([&, thread] {
        for (uint32_t round = 0; round < 5; ++round) {
          Job first(graph, 10 * thread + round);
          Job second(graph, 1000 + 10 * thread + round);
          const auto run = first.submit(*engine);
          ASSERT_TRUE(run) << run.error().message;
          const auto later = second.submit(*engine);
          ASSERT_TRUE(later) << later.error().message;
          while (!(*later)->poll()) {
            std::this_thread::yield();
          }
          EXPECT_TRUE((*run)->wait());
          EXPECT_EQ(first.outputs, first.expected);
          EXPECT_EQ(second.outputs, second.expected);
        }
      });
    }
  }
}

TEST(EngineRun, WrongCountsAndSizesAreRefused) {
  const graph::Graph graph = graph::testing::sample_network();
  const auto engine = create(graph, fake_device());
  Job job(graph, 1);
  const std::vector<std::span<const std::byte>> inputs(job.inputs.begin(), job.inputs.end());
  const std::vector<std::span<std::byte>> outputs(job.outputs.begin(), job.outputs.end());
  const auto expect_refused = [&](auto given_inputs, auto given_outputs) {
    const auto run = engine->submit(given_inputs, given_outputs);
    ASSERT_FALSE(run);
    EXPECT_EQ(run.error().code, ErrorCode::kInvalidArgument);
  };
  expect_refused(std::span(inputs).first(0), std::span(outputs));
  expect_refused(std::span(inputs), std::span(outputs).first(0));
  auto short_inputs = inputs;
  short_inputs[0] = short_inputs[0].first(1);
  expect_refused(std::span<const std::span<const std::byte>>(short_inputs), std::span(outputs));
  auto short_outputs = outputs;
  short_outputs[0] = short_outputs[0].first(1);
  expect_refused(std::span(inputs), std::span<const std::span<std::byte>>(short_outputs));
  // Outputs that are not wanted.
  short_outputs[0] = {};
  EXPECT_TRUE(engine->submit(inputs, short_outputs).value()->wait());
}

TEST(EngineRun, UnavailableOutputsCanOnlyBeLeftOut) {
  graph::testing::GraphBuilder builder("half known");
  const auto scale = graph::testing::per_tensor(0.5f);
  const int32_t input = builder.input("x", graph::DataType::kInt8, {1, 4}, scale);
  const int32_t odd = builder.opaque("MyOperator", {input}, graph::DataType::kInt8, {1, 4}, scale);
  const int32_t sum = builder.add(input, input, scale);
  const auto engine = create(builder.build({odd, sum}), fake_device());
  const Bytes values(4, std::byte{3});
  Bytes room(4);
  const std::array inputs = {std::span<const std::byte>(values)};
  const std::array all = {std::span<std::byte>(room), std::span<std::byte>(room)};
  const auto refused = engine->submit(inputs, all);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  const std::array possible = {std::span<std::byte>(), std::span<std::byte>(room)};
  EXPECT_TRUE(engine->submit(inputs, possible).value()->wait());
  EXPECT_EQ(room, Bytes(4, std::byte{6}));
}

TEST(EngineRun, OptionsReachTheDevice) {
  const auto device = fake_device();
  EngineOptions options;
  options.compile.runs_in_flight = 5;
  create(graph::testing::sample_network(), device, options);
  EXPECT_EQ(device->last_options.runs_in_flight, 5);
  EXPECT_FALSE(device->last_options.profile);
}

TEST(EngineRun, InputsMayBeWrittenInPlace) {
  const graph::Graph graph = graph::testing::sample_network();
  const auto engine = create(graph, fake_device());
  Job job(graph, 1);
  const auto memory = engine->input_memory(0);
  ASSERT_TRUE(memory);
  ASSERT_EQ(memory->size(), job.inputs[0].size());
  std::ranges::copy(job.inputs[0], memory->begin());
  ASSERT_TRUE(engine->run());
  const auto output = engine->output(0).value();
  EXPECT_EQ(Bytes(output.begin(), output.end()), job.expected[0]);
  EXPECT_FALSE(engine->input_memory(1));
}

TEST(EngineProfile, IsATraceOfTheDevicesRuns) {
  const auto device = backend::open_device("llvmpipe", {});
  if (!device) {
    GTEST_SKIP() << "no device that can be profiled";
  }
  const auto path = std::filesystem::temp_directory_path() /
                    fmt::format("lockstep_engine_profile_{}.json", ::getpid());
  const graph::Graph graph = graph::testing::sample_network();
  Job job(graph, 1);
  {
    EngineOptions options;
    options.profile = path.string();
    const auto engine = create(graph, *device, options);
    EXPECT_TRUE(std::filesystem::exists(path));
    ASSERT_TRUE(engine->set_input(0, job.inputs[0]));
    for (int run = 0; run < 3; ++run) {
      ASSERT_TRUE(engine->run());
    }
    const auto output = engine->output(0).value();
    EXPECT_EQ(Bytes(output.begin(), output.end()), job.expected[0]);
  }
  std::ifstream file(path);
  int waits = 0;
  std::set<int> operators;
  const auto trace = nlohmann::json::parse(file);
  for (const auto& event : trace.at("traceEvents")) {
    waits += event.at("name") == "wait" ? 1 : 0;
    if (event.at("ph") == "X" && event.contains("args")) {
      operators.insert(event.at("args").at("operator").get<int>());
    }
  }
  EXPECT_EQ(waits, 3);
  EXPECT_GT(operators.size(), 3u);
  std::filesystem::remove(path);
}

TEST(EngineProfile, AFileThatCannotBeWrittenIsAnErrorAtOnce) {
  EngineOptions options;
  options.profile = "/no/such/folder/profile.json";
  const auto engine = Engine::create(graph::testing::sample_network(), fake_device(), options);
  ASSERT_FALSE(engine);
  EXPECT_THAT(engine.error().message, HasSubstr("/no/such/folder/profile.json"));
}

TEST(EngineProfile, DevicesThatCannotTellTheTimeStillRun) {
  const auto path = std::filesystem::temp_directory_path() /
                    fmt::format("lockstep_engine_no_profile_{}.json", ::getpid());
  const graph::Graph graph = graph::testing::sample_network();
  EngineOptions options;
  options.profile = path.string();
  const auto device = fake_device();
  auto engine = create(graph, device, options);
  EXPECT_TRUE(device->last_options.profile);
  EXPECT_TRUE(engine->run());
  EXPECT_THAT(engine->problems(), IsEmpty());
  engine.reset();  // writes the file
  EXPECT_TRUE(std::filesystem::remove(path));
}

}  // namespace
}  // namespace lockstep::delegate
