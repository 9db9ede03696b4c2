// Real networks with symmetric or pruned weights, in the real TFLite and on every Vulkan device
// found: all tensors bit-equal, and the heavy operators on the device in one partition. Networks
// come from the build option LOCKSTEP_MODELS_DIR and from LOCKSTEP_SSD_MODEL; what is absent is
// skipped, and so is all without LOCKSTEP_TFLITE_LIBRARY.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "backend/registry.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "quantization/channel_pruning.h"
#include "quantization/pruning.h"
#include "quantization/symmetrize.h"
#include "quantization/symmetry_check.h"
#include "tools/network_file.h"
#include "tools/network_inputs.h"
#include "tools/testing/partitions.h"
#include "tools/verification.h"

namespace lockstep::tools {
namespace {

namespace schema = quantization::schema;

const auto* const kValidation = backend::vulkan::testing::fail_on_validation_messages();

std::filesystem::path path_variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::filesystem::path(value) : std::filesystem::path();
}

Status symmetrize(schema::ModelT& model) {
  const auto report = quantization::symmetrize(model, {});
  if (!report) return tl::unexpected(report.error());
  EXPECT_TRUE(quantization::find_asymmetries(model).empty());
  return {};
}

Status symmetrize_per_channel(schema::ModelT& model) {
  const auto report = quantization::symmetrize(
      model, {.per_channel = true, .borders = quantization::UnsignedBorders::kInt8});
  if (!report) return tl::unexpected(report.error());
  EXPECT_TRUE(quantization::find_asymmetries(model).empty());
  return {};
}

Status prune_channels(schema::ModelT& model) {
  const auto report = quantization::prune_channels(model, 0.25);
  if (!report) return tl::unexpected(report.error());
  EXPECT_LT(report->weights, report->weights_before);
  return {};
}

Status prune_weights(schema::ModelT& model) {
  const auto report = quantization::prune_weights(
      model, {.sparsity = 0.5, .block = {.rows = 4, .columns = 1}, .depthwise = true});
  if (!report) return tl::unexpected(report.error());
  EXPECT_FALSE(report->empty());
  return {};
}

struct Case {
  const char* name;
  const char* network;  // file in LOCKSTEP_MODELS_DIR without ".tflite"; "" is LOCKSTEP_SSD_MODEL
  Status (*edit)(schema::ModelT&);
};

constexpr Case kCases[] = {
    {"mobilenet_symmetric", "mobilenet_v2_224_uint8_qat", symmetrize},
    {"mobilenet_symmetric_per_channel", "mobilenet_v2_224_uint8_qat", symmetrize_per_channel},
    {"ssd_symmetric", "", symmetrize},
    {"kws_fewer_channels", "kws_dscnn_int8", prune_channels},
    {"kws_fewer_weights", "kws_dscnn_int8", prune_weights},
    {"mobilenet_fewer_channels", "mobilenet_v2_224_uint8_qat", prune_channels},
    {"person_detect_fewer_channels", "person_detect_int8", prune_channels},
    {"person_detect_fewer_weights", "person_detect_int8", prune_weights},
    {"resnet8_fewer_channels", "resnet8_cifar10_int8", prune_channels},
    {"vww_fewer_channels", "vww_mobilenet_v1_025_96_int8", prune_channels},
};

class EditedNetwork : public ::testing::TestWithParam<Case> {};

TEST_P(EditedNetwork, IsBitEqualToTfliteOnEveryDevice) {
  const auto path = *GetParam().network == '\0' ? path_variable("LOCKSTEP_SSD_MODEL")
                                                : std::filesystem::path(LOCKSTEP_MODELS_DIR) /
                                                      (std::string(GetParam().network) + ".tflite");
  EngineSettings settings;
  settings.tflite_library = path_variable("LOCKSTEP_TFLITE_LIBRARY");
  settings.plugin_library = LOCKSTEP_TFLITE_PLUGIN;
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no network at '" << path.string() << "'";
  if (settings.tflite_library.empty()) GTEST_SKIP() << "LOCKSTEP_TFLITE_LIBRARY is not set";
  auto network = read_network_to_edit(path);
  ASSERT_TRUE(network) << network.error().message;
  const Status edited = GetParam().edit(network->model.tree);
  ASSERT_TRUE(edited) << edited.error().message;
  const auto file = std::filesystem::path(::testing::TempDir()) /
                    ("lockstep_" + std::string(GetParam().name) + ".tflite");
  const auto size = write_network(network->model, file);
  ASSERT_TRUE(size) << size.error().message;

  const auto model = read_model_for_verification(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(model) << model.error().message;
  const auto sample = make_inputs(model->graph, {});
  ASSERT_TRUE(sample) << sample.error().message;
  int compared = 0;
  const auto devices = backend::list_devices();
  for (size_t i = 0; i < devices.size(); ++i) {
    if (devices[i].backend == "ref") continue;
    SCOPED_TRACE(devices[i].name);
    settings.device = std::to_string(i);
    const auto verification = verify(*model, settings, std::span(&*sample, 1));
    ASSERT_TRUE(verification) << verification.error().message;
    EXPECT_TRUE(verification->is_exact());
    testing::expect_heavy_operators_in_one_partition(verification->placement);
    ++compared;
  }
  if (compared == 0) GTEST_SKIP() << "no Vulkan device";
}

INSTANTIATE_TEST_SUITE_P(Cases, EditedNetwork, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace lockstep::tools
