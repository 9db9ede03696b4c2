// The plugin as a host sees it: its entry points with a fake host behind them, and, where the
// environment names them, real TFLite runtimes:
//   LOCKSTEP_TFLITE_LIBRARY            libtensorflowlite_c.so, 2.9
//   LOCKSTEP_TFLITE_2_2_LIBRARY        the same, 2.2
//   LOCKSTEP_TFLITE_EXTERNAL_DELEGATE  libexternal_delegate_obj.so, 2.9
#include <dlfcn.h>
#include <flatbuffers/flatbuffers.h>
#include <gmock/gmock.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <stdexcept>

#include "delegate_api/tflite/testing/fake_host.h"
#include "delegate_api/tflite/tflite_abi.h"
#include "graph/builtin_operators.h"
#include "graph/testing/graph_builder.h"
#include "graph/testing/sample_graphs.h"
#include "graph/tflite_writer.h"
#include "host_ref/tflite_runtime.h"

namespace lockstep::delegate {
namespace {

using graph::testing::GraphBuilder;
using graph::testing::per_tensor;
using host_ref::TfliteInterpreter;
using host_ref::TfliteLibrary;
using host_ref::TfliteOptions;
using ::testing::ElementsAre;
using testing::FakeHost;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Options = std::vector<std::pair<std::string, std::string>>;
using Bytes = std::vector<std::byte>;

// ---- Entry points -------------------------------------------------------------------------------

std::string callback_message;
void keep_message(const char* message) { callback_message = message; }

class PluginEntryPoints : public ::testing::Test {
 protected:
  using Create = abi::Delegate* (*)(char**, char**, size_t, void (*)(const char*));
  using Destroy = void (*)(abi::Delegate*);

  void SetUp() override {
    library_ = dlopen(LOCKSTEP_TFLITE_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr) << dlerror();
    create_ = reinterpret_cast<Create>(dlsym(library_, "tflite_plugin_create_delegate"));
    destroy_ = reinterpret_cast<Destroy>(dlsym(library_, "tflite_plugin_destroy_delegate"));
    ASSERT_NE(create_, nullptr);
    ASSERT_NE(destroy_, nullptr);
    callback_message.clear();
    sum_ = host_.add_node(graph::builtin::kAdd, {x_, x_}, {y_}, &params_);
  }

  void TearDown() override {
    if (destroy_ != nullptr) {
      destroy_(delegate_);
    }
  }

  void create(Options options, void (*callback)(const char*) = keep_message) {
    std::vector<char*> keys;
    std::vector<char*> values;
    for (auto& [key, value] : options) {
      keys.push_back(key.data());
      values.push_back(value.data());
    }
    delegate_ = create_(keys.data(), values.data(), options.size(), callback);
  }

  void* library_ = nullptr;
  Create create_ = nullptr;
  Destroy destroy_ = nullptr;
  abi::Delegate* delegate_ = nullptr;
  FakeHost host_;
  abi::BinaryParams params_{abi::Activation::kNone};
  int32_t x_ = host_.add_tensor("x", abi::Type::kInt8, {1, 4}, {0.5f});
  int32_t y_ = host_.add_tensor("y", abi::Type::kInt8, {1, 4}, {0.5f});
  int32_t sum_ = 0;
};

TEST_F(PluginEntryPoints, ASupportedNodeIsTaken) {
  create({{"device", "ref"}});
  ASSERT_NE(delegate_, nullptr) << callback_message;
  EXPECT_EQ(delegate_->flags, abi::Delegate::kAllowDynamicTensors);
  EXPECT_EQ(delegate_->prepare(host_.context(), delegate_), abi::Status::kOk);
  EXPECT_THAT(host_.replaced_nodes, ElementsAre(ElementsAre(sum_)));
  EXPECT_THAT(host_.reported_errors, IsEmpty());
}

TEST_F(PluginEntryPoints, AnUnknownOptionIsToldToTheCallback) {
  create({{"devise", "ref"}});
  EXPECT_EQ(delegate_, nullptr);
  EXPECT_THAT(callback_message, HasSubstr("devise"));
  EXPECT_THAT(callback_message, HasSubstr("max_partitions"));
}

TEST_F(PluginEntryPoints, WithoutACallbackAWrongOptionFailsWhenTheDelegateIsApplied) {
  ::testing::internal::CaptureStderr();
  create({{"numerics", "fast"}}, nullptr);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("numerics"));
  ASSERT_NE(delegate_, nullptr);
  EXPECT_EQ(delegate_->prepare(host_.context(), delegate_), abi::Status::kError);
  ASSERT_EQ(host_.reported_errors.size(), 1u);
  EXPECT_THAT(host_.reported_errors[0], HasSubstr("tflite, litert, reference, single"));
  EXPECT_THAT(host_.replaced_nodes, IsEmpty());
}

TEST_F(PluginEntryPoints, MissingKeysAndValuesAreAnErrorNotACrash) {
  char key[] = "device";
  char* keys[] = {key};
  char* values[] = {nullptr};
  EXPECT_EQ(create_(keys, values, 1, keep_message), nullptr);
  EXPECT_EQ(create_(nullptr, nullptr, 1, keep_message), nullptr);
  EXPECT_THAT(callback_message, HasSubstr("missing"));
}

TEST_F(PluginEntryPoints, WithoutADeviceEveryNodeStaysWithTheHostAndItSaysSo) {
  ::testing::internal::CaptureStderr();
  create({{"device", "no such device"}});
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("stays with the host"));
  ASSERT_NE(delegate_, nullptr);
  EXPECT_EQ(delegate_->prepare(host_.context(), delegate_), abi::Status::kOk);
  EXPECT_THAT(host_.replaced_nodes, IsEmpty());
}

TEST_F(PluginEntryPoints, AWrongListFailsWhenTheDelegateIsApplied) {
  create({{"device", "ref"}, {"deny_ops", "ADDD"}});
  ASSERT_NE(delegate_, nullptr);
  EXPECT_EQ(delegate_->prepare(host_.context(), delegate_), abi::Status::kError);
  ASSERT_EQ(host_.reported_errors.size(), 1u);
  EXPECT_THAT(host_.reported_errors[0], HasSubstr("ADDD"));
}

TEST_F(PluginEntryPoints, AHostThatMakesNoSenseKeepsItsNodes) {
  host_.node(sum_).outputs = host_.int_array({77});
  create({{"device", "ref"}, {"log_level", "off"}});
  ASSERT_NE(delegate_, nullptr);
  EXPECT_EQ(delegate_->prepare(host_.context(), delegate_), abi::Status::kOk);
  EXPECT_THAT(host_.replaced_nodes, IsEmpty());
}

TEST_F(PluginEntryPoints, AKernelOutsideOfPrepareIsAnErrorNotACrash) {
  create({{"device", "ref"}});
  ASSERT_NE(delegate_, nullptr);
  ASSERT_EQ(delegate_->prepare(host_.context(), delegate_), abi::Status::kOk);
  const abi::Registration kernel = host_.kernel_registration;
  abi::DelegateParams params{delegate_, host_.int_array({sum_}), host_.int_array({x_}),
                             host_.int_array({y_})};
  abi::Node node{};
  for (int attempt = 0; attempt < 2; ++attempt) {
    node.user_data =
        kernel.init(host_.context(), reinterpret_cast<const char*>(&params), sizeof(params));
    EXPECT_EQ(node.user_data, nullptr);
    EXPECT_EQ(kernel.prepare(host_.context(), &node), abi::Status::kError);
    EXPECT_EQ(kernel.invoke(host_.context(), &node), abi::Status::kError);
    kernel.free(host_.context(), node.user_data);
  }
  EXPECT_THAT(host_.reported_errors, ::testing::Contains(HasSubstr("outside of Prepare")));
}

TEST_F(PluginEntryPoints, AtInfoEveryNodeIsLoggedWithItsReason) {
  host_.add_node(200, {y_}, {host_.add_tensor("z", abi::Type::kInt8, {1, 4}, {0.5f})});
  ::testing::internal::CaptureStderr();
  create({{"device", "ref"}, {"log_level", "info"}});
  ASSERT_NE(delegate_, nullptr);
  EXPECT_EQ(delegate_->prepare(host_.context(), delegate_), abi::Status::kOk);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("node 0 ADD 'y': partition 0"));
  EXPECT_THAT(log, HasSubstr("'z': host, "));
  EXPECT_THAT(log, HasSubstr("1 of 2 nodes"));
}

TEST_F(PluginEntryPoints, AProfileThatCannotBeWrittenIsAnErrorAtOnce) {
  create({{"device", "ref"}, {"profile", "/no/such/folder/trace.json"}}, &keep_message);
  EXPECT_EQ(delegate_, nullptr);
  EXPECT_THAT(callback_message, HasSubstr("cannot write the profile '/no/such/folder/trace.json'"));
}

// ---- Real hosts ---------------------------------------------------------------------------------

class RealHost : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* path = std::getenv(GetParam());
    if (path == nullptr || *path == '\0') {
      GTEST_SKIP() << GetParam() << " is not set";
    }
    auto library = TfliteLibrary::load(path);
    ASSERT_TRUE(library) << library.error().message;
    library_ = *std::move(library);
    std::filesystem::remove(report_path_);
  }

  void TearDown() override { std::filesystem::remove(report_path_); }

  Result<std::unique_ptr<TfliteInterpreter>> try_open(const Bytes& model, Options options) {
    TfliteOptions settings;
    settings.plugin.library = LOCKSTEP_TFLITE_PLUGIN;
    settings.plugin.options = std::move(options);
    settings.plugin.options.emplace_back("report", report_path_.string());
    return TfliteInterpreter::create(library_, model, settings);
  }

  // TFLite 2.2 has no MEAN like 2.9's, and rounds conv as the reference kernels do: ties away from
  // zero.
  bool is_2_2() const { return library_->version().starts_with("2.2"); }

  // Our plugin with the host's arithmetic, on the reference implementation.
  std::unique_ptr<TfliteInterpreter> open(const Bytes& model, Options options = {}) {
    return open_on("ref", model, std::move(options));
  }

  std::unique_ptr<TfliteInterpreter> open_on(const std::string& device, const Bytes& model,
                                             Options options) {
    options.emplace_back("device", device);
    options.emplace_back("numerics", is_2_2() ? "reference" : "tflite");
    auto interpreter = try_open(model, std::move(options));
    EXPECT_TRUE(interpreter) << interpreter.error().message;
    return interpreter ? *std::move(interpreter) : nullptr;
  }

  std::unique_ptr<TfliteInterpreter> open_without_plugin(const Bytes& model) {
    auto interpreter = TfliteInterpreter::create(library_, model, {});
    EXPECT_TRUE(interpreter) << interpreter.error().message;
    return interpreter ? *std::move(interpreter) : nullptr;
  }

  nlohmann::json report() const {
    std::ifstream file(report_path_);
    return nlohmann::json::parse(file).at("subgraphs").at(0);
  }

  // Partition of each node, in the order of the plan.
  std::vector<int> partitions() const {
    std::vector<int> partitions;
    const nlohmann::json nodes = report().at("nodes");
    for (const auto& node : nodes) {
      partitions.push_back(node.at("partition"));
    }
    return partitions;
  }

  std::shared_ptr<const TfliteLibrary> library_;
  const std::filesystem::path report_path_ =
      std::filesystem::path(::testing::TempDir()) / "lockstep_plugin_test.json";
};

Bytes file_of(const graph::Graph& graph) {
  auto file = graph::write_tflite(graph);
  if (!file) {
    throw std::logic_error(file.error().message);
  }
  return *std::move(file);
}

// All outputs for inputs made from `seed`.
std::vector<Bytes> run(TfliteInterpreter& interpreter, uint32_t seed) {
  std::mt19937 random(seed);
  for (size_t index = 0; index < interpreter.input_count(); ++index) {
    Bytes input(interpreter.input(index).data.size());
    for (std::byte& byte : input) {
      byte = static_cast<std::byte>(random());
    }
    const Status set = interpreter.set_input(index, input);
    EXPECT_TRUE(set) << set.error().message;
  }
  const Status invoked = interpreter.invoke();
  EXPECT_TRUE(invoked) << invoked.error().message;
  std::vector<Bytes> outputs;
  for (size_t index = 0; index < interpreter.output_count(); ++index) {
    const auto data = interpreter.output(index).data;
    outputs.emplace_back(data.begin(), data.end());
  }
  return outputs;
}

// "" where both are equal, otherwise which output differs in how many bytes.
std::string difference(const std::vector<Bytes>& left, const std::vector<Bytes>& right) {
  std::string text;
  for (size_t output = 0; output < std::max(left.size(), right.size()); ++output) {
    if (output >= left.size() || output >= right.size() ||
        left[output].size() != right[output].size()) {
      return fmt::format("output {} has another size", output);
    }
    size_t count = 0;
    for (size_t index = 0; index < left[output].size(); ++index) {
      count += left[output][index] != right[output][index] ? 1 : 0;
    }
    if (count > 0) {
      text += fmt::format("output {}: {} of {} bytes; ", output, count, left[output].size());
    }
  }
  return text;
}

Bytes with_all_tensors_as_outputs(const graph::Graph& graph) {
  auto exposed = graph::expose_all_tensors(file_of(graph));
  EXPECT_TRUE(exposed) << exposed.error().message;
  return *std::move(exposed);
}

// CONV_2D, DEPTHWISE_CONV_2D, ADD, MAX_POOL_2D, AVERAGE_POOL_2D.
Bytes exposed_sample() {
  GraphBuilder builder("sample");
  const auto scale = per_tensor(0.5f, 3);
  const auto values = [](int count) {
    std::vector<int8_t> numbers(static_cast<size_t>(count));
    for (int index = 0; index < count; ++index) {
      numbers[static_cast<size_t>(index)] = static_cast<int8_t>(index * 37 % 255 - 127);
    }
    return numbers;
  };
  const int32_t x = builder.input("x", graph::DataType::kInt8, {1, 8, 8, 4}, scale);
  const int32_t weights =
      builder.constant<int8_t>("weights", {4, 3, 3, 4}, values(144),
                               graph::testing::per_axis({0.001f, 0.002f, 0.003f, 0.004f}, 0));
  const int32_t bias = builder.constant<int32_t>("bias", {4}, {10, -20, 30, -40});
  const int32_t features = builder.conv_2d(x, weights, bias, scale);
  const int32_t filter =
      builder.constant<int8_t>("filter", {1, 3, 3, 4}, values(36), per_tensor(0.005f));
  const int32_t filtered = builder.depthwise_conv_2d(features, filter, bias, scale);
  const int32_t sum = builder.add(x, filtered, per_tensor(0.7f, -5));
  const int32_t pooled =
      builder.pool_2d(sum, {.kind = graph::PoolKind::kMax, .filter_height = 2, .filter_width = 2},
                      per_tensor(0.7f, -5));
  return with_all_tensors_as_outputs(
      builder.build({builder.conv_2d(pooled, weights, bias, per_tensor(0.9f, -5))}));
}

TEST_P(RealHost, EveryTensorHasTheHostsOwnBits) {
  const Bytes model = exposed_sample();
  const auto ours = open(model);
  const auto theirs = open_without_plugin(model);
  ASSERT_TRUE(ours && theirs);
  for (const uint32_t seed : {1u, 2u, 3u}) {
    EXPECT_EQ(difference(run(*ours, seed), run(*theirs, seed)), "");
  }
  const nlohmann::json placement = report();
  EXPECT_EQ(placement.at("partitions"), 1);
  for (const auto& node : placement.at("nodes")) {
    EXPECT_EQ(node.at("partition"), 0);
    EXPECT_EQ(node.at("variant"), "reference");
    EXPECT_EQ(node.at("reason"), "");
  }
}

TEST_P(RealHost, ACaseOfEveryOperatorHasTheHostsOwnBits) {
  if (is_2_2()) {
    GTEST_SKIP() << "no contract of ours is that of TFLite 2.2 for every operator";
  }
  for (const graph::Graph& graph : graph::testing::sample_graphs()) {
    SCOPED_TRACE(graph.name);
    const Bytes model = file_of(graph);
    const auto theirs = TfliteInterpreter::create(library_, model, {});
    if (!theirs) {
      continue;  // TFLite refuses the model
    }
    const auto ours = open(model);
    ASSERT_TRUE(ours);
    EXPECT_EQ(difference(run(*ours, 12), run(**theirs, 12)), "");
  }
}

TEST_P(RealHost, ProfilesAreTracesOfEveryRunOfEveryPartition) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "lockstep_plugin_profile.json";
  const Bytes model = exposed_sample();
  {
    const auto ours = open_on("llvmpipe", model, {{"deny_ops", "ADD"}, {"profile", path.string()}});
    const auto theirs = open_without_plugin(model);
    ASSERT_TRUE(ours && theirs);
    std::ifstream file(report_path_);
    if (nlohmann::json::parse(file).at("backend") != "vulkan") {
      GTEST_SKIP() << "no device that can be profiled";
    }
    for (const uint32_t seed : {1u, 2u, 3u}) {
      EXPECT_EQ(difference(run(*ours, seed), run(*theirs, seed)), "");
    }
  }
  std::ifstream file(path);
  std::map<int, int> waits_of_partition;
  std::set<std::string> kernels;
  const auto trace = nlohmann::json::parse(file);
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("name") == "wait") {
      ++waits_of_partition[event.at("pid").get<int>()];
    }
    if (event.at("ph") == "X" && event.contains("args")) {
      kernels.insert(event.at("args").at("kernel").get<std::string>());
    }
  }
  EXPECT_THAT(waits_of_partition, ElementsAre(std::pair(0, 3), std::pair(1, 3)));
  EXPECT_GE(kernels.size(), 3u);
  std::filesystem::remove(path);
}

TEST_P(RealHost, NodesDeniedRunOnTheHostBetweenPartitions) {
  const Bytes model = exposed_sample();
  const auto ours = open(model, {{"deny_ops", "ADD"}});
  const auto theirs = open_without_plugin(model);
  ASSERT_TRUE(ours && theirs);
  EXPECT_EQ(difference(run(*ours, 4), run(*theirs, 4)), "");
  EXPECT_THAT(partitions(), ElementsAre(0, 0, -1, 1, 1));
  EXPECT_EQ(report().at("partitions"), 2);
  EXPECT_THAT(report().at("nodes").at(2).at("reason").get<std::string>(), HasSubstr("deny_ops"));
}

TEST_P(RealHost, MaxPartitionsAndMinNodesHold) {
  const Bytes model = exposed_sample();
  ASSERT_TRUE(open(model, {{"deny_ops", "ADD"}, {"max_partitions", "1"}}));
  EXPECT_THAT(partitions(), ElementsAre(0, 0, -1, -1, -1));
  EXPECT_EQ(report().at("partitions"), 1);
  ASSERT_TRUE(open(model, {{"deny_ops", "ADD"}, {"min_nodes", "3"}}));
  EXPECT_THAT(partitions(), ::testing::Each(-1));
}

TEST_P(RealHost, PartitionsAreTheOnesTheHostMakes) {
  std::mt19937 random(99);
  const auto scale = per_tensor(0.5f);
  for (int round = 0; round < 30; ++round) {
    GraphBuilder builder("random additions");
    std::vector<int32_t> tensors = {builder.input("x", graph::DataType::kInt8, {1, 4}, scale)};
    std::string denied;
    for (int index = 0; index < 12; ++index) {
      const auto earlier = [&] { return tensors[random() % tensors.size()]; };
      tensors.push_back(builder.add(earlier(), earlier(), scale));
      if (random() % 3 == 0) {
        denied += builder.tensor_at(tensors.back()).name + ",";
      }
    }
    const Bytes model =
        file_of(builder.build(std::vector<int32_t>(tensors.begin() + 1, tensors.end())));
    const auto ours = open(model, {{"deny_ops", denied}});
    const auto theirs = open_without_plugin(model);
    ASSERT_TRUE(ours && theirs);
    EXPECT_EQ(difference(run(*ours, 6), run(*theirs, 6)), "");
    std::set<int> distinct;
    for (const int partition : partitions()) {
      if (partition >= 0) {
        distinct.insert(partition);
      }
    }
    EXPECT_EQ(report().at("partitions"), distinct.size()) << denied;
  }
}

TEST_P(RealHost, ResizedInputsAreFollowed) {
  const Bytes model = exposed_sample();
  const auto ours = open(model, {{"deny_ops", "ADD"}});
  const auto theirs = open_without_plugin(model);
  ASSERT_TRUE(ours && theirs);
  const auto before = run(*ours, 8);
  EXPECT_EQ(difference(before, run(*theirs, 8)), "");
  for (const int32_t batch : {3, 2, 1}) {
    graph::Shape shape = ours->input(0).shape;
    shape[0] = batch;
    for (TfliteInterpreter* interpreter : {ours.get(), theirs.get()}) {
      const Status resized = interpreter->resize_input(0, shape);
      ASSERT_TRUE(resized) << resized.error().message;
    }
    EXPECT_EQ(ours->output(0).shape[0], batch);
    EXPECT_EQ(difference(run(*ours, 9), run(*theirs, 9)), "") << batch;
  }
  EXPECT_EQ(difference(run(*ours, 8), before), "");
}

// x -> ADD -> RESHAPE -> ADD, where the shape (inputs: x, shape) is known only when it runs. Our
// writer makes no such file: it is made with a constant shape, whose contents are then taken away.
Bytes file_with_a_late_shape() {
  GraphBuilder builder("late shape");
  const auto scale = per_tensor(0.5f);
  const int32_t x = builder.input("x", graph::DataType::kInt8, {1, 4}, scale);
  builder.input("placeholder", graph::DataType::kInt32, {2});
  const int32_t sum = builder.add(x, x, scale);
  const int32_t reshaped = builder.reshape(sum, {2, 2});
  const graph::Graph graph = builder.build({builder.add(reshaped, reshaped, scale)});
  const int32_t shape = graph.operators.at(1).inputs.at(1);

  // Fields of the format's tables, by their position in the schema.
  const auto field = [](int position) {
    return static_cast<flatbuffers::voffset_t>(4 + 2 * position);
  };
  using Tables = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::Table>>;
  Bytes file = file_of(graph);
  auto* const model = flatbuffers::GetMutableRoot<flatbuffers::Table>(file.data());
  auto* const subgraph = model->GetPointer<Tables*>(field(2))->GetMutableObject(0);
  auto* const tensors = subgraph->GetPointer<Tables*>(field(0));
  auto* const inputs = subgraph->GetPointer<flatbuffers::Vector<int32_t>*>(field(1));
  inputs->Mutate(1, shape);
  auto* const tensor = tensors->GetMutableObject(static_cast<flatbuffers::uoffset_t>(shape));
  EXPECT_TRUE(tensor->SetField<uint32_t>(field(2), 0, 0));  // the buffer that is empty
  return file;
}

TEST_P(RealHost, ShapesThatComeWhileTheNetworkRunsAreFollowed) {
  const Bytes model = file_with_a_late_shape();
  const auto ours = open(model);
  ASSERT_TRUE(ours);
  EXPECT_THAT(partitions(), ElementsAre(0, -1, 1));
  const std::array<int8_t, 4> values = {1, -2, 3, 4};
  const std::array<int32_t, 2> column = {4, 1};
  ASSERT_TRUE(ours->set_input(0, std::as_bytes(std::span(values))));
  ASSERT_TRUE(ours->set_input(1, std::as_bytes(std::span(column))));
  const Status invoked = ours->invoke();
  ASSERT_TRUE(invoked) << invoked.error().message;
  const std::array<int8_t, 4> expected = {4, -8, 12, 16};
  EXPECT_THAT(ours->output(0).shape, ElementsAre(4, 1));
  EXPECT_THAT(ours->output(0).data,
              ::testing::ElementsAreArray(std::as_bytes(std::span(expected))));
}

TEST_P(RealHost, SeveralInterpretersRunSideBySide) {
  const Bytes model = exposed_sample();
  const auto first = open(model);
  const auto second = open(model, {{"deny_ops", "CONV_2D"}});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(difference(run(*first, 10), run(*second, 10)), "");
}

TEST_P(RealHost, AWrongOptionIsAnErrorOfTheHost) {
  EXPECT_FALSE(try_open(exposed_sample(), {{"colour", "blue"}}));
  EXPECT_FALSE(try_open(exposed_sample(), {{"device", "ref"}, {"allow_ops", "NOTHING"}}));
}

TEST_P(RealHost, WithoutADeviceTheHostComputesEverything) {
  const Bytes model = exposed_sample();
  const auto ours = try_open(model, {{"device", "no such device"}, {"log_level", "off"}});
  ASSERT_TRUE(ours) << ours.error().message;
  EXPECT_EQ(difference(run(**ours, 11), run(*open_without_plugin(model), 11)), "");
  EXPECT_THAT(partitions(), ::testing::Each(-1));
}

INSTANTIATE_TEST_SUITE_P(Versions, RealHost,
                         ::testing::Values("LOCKSTEP_TFLITE_LIBRARY",
                                           "LOCKSTEP_TFLITE_2_2_LIBRARY"),
                         [](const auto& parameter) {
                           return std::string(parameter.param).find("2_2") == std::string::npos
                                      ? "Tflite29"
                                      : "Tflite22";
                         });

// ---- TFLite's own loader of plugins -------------------------------------------------------------

// TfLiteExternalDelegateOptions.
struct ExternalDelegateOptions {
  const char* library;
  int count;
  const char* keys[256];
  const char* values[256];
  void* insert;
};

class ExternalDelegate : public PluginEntryPoints {
 protected:
  void SetUp() override {
    PluginEntryPoints::SetUp();
    const char* path = std::getenv("LOCKSTEP_TFLITE_EXTERNAL_DELEGATE");
    if (path == nullptr || *path == '\0') {
      GTEST_SKIP() << "LOCKSTEP_TFLITE_EXTERNAL_DELEGATE is not set";
    }
    void* const loader = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(loader, nullptr) << dlerror();
    create_external_ = reinterpret_cast<abi::Delegate* (*)(const ExternalDelegateOptions*)>(
        dlsym(loader, "TfLiteExternalDelegateCreate"));
    destroy_ = reinterpret_cast<Destroy>(dlsym(loader, "TfLiteExternalDelegateDelete"));
    ASSERT_NE(create_external_, nullptr);
    ASSERT_NE(destroy_, nullptr);
  }

  void create_with(const char* key, const char* value) {
    const ExternalDelegateOptions options{LOCKSTEP_TFLITE_PLUGIN, 1, {key}, {value}, nullptr};
    delegate_ = create_external_(&options);
    ASSERT_NE(delegate_, nullptr);
  }

  abi::Delegate* (*create_external_)(const ExternalDelegateOptions*) = nullptr;
};

TEST_F(ExternalDelegate, LoadsThePlugin) {
  create_with("device", "ref");
  EXPECT_EQ(delegate_->prepare(host_.context(), delegate_), abi::Status::kOk);
  EXPECT_THAT(host_.replaced_nodes, ElementsAre(ElementsAre(sum_)));
}

TEST_F(ExternalDelegate, SurvivesAWrongOption) {
  create_with("numerics", "fast");
  EXPECT_EQ(delegate_->prepare(host_.context(), delegate_), abi::Status::kError);
  EXPECT_THAT(host_.reported_errors, ElementsAre(HasSubstr("numerics")));
}

}  // namespace
}  // namespace lockstep::delegate
