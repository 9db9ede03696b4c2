#include "delegate_api/profile_trace.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace lockstep::delegate {
namespace {

using backend::DispatchTime;
using backend::RunProfile;
using std::chrono::microseconds;

// 100 us on the host, of which the device works 30 us until 90 us.
RunProfile sample_profile() {
  RunProfile profile;
  profile.host_us = 100;
  profile.host = {
      {"write inputs", 0, 10}, {"submit", 10, 20}, {"wait", 20, 90}, {"read outputs", 90, 99}};
  DispatchTime copies;
  copies.kernel = "copies to the device";
  copies.end_us = 5;
  DispatchTime convolution;
  convolution.operator_index = 0;
  convolution.source_operator = 1;
  convolution.kernel = "convolution 1x1";
  convolution.begin_us = 5;
  convolution.end_us = 30;
  convolution.bytes_read = 640;
  convolution.bytes_written = 320;
  convolution.workgroups = {7, 2, 1};
  profile.dispatches = {copies, convolution};
  return profile;
}

std::vector<nlohmann::json> slices(const ProfileTrace& trace, int track) {
  std::vector<nlohmann::json> found;
  const auto json = nlohmann::json::parse(trace.json());
  for (const auto& event : json.at("traceEvents")) {
    if (event.at("ph") == "X" && event.at("tid") == track) {
      found.push_back(event);
    }
  }
  return found;
}

TEST(ProfileTrace, RunsHaveAHostTrackAndADeviceTrack) {
  ProfileTrace trace;
  const size_t program = trace.add_program("partition 0", {"PAD 'a'", "CONV_2D 'b'"});
  const auto start = ProfileTrace::Clock::now();
  EXPECT_TRUE(trace.add_run(program, start, sample_profile()));
  EXPECT_TRUE(trace.add_run(program, start + microseconds(1000), sample_profile()));

  const auto host = slices(trace, 1);
  ASSERT_EQ(host.size(), 8u);
  EXPECT_EQ(host[6].at("name"), "wait");
  EXPECT_DOUBLE_EQ(host[6].at("ts"), 1020);
  EXPECT_DOUBLE_EQ(host[6].at("dur"), 70);

  const auto device = slices(trace, 2);
  ASSERT_EQ(device.size(), 4u);
  EXPECT_EQ(device[2].at("name"), "copies to the device");
  EXPECT_DOUBLE_EQ(device[2].at("ts"), 1060) << "the device's end is where waiting ended";
  const auto& convolution = device[3];
  EXPECT_EQ(convolution.at("name"), "CONV_2D 'b'");
  EXPECT_DOUBLE_EQ(convolution.at("ts"), 1065);
  EXPECT_DOUBLE_EQ(convolution.at("dur"), 25);
  EXPECT_EQ(convolution.at("pid"), program);
  EXPECT_EQ(convolution.at("args").at("kernel"), "convolution 1x1");
  EXPECT_EQ(convolution.at("args").at("operator"), 1);
  EXPECT_EQ(convolution.at("args").at("bytes_read"), 640);
  EXPECT_EQ(convolution.at("args").at("bytes_written"), 320);
  EXPECT_EQ(convolution.at("args").at("workgroups"), (std::vector<int>{7, 2, 1}));
  EXPECT_EQ(convolution.at("args").at("clock"), "timestamps");
}

TEST(ProfileTrace, EveryProgramIsAProcessWithItsName) {
  ProfileTrace trace;
  trace.add_program("first", {});
  const size_t second = trace.add_program("second \xff", {"\xfe"});
  trace.add_run(second, ProfileTrace::Clock::now(), sample_profile());
  std::vector<std::string> names;
  const auto json = nlohmann::json::parse(trace.json());
  for (const auto& event : json.at("traceEvents")) {
    if (event.at("name") == "process_name") {
      EXPECT_EQ(event.at("pid"), names.size());
      names.push_back(event.at("args").at("name"));
    }
  }
  EXPECT_THAT(names, ::testing::ElementsAre("first", "second \xef\xbf\xbd"));
  // Operators it has no name for go by their kernel.
  EXPECT_EQ(slices(trace, 2)[1].at("name"), "convolution 1x1");
}

TEST(ProfileTrace, AFullTraceKeepsWhatItHas) {
  ProfileTrace trace;
  const size_t program = trace.add_program("large", {});
  RunProfile large;
  large.dispatches.resize(ProfileTrace::kMaximumSlices / 2 + 1);
  EXPECT_TRUE(trace.add_run(program, ProfileTrace::Clock::now(), large));
  EXPECT_FALSE(trace.is_full());
  EXPECT_TRUE(trace.add_run(program, ProfileTrace::Clock::now(), large));
  EXPECT_TRUE(trace.is_full());
  EXPECT_FALSE(trace.add_run(program, ProfileTrace::Clock::now(), large));
}

TEST(ProfileTrace, IsWrittenWhole) {
  const auto path = std::filesystem::temp_directory_path() /
                    fmt::format("lockstep_profile_trace_{}.json", ::getpid());
  ProfileTrace trace;
  trace.add_run(trace.add_program("p", {}), ProfileTrace::Clock::now(), sample_profile());
  ASSERT_TRUE(trace.write(path.string()));
  std::ifstream file(path);
  EXPECT_EQ(nlohmann::json::parse(file), nlohmann::json::parse(trace.json()));
  std::filesystem::remove(path);
  const Status refused = trace.write("/no/such/folder/trace.json");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("cannot write the profile"));
}

}  // namespace
}  // namespace lockstep::delegate
