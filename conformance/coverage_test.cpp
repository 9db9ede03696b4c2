// Of the three families of operators with weights, and of coverage itself.
#include "conformance/coverage.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "conformance/generators/families.h"
#include "conformance/generators/weighted_requirements.h"
#include "graph/lowering.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "host_ref/interpreter.h"

namespace lockstep::conformance {

void PrintTo(const CoverageHole& hole, std::ostream* stream) {
  *stream << hole.family << ": nothing covers " << hole.dimension << " = " << hole.value;
}

namespace {

using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::vector<Generator> weighted_families() {
  return {conv_2d_family(), depthwise_conv_2d_family(), fully_connected_family()};
}

std::vector<Case> generate_all(const GeneratorOptions& options) {
  std::vector<Case> all;
  for (const Generator& family : weighted_families()) {
    Result<std::vector<Case>> cases = family.generate(options);
    EXPECT_TRUE(cases.has_value()) << cases.error().message;
    if (cases) std::move(cases->begin(), cases->end(), std::back_inserter(all));
  }
  return all;
}

// Made once: every test looks at the same cases.
const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = generate_all({});
  return kCases;
}

std::vector<Case> cases_that(bool (*wanted)(const Case&)) {
  std::vector<Case> chosen;
  std::copy_if(cases().begin(), cases().end(), std::back_inserter(chosen), wanted);
  return chosen;
}

// Everything of a case that a subject could see, as text.
std::string fingerprint(const Case& source) {
  std::string text = fmt::format("{}|{}|{}", source.name, source.family, source.is_quick);
  const auto add_bytes = [&](std::span<const std::byte> bytes) {
    text.append("|");
    for (const std::byte byte : bytes) text.push_back(static_cast<char>(byte));
  };
  const Result<std::vector<std::byte>> file = graph::write_tflite(source.graph);
  EXPECT_TRUE(file.has_value()) << source.name;
  if (file) add_bytes(*file);
  for (const std::vector<std::byte>& input : source.inputs) add_bytes(input);
  for (const CoveragePoint& point : source.coverage) {
    text += fmt::format("|{}={}", point.dimension, point.value);
  }
  return text;
}

std::vector<std::string> fingerprints(const std::vector<Case>& all) {
  std::vector<std::string> texts;
  std::transform(all.begin(), all.end(), std::back_inserter(texts), fingerprint);
  return texts;
}

bool covers(const Case& source, std::string_view dimension, std::string_view value) {
  return std::any_of(source.coverage.begin(), source.coverage.end(), [&](const auto& point) {
    return point.dimension == dimension && point.value == value;
  });
}

TEST(MeasureCoverage, CountsCasesNotMentions) {
  Case twice;
  twice.family = "conv_2d";
  twice.coverage = {{"batch", "1"}, {"batch", "1"}, {"batch", "2"}};
  Case once;
  once.family = "conv_2d";
  once.coverage = {{"batch", "1"}};
  const std::vector<Case> both{twice, once};
  const CoverageTable table = measure_coverage(both, {});
  EXPECT_EQ(table.hits.at("conv_2d").at("batch").at("1"), 2);
  EXPECT_EQ(table.hits.at("conv_2d").at("batch").at("2"), 1);
  EXPECT_THAT(table.holes, IsEmpty());
}

TEST(MeasureCoverage, NamesWhatNoCaseOfTheFamilyHits) {
  const Generator generator{
      .family = "conv_2d", .description = "", .generate = nullptr, .required_coverage = [] {
        return std::vector<RequiredCoverage>{{"batch", {"1", "2"}}};
      }};
  Case of_this_family;
  of_this_family.family = "conv_2d";
  of_this_family.coverage = {{"batch", "1"}};
  Case of_another;
  of_another.family = "add";
  of_another.coverage = {{"batch", "2"}};
  const std::vector<Case> both{of_this_family, of_another};
  const CoverageTable table = measure_coverage(both, {&generator, 1});
  ASSERT_THAT(table.holes, SizeIs(1));
  EXPECT_EQ(table.holes[0].family, "conv_2d");
  EXPECT_EQ(table.holes[0].dimension, "batch");
  EXPECT_EQ(table.holes[0].value, "2");
}

TEST(WeightedFamilies, CoverEverythingTheyPromise) {
  EXPECT_THAT(measure_coverage(cases(), weighted_families()).holes, IsEmpty());
}

// Some corners are met by one case alone: without it there must be a hole, and it must name the
// corner.
TEST(WeightedFamilies, MissWhatALeftOutCaseAloneCovers) {
  const std::map<std::string, CoveragePoint> only_in{
      {"conv_2d/sum near the smallest", {"accumulator", "sum of products near the smallest"}},
      {"depthwise_conv_2d/multiplier fraction carried", {"multiplier", "fraction carried"}},
      {"fully_connected/ladder 0.0078125 int8", {"ladder", "int8 0.0078125"}},
  };
  for (const auto& [name, point] : only_in) {
    std::vector<Case> without = cases();
    ASSERT_EQ(std::erase_if(without, [&](const Case& source) { return source.name == name; }), 1u)
        << name;
    const CoverageTable table = measure_coverage(without, weighted_families());
    EXPECT_TRUE(std::any_of(table.holes.begin(), table.holes.end(), [&](const CoverageHole& hole) {
      return hole.dimension == point.dimension && hole.value == point.value;
    })) << name;
  }
}

TEST(WeightedFamilies, HaveNamesOfTheirOwnThatBeginWithTheFamily) {
  std::set<std::string> names;
  for (const Case& source : cases()) {
    EXPECT_TRUE(names.insert(source.name).second) << source.name;
    EXPECT_TRUE(source.name.starts_with(source.family + "/")) << source.name;
    EXPECT_EQ(source.graph.name, source.name);
  }
}

TEST(WeightedFamilies, AreTheSameEveryTime) {
  EXPECT_THAT(fingerprints(generate_all({})), ElementsAreArray(fingerprints(cases())));
}

TEST(WeightedFamilies, ChangeNothingButRandomCasesWithTheSeed) {
  const std::vector<std::string> fixed = fingerprints(cases());
  const std::vector<std::string> seven = fingerprints(generate_all({.seed = 7, .random_cases = 3}));
  const std::vector<std::string> eight = fingerprints(generate_all({.seed = 8, .random_cases = 3}));
  const auto random_of = [&](std::vector<std::string> all) {
    std::erase_if(all, [&](const std::string& text) {
      return std::find(fixed.begin(), fixed.end(), text) != fixed.end();
    });
    return all;
  };
  EXPECT_THAT(seven, SizeIs(fixed.size() + 9));
  EXPECT_THAT(random_of(seven), SizeIs(9));
  EXPECT_THAT(random_of(seven), Not(ElementsAreArray(random_of(eight))));
}

TEST(WeightedFamilies, AreSmall) {
  for (const Case& source : cases()) {
    EXPECT_LE(graph::multiply_accumulates(source.graph, source.graph.operators[0]), 1'000'000)
        << source.name;
  }
  EXPECT_LE(std::count_if(cases().begin(), cases().end(),
                          [](const Case& source) {
                            return graph::multiply_accumulates(source.graph,
                                                               source.graph.operators[0]) > 50'000;
                          }),
            30);
}

TEST(WeightedFamilies, AreValidAndHaveFittingInputs) {
  for (const Case& source : cases()) {
    EXPECT_TRUE(graph::validate(source.graph).has_value()) << source.name;
    ASSERT_EQ(source.inputs.size(), source.graph.inputs.size()) << source.name;
    for (size_t i = 0; i < source.inputs.size(); ++i) {
      const graph::Tensor& input =
          source.graph.tensors[static_cast<size_t>(source.graph.inputs[i])];
      EXPECT_EQ(static_cast<int64_t>(source.inputs[i].size()),
                graph::element_count(input.shape).value_or(-1))
          << source.name;
    }
  }
}

TEST(WeightedFamilies, AreComputedByHostRefUnderEveryContractThatLowersThem) {
  for (const Case& source : cases()) {
    for (const numerics::Contract contract : numerics::kAllContracts) {
      const Result<graph::LoweredGraph> lowered = graph::lower(source.graph, contract);
      if (!lowered) {
        EXPECT_TRUE(contract == numerics::Contract::kLitert &&
                    covers(source, "engine", "fully connected int8 weights with a zero point"))
            << source.name << ": " << lowered.error().message;
        continue;
      }
      Result<host_ref::Interpreter> interpreter = host_ref::Interpreter::create(*lowered);
      ASSERT_TRUE(interpreter.has_value()) << source.name << ": " << interpreter.error().message;
      ASSERT_TRUE(interpreter->set_input(0, source.inputs[0]).has_value()) << source.name;
      ASSERT_TRUE(interpreter->run().has_value()) << source.name;
    }
  }
}

TEST(WeightedFamilies, SurviveBeingWrittenAndRead) {
  for (const Case& source : cases()) {
    const Result<std::vector<std::byte>> file = graph::write_tflite(source.graph);
    ASSERT_TRUE(file.has_value()) << source.name << ": " << file.error().message;
    const Result<graph::Graph> again = graph::read_tflite(*file, source.name);
    ASSERT_TRUE(again.has_value()) << source.name << ": " << again.error().message;
    EXPECT_EQ(again->inputs, source.graph.inputs) << source.name;
    EXPECT_EQ(again->outputs, source.graph.outputs) << source.name;
    ASSERT_EQ(again->tensors.size(), source.graph.tensors.size()) << source.name;
    for (size_t i = 0; i < again->tensors.size(); ++i) {
      const graph::Tensor& was = source.graph.tensors[i];
      const graph::Tensor& is = again->tensors[i];
      EXPECT_EQ(is.name, was.name) << source.name;
      EXPECT_EQ(is.type, was.type) << source.name;
      EXPECT_EQ(is.shape, was.shape) << source.name;
      EXPECT_TRUE(is.quantization == was.quantization) << source.name << " " << was.name;
      EXPECT_TRUE(std::equal(is.data.begin(), is.data.end(), was.data.begin(), was.data.end()))
          << source.name << " " << was.name;
    }
    ASSERT_EQ(again->operators.size(), 1u) << source.name;
    EXPECT_EQ(again->operators[0].inputs, source.graph.operators[0].inputs) << source.name;
    EXPECT_EQ(again->operators[0].outputs, source.graph.operators[0].outputs) << source.name;
    EXPECT_TRUE(again->operators[0].attributes == source.graph.operators[0].attributes)
        << source.name;
  }
}

// What engines leave undefined has no place in the default suite; what some refuse is rare.
TEST(WeightedFamilies, AreMostlyForRealEngines) {
  const std::vector<Case> marked = cases_that([](const Case& source) {
    return std::any_of(source.coverage.begin(), source.coverage.end(),
                       [](const auto& point) { return point.dimension == "engine"; });
  });
  EXPECT_LE(marked.size(), 30u);
  for (const Case& source : marked) {
    const bool is_beyond_int32 = source.name.find("/product beyond int32") != std::string::npos;
    EXPECT_EQ(covers(source, "engine", "left shift overflows"), is_beyond_int32) << source.name;
    EXPECT_FALSE(covers(source, "engine", "zero point overflows") && !is_beyond_int32)
        << source.name;
    EXPECT_FALSE(covers(source, "engine", "accumulator overflows")) << source.name;
  }
}

TEST(QuickCases, AreFewAndCoverEveryDimension) {
  const std::vector<Case> quick = cases_that([](const Case& source) { return source.is_quick; });
  EXPECT_LE(quick.size(), 60u);
  const CoverageTable table = measure_coverage(quick, {});
  for (const Generator& family : weighted_families()) {
    for (const RequiredCoverage& required : quick_coverage(family.required_coverage())) {
      const auto& hits = table.hits.at(std::string(family.family));
      ASSERT_TRUE(hits.contains(required.dimension)) << family.family << required.dimension;
      for (const std::string& value : required.values) {
        EXPECT_TRUE(hits.at(required.dimension).contains(value))
            << family.family << " " << required.dimension << " " << value;
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::conformance
