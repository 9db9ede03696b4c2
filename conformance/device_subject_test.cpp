#include "conformance/device_subject.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "backend/registry.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "conformance/runner.h"
#include "conformance/testing/double_device.h"
#include "conformance/testing/simple_cases.h"

namespace lockstep::conformance {
namespace {

using numerics::Contract;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const auto* const kValidation = backend::vulkan::testing::fail_on_validation_messages();

struct ObservedRun {
  std::string mask;
  std::string kernel;
  bool guards_memory;
  uint8_t fill;
  bool reverses_unordered;
  std::byte first_input_byte;
};

// What the devices below were asked for, and what they answer.
struct Script {
  std::vector<std::string> opened_masks;
  std::vector<ObservedRun> runs;
  bool refuses_accumulators = false;
  bool refuses_softmax = false;
  bool is_lost = false;
};
Script script;

bool stores_accumulators(const graph::LoweredOperator& op) {
  const auto* convolution = std::get_if<graph::LoweredConvolution>(&op.operation);
  return convolution != nullptr && convolution->output_stage.stores_accumulators;
}

// Has the kernels "fast" and "slow", and without its one capability only "slow".
class MaskableDevice final : public testing::DoubleDevice {
 public:
  explicit MaskableDevice(std::string mask)
      : DoubleDevice(describe(mask)),
        mask_(mask),
        kernels_(mask == "int-dot" ? std::vector<std::string>{"slow"}
                                   : std::vector<std::string>{"fast", "slow"}) {}

  Status supports(const graph::LoweredGraph&, const graph::LoweredOperator& op) const override {
    if (script.refuses_accumulators && stores_accumulators(op)) {
      return make_error(ErrorCode::kUnsupported, "no accumulators");
    }
    if (script.refuses_softmax && op.name == "SOFTMAX") {
      return make_error(ErrorCode::kUnsupported, "no SOFTMAX");
    }
    return {};
  }
  Result<std::vector<std::string>> kernels(const graph::LoweredGraph&,
                                           const graph::LoweredOperator&) const override {
    return kernels_;
  }
  Result<std::string> fingerprint(const graph::LoweredGraph&,
                                  const backend::CompileOptions& options) const override {
    return options.kernel.empty() ? kernels_.front() : options.kernel;
  }
  Status after_run(const graph::LoweredGraph&, const backend::CompileOptions& options,
                   std::span<const std::span<const std::byte>> inputs,
                   std::span<const std::span<std::byte>>) override {
    script.runs.push_back({mask_, options.kernel, options.guard_memory, options.fill,
                           options.reverse_unordered, inputs[0][0]});
    if (script.is_lost) return make_error(ErrorCode::kDeviceLost, "lost");
    return {};
  }

 private:
  static backend::DeviceDescription describe(const std::string& mask) {
    backend::DeviceDescription description = testing::describe_double("maskable");
    description.capabilities = {{"speed", mask == "int-dot" ? "no" : "yes"}};
    return description;
  }

  std::string mask_;
  std::vector<std::string> kernels_;
};

// Knows three masks, of which "int8" hides nothing it has.
Result<std::shared_ptr<backend::Device>> open_maskable(size_t,
                                                       const backend::DeviceOptions& options) {
  if (options.mask != "" && options.mask != "int-dot" && options.mask != "int8") {
    return make_error(ErrorCode::kInvalidArgument, "no mask '{}'", options.mask);
  }
  script.opened_masks.push_back(options.mask);
  return std::make_shared<MaskableDevice>(options.mask);
}

const bool kIsRegistered =
    backend::register_backend({"maskable",
                               [] {
                                 return Result<std::vector<backend::DeviceDescription>>(
                                     {testing::describe_double("maskable")});
                               },
                               open_maskable})
        .has_value();

class DeviceSubjectTest : public ::testing::Test {
 protected:
  DeviceSubjectTest() {
    script = {};
    EXPECT_TRUE(kIsRegistered);
    subject_ = open_device_subject("maskable device").value();
  }

  std::vector<std::string> groups_of(const Case& source) {
    const auto groups = subject_->configurations(*lower_case(source, Contract::kTflite));
    if (!groups) return {groups.error().message};
    std::vector<std::string> texts;
    for (const ConfigurationGroup& group : *groups) {
      texts.push_back(group.configuration.name());
      for (const Configuration& same : group.equivalent) texts.back() += " = " + same.name();
    }
    return texts;
  }

  Result<std::vector<Observation>> run(const Case& source, const Configuration& configuration,
                                       int32_t repetitions = 2) {
    return subject_->run(*lower_case(source, Contract::kTflite), configuration, repetitions);
  }

  std::unique_ptr<Subject> subject_;
  const Case convolution_ = testing::convolution_case("convolution");
  const Case network_ = testing::network_case("network");
};

TEST_F(DeviceSubjectTest, DescribesTheDevice) {
  EXPECT_EQ(subject_->description().selector, "maskable device");
  EXPECT_EQ(subject_->description().device.backend, "maskable");
  EXPECT_TRUE(subject_->description().shaders.empty());
  EXPECT_THAT(open_device_subject("no such thing").error().message, HasSubstr("maskable device"));
}

TEST_F(DeviceSubjectTest, IsOpenedForEveryMaskThatTheBackendKnows) {
  EXPECT_THAT(script.opened_masks, ElementsAre("", "int-dot", "int8"));
}

TEST_F(DeviceSubjectTest, GroupsWhatComesDownToTheSameCommands) {
  EXPECT_THAT(groups_of(convolution_),
              ElementsAre("default = kernel=fast",
                          "kernel=slow = mask=int-dot = mask=int-dot kernel=slow"));
  // Of a larger graph only the device's own choice.
  EXPECT_THAT(groups_of(network_), ElementsAre("default", "mask=int-dot"));
}

TEST_F(DeviceSubjectTest, RunsWithTheConfigurationItIsTold) {
  ASSERT_TRUE(run(convolution_, {"int-dot", "slow"}));
  for (const ObservedRun& observed : script.runs) {
    EXPECT_EQ(observed.mask, "int-dot");
    EXPECT_EQ(observed.kernel, "slow");
  }
  EXPECT_EQ(run(convolution_, {"invocations=128", ""}).error().code, ErrorCode::kUnsupported);
}

TEST_F(DeviceSubjectTest, RepetitionsDifferInMemoryOrderAndInWhatRanBefore) {
  const auto observations = run(convolution_, {}, 3);
  ASSERT_TRUE(observations);
  ASSERT_EQ(observations->size(), 3u);
  const std::byte own = convolution_.inputs[0][0];
  std::vector<std::string> runs;
  for (const ObservedRun& observed : script.runs) {
    runs.push_back(fmt::format("{}{}{} {}", observed.guards_memory ? "guarded" : "unguarded",
                               observed.fill == 0 ? "" : " filled",
                               observed.reverses_unordered ? " reversed" : "",
                               observed.first_input_byte == own ? "case" : "other inputs"));
  }
  EXPECT_THAT(runs, ElementsAre("guarded filled case", "unguarded reversed other inputs",
                                "unguarded reversed case", "guarded filled other inputs",
                                "guarded filled case"));
}

TEST_F(DeviceSubjectTest, LetsTheHostHelpOutInNetworksOnly) {
  script.refuses_softmax = true;
  const auto observations = run(network_, {});
  ASSERT_TRUE(observations) << observations.error().message;
  EXPECT_EQ(observations->at(0).kernels, "double,host");
  EXPECT_EQ(observations->at(1).outputs,
            compute_reference(*lower_case(network_, Contract::kTflite))->outputs);
  EXPECT_THAT(groups_of(network_), ElementsAre("default", "mask=int-dot"));

  script.refuses_accumulators = true;
  const auto without = run(network_, {});
  ASSERT_TRUE(without) << without.error().message;
  EXPECT_EQ(without->at(0).outputs.size(), 1u);
}

TEST_F(DeviceSubjectTest, RefusesAnOperatorWithTheDevicesReason) {
  Case softmax = network_;
  softmax.graph.operators.erase(softmax.graph.operators.begin());
  softmax.graph.operators.pop_back();
  softmax.graph.inputs = {softmax.graph.operators[0].inputs[0]};
  softmax.graph.outputs = softmax.graph.operators[0].outputs;
  softmax.inputs = {std::vector<std::byte>(12)};
  EXPECT_THAT(groups_of(softmax), ElementsAre("default = kernel=fast",
                                              "kernel=slow = mask=int-dot = "
                                              "mask=int-dot kernel=slow"));
  script.refuses_softmax = true;
  EXPECT_THAT(groups_of(softmax), ElementsAre("no SOFTMAX"));
}

TEST_F(DeviceSubjectTest, ShowsOutputsOfADeviceWithoutAccumulators) {
  script.refuses_accumulators = true;
  const auto observations = run(convolution_, {});
  ASSERT_TRUE(observations) << observations.error().message;
  EXPECT_EQ(observations->at(0).outputs.size(), 1u);
}

TEST_F(DeviceSubjectTest, OpensALostDeviceAgain) {
  script.is_lost = true;
  EXPECT_EQ(run(convolution_, {}).error().code, ErrorCode::kDeviceLost);
  script.is_lost = false;
  script.opened_masks.clear();
  EXPECT_TRUE(run(convolution_, {"int-dot", ""}));
  EXPECT_TRUE(script.opened_masks.empty());
  EXPECT_TRUE(run(convolution_, {}));
  EXPECT_THAT(script.opened_masks, ElementsAre(""));
}

TEST(DeviceSubject, EveryRealDeviceComputesTheSame) {
  const std::vector<std::string> subjects = list_subjects();
  EXPECT_THAT(subjects, Contains("ref"));
  for (const std::string& selector : subjects) {
    auto subject = open_subject(selector);
    ASSERT_TRUE(subject) << subject.error().message;
    SCOPED_TRACE((*subject)->description().device.name);
    EXPECT_EQ((*subject)->description().shaders.empty(),
              (*subject)->description().device.backend != "vulkan");
    for (const Case& source :
         {testing::convolution_case("c"), testing::relu_case("r"), testing::network_case("n")}) {
      RunOptions options;
      options.contracts = {Contract::kTflite};
      options.default_configuration_only = true;
      size_t passed = 0;
      run_case(source, **subject, options, nullptr, {},
               {.begin = [](const RunKey&) {},
                .end =
                    [&](const RunResult& result) {
                      EXPECT_EQ(result.verdict, Verdict::kPass) << result.reason;
                      passed += result.verdict == Verdict::kPass ? 1 : 0;
                    }});
      EXPECT_EQ(passed, 1u);
    }
  }
}

}  // namespace
}  // namespace lockstep::conformance
