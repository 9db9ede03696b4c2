#include "conformance/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "conformance/golden.h"

namespace lockstep::conformance {
namespace {

using ::testing::HasSubstr;

std::set<std::string> names_of(const Suite& suite) {
  std::set<std::string> names;
  for (const Case& source : suite.cases) names.insert(source.name);
  return names;
}

TEST(Suite, HasGoldenDigestsOfEveryCaseAndOfNothingElse) {
  const auto suite = make_suite({});
  ASSERT_TRUE(suite) << suite.error().message;
  std::set<std::string> recorded;
  for (const auto& [name, digests] : suite->recorded) recorded.insert(name);
  EXPECT_EQ(names_of(*suite), recorded)
      << "write them anew and look at what changed: lockstep conform --write-golden";
}

TEST(Suite, IsTheSameEveryTime) {
  const auto first = make_suite({});
  const auto second = make_suite({});
  EXPECT_EQ(first->identity(), second->identity());
  SuiteOptions other;
  other.generator.seed = 2;
  other.generator.random_cases = 2;
  const auto third = make_suite(other);
  ASSERT_TRUE(third) << third.error().message;
  EXPECT_NE(third->identity(), first->identity());
  EXPECT_TRUE(third->recorded.empty());
}

TEST(Suite, QuickIsAPart) {
  const auto all = names_of(*make_suite({}));
  SuiteOptions options;
  options.quick = true;
  const auto quick = names_of(*make_suite(options));
  EXPECT_FALSE(quick.empty());
  EXPECT_LT(quick.size(), all.size());
  EXPECT_TRUE(std::ranges::includes(all, quick));
}

TEST(Suite, FiltersAndExcludesByPartsOfNames) {
  SuiteOptions options;
  options.filters = {"conv_2d/", "fully_connected/"};
  options.exclusions = {"depthwise"};
  const auto suite = make_suite(options);
  ASSERT_TRUE(suite) << suite.error().message;
  ASSERT_FALSE(suite->cases.empty());
  for (const std::string& name : names_of(*suite)) {
    EXPECT_TRUE(name.starts_with("conv_2d/") || name.starts_with("fully_connected/")) << name;
  }
  options.filters = {"conv_2d/", "no such case"};
  EXPECT_THAT(make_suite(options).error().message, HasSubstr("'no such case'"));
}

TEST(Suite, ShardsAreAPartition) {
  std::multiset<std::string> together;
  SuiteOptions options;
  options.shard_count = 3;
  for (options.shard_index = 0; options.shard_index < 3; ++options.shard_index) {
    const auto shard = names_of(*make_suite(options));
    together.insert(shard.begin(), shard.end());
  }
  const auto all = names_of(*make_suite({}));
  EXPECT_TRUE(std::ranges::equal(together, all));
  for (const auto& [index, count] : {std::pair(3, 3), std::pair(-1, 3), std::pair(0, 0)}) {
    options.shard_index = index;
    options.shard_count = count;
    EXPECT_EQ(make_suite(options).error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Suite, NamesAMissingModel) {
  SuiteOptions options;
  options.models = {"/nonexistent/network.tflite"};
  EXPECT_THAT(make_suite(options).error().message, HasSubstr("/nonexistent/network.tflite"));
}

}  // namespace
}  // namespace lockstep::conformance
