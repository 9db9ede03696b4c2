// The families of operators without weights, and of whole networks: every case is one that all who
// use it may rely on, and together they cover what they promise.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "conformance/coverage.h"
#include "conformance/generator.h"
#include "conformance/generators/measurement.h"
#include "graph/lowering.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "host_ref/interpreter.h"
#include "numerics/contract.h"

namespace lockstep::conformance {
namespace {

using graph::Graph;
using graph::Tensor;

// All but those with weights, which have tests of their own.
const std::vector<Generator>& families() {
  static const std::vector<Generator> kFamilies = [] {
    const std::set<std::string_view> weighted{"conv_2d", "depthwise_conv_2d", "fully_connected"};
    std::vector<Generator> others;
    std::ranges::copy_if(all_generators(), std::back_inserter(others),
                         [&](const Generator& each) { return !weighted.contains(each.family); });
    return others;
  }();
  return kFamilies;
}

std::vector<Case> generate_all(const GeneratorOptions& options) {
  std::vector<Case> cases;
  for (const Generator& family : families()) {
    Result<std::vector<Case>> made = family.generate(options);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    if (made) {
      std::ranges::move(*made, std::back_inserter(cases));
    }
  }
  return cases;
}

const std::vector<Case>& default_cases() {
  static const std::vector<Case> kCases = generate_all({});
  return kCases;
}

TEST(OperatorFamiliesTest, EveryCaseIsAValidGraphWithInputsOfItsSizes) {
  for (const Case& made : default_cases()) {
    SCOPED_TRACE(made.name);
    const Status status = graph::validate(made.graph);
    EXPECT_TRUE(status.has_value()) << status.error().message;
    EXPECT_THAT(made.name, ::testing::StartsWith(made.family + "/"));
    ASSERT_EQ(made.inputs.size(), made.graph.inputs.size());
    for (size_t i = 0; i < made.inputs.size(); ++i) {
      const Tensor& input = made.graph.tensors[static_cast<size_t>(made.graph.inputs[i])];
      EXPECT_EQ(made.inputs[i].size(),
                static_cast<size_t>(graph::element_count(input.shape).value()) *
                    graph::data_type_size(input.type));
    }
  }
}

TEST(OperatorFamiliesTest, NamesAreUnique) {
  std::set<std::string> names;
  for (const Case& made : generate_all({.seed = 1, .random_cases = 3})) {
    EXPECT_TRUE(names.insert(made.name).second) << made.name;
  }
}

// The file holds the whole graph.
std::vector<std::byte> file_of(const Case& made) {
  Result<std::vector<std::byte>> file = graph::write_tflite(made.graph);
  EXPECT_TRUE(file.has_value()) << made.name << ": " << file.error().message;
  return file ? *std::move(file) : std::vector<std::byte>();
}

void expect_same_cases(const std::vector<Case>& first, const std::vector<Case>& second) {
  ASSERT_EQ(first.size(), second.size());
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].name, second[i].name);
    EXPECT_EQ(first[i].inputs, second[i].inputs) << first[i].name;
    EXPECT_EQ(first[i].coverage, second[i].coverage) << first[i].name;
    EXPECT_EQ(file_of(first[i]), file_of(second[i])) << first[i].name;
  }
}

TEST(OperatorFamiliesTest, SameOptionsMakeTheSameCases) {
  expect_same_cases(default_cases(), generate_all({}));
  const GeneratorOptions options{.seed = 7, .random_cases = 4};
  expect_same_cases(generate_all(options), generate_all(options));
}

TEST(OperatorFamiliesTest, TheSeedChangesWhatIsRandomAndNothingElse) {
  std::map<std::string, Case> by_name;
  for (const Case& made : default_cases()) {
    by_name.emplace(made.name, made);
  }
  size_t random_networks = 0;
  for (const Case& made : generate_all({.seed = 2, .random_cases = 0})) {
    SCOPED_TRACE(made.name);
    if (made.family == "random_networks") {
      EXPECT_FALSE(by_name.contains(made.name));
      ++random_networks;
      continue;
    }
    ASSERT_TRUE(by_name.contains(made.name));
    EXPECT_EQ(made.inputs, by_name.at(made.name).inputs);
    EXPECT_EQ(file_of(made), file_of(by_name.at(made.name)));
  }
  EXPECT_GT(random_networks, 0u);
}

TEST(OperatorFamiliesTest, RandomCasesComeOnTopOfTheOthers) {
  for (const Generator& family : families()) {
    const auto without = family.generate({.seed = 3, .random_cases = 0});
    const auto with = family.generate({.seed = 3, .random_cases = 5});
    ASSERT_TRUE(without.has_value() && with.has_value()) << family.family;
    EXPECT_EQ(with->size(), without->size() + 5) << family.family;
  }
}

TEST(OperatorFamiliesTest, NoRequiredValueIsMissed) {
  const CoverageTable table = measure_coverage(default_cases(), families());
  for (const CoverageHole& hole : table.holes) {
    ADD_FAILURE() << hole.family << " misses " << hole.dimension << " = " << hole.value;
  }
}

// Whatever windows the family has: an even divisor means two ties, and signed sums have both signs.
TEST(OperatorFamiliesTest, AveragesTieUnderEveryEvenDivisor) {
  const CoverageTable table = measure_coverage(default_cases(), families());
  const auto& average = table.hits.at("average_pool_2d");
  for (const auto& [divisor, count] : average.at("divisor")) {
    if (std::stoi(divisor) % 2 == 0) {
      EXPECT_TRUE(average.at("tie").contains("positive of " + divisor)) << divisor;
      EXPECT_TRUE(average.at("tie").contains("negative of " + divisor)) << divisor;
    }
  }
}

TEST(OperatorFamiliesTest, AFusedActivationIsMeasuredByWhatItChanges) {
  for (const Case& made : default_cases()) {
    const auto clipping = std::ranges::find(made.coverage, "clipping", &CoveragePoint::dimension);
    if (made.family == "add" && made.name.find(" clips ") != std::string::npos) {
      ASSERT_NE(clipping, made.coverage.end()) << made.name;
      EXPECT_THAT(made.name, ::testing::HasSubstr(clipping->value));
    }
  }
}

// What no contract computes, and why. Everything else every contract does.
const std::map<std::string, std::string>& refusals() {
  static const std::map<std::string, std::string> kRefusals = [] {
    std::map<std::string, std::string> made;
    for (const std::string_view mean :
         {"rank 3 axes 0,2 int8", "rank 4 axes 0,2 int8", "rank 4 axes 0,3 int8",
          "rank 4 axes 1,3 int8", "rank 4 axes 0,1,3 int8", "rank 4 axes 0,2,3 int8"}) {
      made[fmt::format("mean/{}", mean)] = "the dimensions it reduces are not neighbours";
    }
    return made;
  }();
  return kRefusals;
}

TEST(OperatorFamiliesTest, EveryContractComputesEveryCaseButTheRefusedOnes) {
  std::map<std::string, std::string> refused;
  for (const Case& made : default_cases()) {
    SCOPED_TRACE(made.name);
    size_t refusing_contracts = 0;
    for (const numerics::Contract contract : numerics::kAllContracts) {
      Result<graph::LoweredGraph> lowered = graph::lower(made.graph, contract);
      if (!lowered) {
        const std::string& message = lowered.error().message;
        refused[made.name] = message.substr(message.rfind(": ") + 2);
        ++refusing_contracts;
        continue;
      }
      auto interpreter = host_ref::Interpreter::create(*std::move(lowered));
      ASSERT_TRUE(interpreter.has_value()) << interpreter.error().message;
      for (size_t i = 0; i < made.inputs.size(); ++i) {
        ASSERT_TRUE(interpreter->set_input(i, made.inputs[i]).has_value());
      }
      ASSERT_TRUE(interpreter->run().has_value());
      for (const int32_t output : made.graph.outputs) {
        const auto contents = interpreter->tensor(output);
        ASSERT_TRUE(contents.has_value());
        EXPECT_FALSE(contents->empty());
      }
    }
    EXPECT_TRUE(refusing_contracts == 0 || refusing_contracts == numerics::kAllContracts.size());
  }
  EXPECT_EQ(refused, refusals());
}

void expect_same_tensor(const Tensor& made, const Tensor& read) {
  EXPECT_EQ(made.name, read.name);
  EXPECT_EQ(made.type, read.type);
  EXPECT_EQ(made.shape, read.shape);
  EXPECT_EQ(made.quantization.scales, read.quantization.scales);
  EXPECT_EQ(made.quantization.zero_points, read.quantization.zero_points);
  EXPECT_TRUE(std::ranges::equal(made.data, read.data));
}

TEST(OperatorFamiliesTest, EveryCaseSurvivesItsFile) {
  for (const Case& made : default_cases()) {
    SCOPED_TRACE(made.name);
    const Result<Graph> read = graph::read_tflite(file_of(made), made.graph.name);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->inputs, made.graph.inputs);
    EXPECT_EQ(read->outputs, made.graph.outputs);
    ASSERT_EQ(read->tensors.size(), made.graph.tensors.size());
    for (size_t i = 0; i < read->tensors.size(); ++i) {
      expect_same_tensor(made.graph.tensors[i], read->tensors[i]);
    }
    ASSERT_EQ(read->operators.size(), made.graph.operators.size());
    for (size_t i = 0; i < read->operators.size(); ++i) {
      EXPECT_EQ(read->operators[i].attributes, made.graph.operators[i].attributes);
      EXPECT_EQ(read->operators[i].inputs, made.graph.operators[i].inputs);
      EXPECT_EQ(read->operators[i].outputs, made.graph.operators[i].outputs);
    }
  }
}

// The default suite has two minutes on two cores, and the quick one seconds.
TEST(OperatorFamiliesTest, CasesAreSmallAndTheQuickOnesFew) {
  constexpr int64_t kAllPairs = 65536;
  size_t large = 0;
  size_t quick = 0;
  std::set<std::string> families_in_quick;
  for (const Case& made : default_cases()) {
    int64_t largest = 0;
    for (const Tensor& tensor : made.graph.tensors) {
      largest = std::max(largest, graph::element_count(tensor.shape).value());
    }
    EXPECT_LE(largest, kAllPairs) << made.name;
    large += largest > 20000 ? 1 : 0;
    if (made.is_quick) {
      ++quick;
      families_in_quick.insert(made.family);
    }
  }
  EXPECT_LE(large * 10, default_cases().size());
  EXPECT_LE(quick, 70u);
  EXPECT_EQ(families_in_quick.size(), families().size());
}

}  // namespace
}  // namespace lockstep::conformance
