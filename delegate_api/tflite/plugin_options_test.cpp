#include "delegate_api/tflite/plugin_options.h"

#include <gmock/gmock.h>

#include "backend/cache_file.h"

namespace lockstep::delegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Options = std::vector<std::pair<std::string_view, std::string_view>>;

TEST(PluginOptions, DefaultsAreTheTfliteContractAndWarnings) {
  const auto options = parse_plugin_options({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->partition.contract, numerics::Contract::kTflite);
  EXPECT_EQ(options->partition.max_partitions, 0);
  EXPECT_EQ(options->partition.min_nodes, 1);
  EXPECT_TRUE(options->partition.form_as_tflite_does);
  EXPECT_EQ(options->log_level, LogLevel::kWarn);
  EXPECT_EQ(options->device, "");
}

TEST(PluginOptions, EveryOptionIsRead) {
  const auto options = parse_plugin_options(Options{{"device", "llvmpipe"},
                                                    {"numerics", "litert"},
                                                    {"max_partitions", "3"},
                                                    {"min_nodes", "2"},
                                                    {"allow_ops", "CONV_2D, ADD"},
                                                    {"deny_ops", "MEAN"},
                                                    {"cache_dir", "/tmp/cache"},
                                                    {"tune", "1"},
                                                    {"log_level", "info"},
                                                    {"mask", "int-dot,int8"},
                                                    {"report", "placement.json"},
                                                    {"profile", "trace.json"}});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->device, "llvmpipe");
  EXPECT_EQ(options->partition.contract, numerics::Contract::kLitert);
  EXPECT_EQ(options->partition.max_partitions, 3);
  EXPECT_EQ(options->partition.min_nodes, 2);
  EXPECT_THAT(options->partition.allow_ops, ElementsAre("CONV_2D", "ADD"));
  EXPECT_THAT(options->partition.deny_ops, ElementsAre("MEAN"));
  EXPECT_EQ(options->device_options.cache_dir, "/tmp/cache");
  EXPECT_TRUE(options->tune);
  EXPECT_EQ(options->device_options.mask, "int-dot,int8");
  EXPECT_EQ(options->log_level, LogLevel::kInfo);
  EXPECT_EQ(options->report, "placement.json");
  EXPECT_EQ(options->profile, "trace.json");
}

TEST(PluginOptions, AnUnknownKeyIsAnErrorThatListsTheValidOnes) {
  const auto options = parse_plugin_options(Options{{"devise", "0"}});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().code, ErrorCode::kInvalidArgument);
  for (const char* key :
       {"devise", "device", "numerics", "max_partitions", "min_nodes", "allow_ops", "deny_ops",
        "cache_dir", "tune", "log_level", "mask", "report", "profile"}) {
    EXPECT_THAT(options.error().message, HasSubstr(key));
  }
}

TEST(PluginOptions, AnUnknownValueIsAnErrorThatListsTheValidOnes) {
  const auto numerics = parse_plugin_options(Options{{"numerics", "TFLITE"}});
  ASSERT_FALSE(numerics);
  EXPECT_THAT(numerics.error().message, HasSubstr("tflite, litert, reference, single"));
  const auto level = parse_plugin_options(Options{{"log_level", "verbose"}});
  ASSERT_FALSE(level);
  EXPECT_THAT(level.error().message, HasSubstr("off, error, warn, info, debug"));
}

TEST(PluginOptions, CountsAreWholeNumbers) {
  for (const char* value : {"", "-1", "1.5", "2x", " 2", "99999999999"}) {
    EXPECT_FALSE(parse_plugin_options(Options{{"min_nodes", value}})) << value;
    EXPECT_FALSE(parse_plugin_options(Options{{"max_partitions", value}})) << value;
  }
}

TEST(PluginOptions, TheCacheFolderIsTheUsersUnlessItIsNamedOrEmpty) {
  EXPECT_EQ(parse_plugin_options({})->device_options.cache_dir, backend::default_cache_folder());
  EXPECT_EQ(parse_plugin_options(Options{{"cache_dir", ""}})->device_options.cache_dir, "");
}

TEST(PluginOptions, TuningIsOffUnlessAskedForAndIsSwitchedByADigit) {
  EXPECT_FALSE(parse_plugin_options({})->tune);
  EXPECT_FALSE(parse_plugin_options(Options{{"tune", "0"}})->tune);
  for (const char* value : {"", "yes", "2"}) {
    const auto options = parse_plugin_options(Options{{"tune", value}});
    ASSERT_FALSE(options) << value;
    EXPECT_THAT(options.error().message, HasSubstr("0 or 1"));
  }
}

TEST(PluginOptions, AnOptionGivenTwiceIsAnError) {
  EXPECT_FALSE(parse_plugin_options(Options{{"device", "0"}, {"device", "1"}}));
}

}  // namespace
}  // namespace lockstep::delegate
