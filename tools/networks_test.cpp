// Real networks in the real TFLite, on every Vulkan device found: all tensors bit-equal, and the
// heavy operators on the device in one partition. Needs a TFLite library, named by the environment
// variable LOCKSTEP_TFLITE_LIBRARY; networks come from the build option LOCKSTEP_MODELS_DIR and
// from LOCKSTEP_SSD_MODEL, and those that are absent are skipped.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "backend/registry.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "delegate_api/engine.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "tools/network_inputs.h"
#include "tools/testing/partitions.h"
#include "tools/verification.h"

namespace lockstep::tools {
namespace {

const auto* const kValidation = backend::vulkan::testing::fail_on_validation_messages();

std::filesystem::path path_variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::filesystem::path(value) : std::filesystem::path();
}

// A network to test, and what is true of it.
struct Network {
  const char* name;     // file in LOCKSTEP_MODELS_DIR without ".tflite"; "" is LOCKSTEP_SSD_MODEL
  bool is_int8 = true;  // XNNPACK of TFLite 2.9 takes int8 networks only
};

constexpr std::array<Network, 9> kNetworks{{{"ad01_autoencoder_int8"},
                                            {"kws_dscnn_int8"},
                                            {"micro_speech_int8"},
                                            {"mobilenet_v2_224_int8_ptq"},
                                            {"mobilenet_v2_224_uint8_qat", false},
                                            {"person_detect_int8"},
                                            {"resnet8_cifar10_int8"},
                                            {"vww_mobilenet_v1_025_96_int8"},
                                            {"", false}}};

std::string test_name(const ::testing::TestParamInfo<Network>& info) {
  return *info.param.name == '\0' ? "ssd_mobilenet_v2_300_uint8" : info.param.name;
}

class RealNetwork : public ::testing::TestWithParam<Network> {
 protected:
  void SetUp() override {
    path_ = *GetParam().name == '\0' ? path_variable("LOCKSTEP_SSD_MODEL")
                                     : std::filesystem::path(LOCKSTEP_MODELS_DIR) /
                                           (std::string(GetParam().name) + ".tflite");
    settings_.tflite_library = path_variable("LOCKSTEP_TFLITE_LIBRARY");
    settings_.plugin_library = LOCKSTEP_TFLITE_PLUGIN;
    if (!std::filesystem::exists(path_)) GTEST_SKIP() << "no network at '" << path_.string() << "'";
    if (settings_.tflite_library.empty()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is not set";
    auto model = read_model_for_verification(path_);
    ASSERT_TRUE(model) << model.error().message;
    // TFLite 2.9 refuses files that give a bias a quantized dimension it does not have; our writer
    // says the same thing the way it wants it.
    auto rewritten = graph::write_tflite(model->graph);
    const bool is_rewritten = rewritten && std::string(GetParam().name) == "person_detect_int8";
    if (is_rewritten) {
      const auto file = std::filesystem::path(::testing::TempDir()) / "lockstep_rewritten.tflite";
      std::FILE* stream = std::fopen(file.c_str(), "wb");
      ASSERT_NE(stream, nullptr);
      std::fwrite(rewritten->data(), 1, rewritten->size(), stream);
      std::fclose(stream);
      model = read_model_for_verification(file);
      ASSERT_TRUE(model) << model.error().message;
    }
    model_ = std::move(*model);
    for (uint64_t sample = 0; sample < 2; ++sample) {
      auto inputs = make_inputs(model_.graph, {}, sample);
      ASSERT_TRUE(inputs) << inputs.error().message;
      samples_.push_back(std::move(*inputs));
    }
  }

  void expect_exact_on_all_devices(numerics::Contract contract) {
    settings_.contract = contract;
    int compared = 0;
    const auto devices = backend::list_devices();
    for (size_t i = 0; i < devices.size(); ++i) {
      if (devices[i].backend == "ref") continue;
      SCOPED_TRACE(devices[i].name);
      settings_.device = std::to_string(i);
      const auto verification = verify(model_, settings_, samples_);
      ASSERT_TRUE(verification) << verification.error().message;
      EXPECT_GE(verification->tensors.size(), 4u);
      EXPECT_EQ(verification->equal_tensors(), verification->tensors.size());
      EXPECT_EQ(verification->outputs_equal, verification->outputs_compared);
      testing::expect_heavy_operators_in_one_partition(verification->placement);
      ++compared;
    }
    if (compared == 0) GTEST_SKIP() << "no Vulkan device";
  }

  // Our own engine on `device` against `expected`, a TFLite interpreter of the exposed model.
  void expect_engine_equals(const std::shared_ptr<backend::Device>& device,
                            numerics::Contract contract) {
    const auto library = host_ref::TfliteLibrary::load(settings_.tflite_library);
    ASSERT_TRUE(library) << library.error().message;
    settings_.contract = contract;
    const auto peer = peer_options(settings_);
    ASSERT_TRUE(peer) << peer.error().message;
    const auto expected = host_ref::TfliteInterpreter::create(*library, model_.exposed, *peer);
    ASSERT_TRUE(expected) << expected.error().message;
    delegate::EngineOptions options;
    options.partition.contract = contract;
    options.keep_all_tensors = true;
    const auto engine = delegate::Engine::create(model_.graph, device, options);
    ASSERT_TRUE(engine) << engine.error().message;
    for (size_t i = 0; i < samples_[0].size(); ++i) {
      ASSERT_TRUE((*expected)->set_input(i, samples_[0][i]));
      ASSERT_TRUE((*engine)->set_input(i, samples_[0][i]));
    }
    ASSERT_TRUE((*expected)->invoke());
    ASSERT_TRUE((*engine)->run());
    int compared = 0;
    for (size_t i = 0; i < model_.exposed_graph.outputs.size(); ++i) {
      const int32_t tensor = model_.exposed_graph.outputs[i];
      const auto actual = (*engine)->tensor(tensor);
      if (!actual) continue;  // behind an operator that only a host has (post-processing)
      const auto view = (*expected)->output(i);
      const auto comparison = compare_tensors(view.type, view.data, *actual);
      ASSERT_TRUE(comparison) << view.name;
      EXPECT_TRUE(comparison->is_equal())
          << view.name << ": " << comparison->differing << " of " << comparison->elements;
      ++compared;
    }
    EXPECT_GE(compared, 4);
  }

  std::filesystem::path path_;
  EngineSettings settings_;
  VerifiedModel model_;
  std::vector<Sample> samples_;
};

TEST_P(RealNetwork, IsBitEqualToBuiltinKernelsOnEveryDevice) {
  expect_exact_on_all_devices(numerics::Contract::kTflite);
}

TEST_P(RealNetwork, IsBitEqualToXnnpackOnEveryDevice) {
  if (!GetParam().is_int8) GTEST_SKIP() << "XNNPACK of TFLite 2.9 refuses uint8 networks";
  expect_exact_on_all_devices(numerics::Contract::kLitert);
}

TEST_P(RealNetwork, TheReferenceIsBitEqualToBuiltinKernels) {
  expect_engine_equals(nullptr, numerics::Contract::kTflite);
}

TEST_P(RealNetwork, TheReferenceIsBitEqualToXnnpack) {
  if (!GetParam().is_int8) GTEST_SKIP() << "XNNPACK of TFLite 2.9 refuses uint8 networks";
  expect_engine_equals(nullptr, numerics::Contract::kLitert);
}

// Whoever asks for every tensor, as the tests above do, gets programs in which nothing is fused.
TEST_P(RealNetwork, FusedProgramsAreBitEqualToTheReference) {
  const auto run = [&](const std::shared_ptr<backend::Device>& device,
                       numerics::Contract contract) -> std::unique_ptr<delegate::Engine> {
    delegate::EngineOptions options;
    options.partition.contract = contract;
    auto engine = delegate::Engine::create(model_.graph, device, options);
    EXPECT_TRUE(engine) << engine.error().message;
    if (!engine) return nullptr;
    for (size_t i = 0; i < samples_[1].size(); ++i) {
      EXPECT_TRUE((*engine)->set_input(i, samples_[1][i]));
    }
    EXPECT_TRUE((*engine)->run());
    return std::move(*engine);
  };
  const auto devices = backend::list_devices();
  int compared = 0;
  for (const numerics::Contract contract : numerics::kAllContracts) {
    const auto expected = run(nullptr, contract);
    ASSERT_NE(expected, nullptr);
    for (size_t i = 0; i < devices.size(); ++i) {
      if (devices[i].backend == "ref") continue;
      SCOPED_TRACE(fmt::format("{}, {}", devices[i].name, numerics::contract_name(contract)));
      const auto device = backend::open_device(std::to_string(i), {});
      ASSERT_TRUE(device) << device.error().message;
      const auto actual = run(*device, contract);
      ASSERT_NE(actual, nullptr);
      // Outputs of the network, and what the host goes on with.
      const int compared_before = compared;
      for (const graph::Operator& op : model_.graph.operators) {
        const auto wanted = expected->tensor(op.outputs[0]);
        const auto computed = actual->tensor(op.outputs[0]);
        if (!wanted || !computed) continue;
        EXPECT_TRUE(std::ranges::equal(*wanted, *computed)) << op.name;
        ++compared;
      }
      EXPECT_GT(compared, compared_before);
    }
  }
  if (compared == 0) GTEST_SKIP() << "no Vulkan device";
}

// Networks that compute in float: the host keeps every node, says why, and nothing changes.
class FloatNetwork : public ::testing::TestWithParam<const char*> {};

TEST_P(FloatNetwork, StaysWithTheHostForAStatedReason) {
  const auto path =
      std::filesystem::path(LOCKSTEP_MODELS_DIR) / (std::string(GetParam()) + ".tflite");
  EngineSettings settings;
  settings.tflite_library = path_variable("LOCKSTEP_TFLITE_LIBRARY");
  settings.plugin_library = LOCKSTEP_TFLITE_PLUGIN;
  settings.device = "ref";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no network at '" << path.string() << "'";
  if (settings.tflite_library.empty()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is not set";
  const auto model = read_model_for_verification(path);
  ASSERT_TRUE(model) << model.error().message;
  const auto inputs = make_inputs(model->graph, {});
  ASSERT_TRUE(inputs) << inputs.error().message;
  const auto verification = verify(*model, settings, std::span(&*inputs, 1));
  ASSERT_TRUE(verification) << verification.error().message;
  EXPECT_TRUE(verification->is_exact());
  for (const auto& node : verification->placement.at("subgraphs")[0].at("nodes")) {
    EXPECT_EQ(node.at("partition"), -1);
    EXPECT_NE(node.at("reason"), "") << node;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, FloatNetwork,
                         ::testing::Values("ad01_autoencoder_float32", "kws_dscnn_dynamic_range",
                                           "resnet8_cifar10_float32",
                                           "toycar_autoencoder_dynamic_range",
                                           "vww_mobilenet_v1_025_96_float32"));

INSTANTIATE_TEST_SUITE_P(Networks, RealNetwork, ::testing::ValuesIn(kNetworks), test_name);

}  // namespace
}  // namespace lockstep::tools
