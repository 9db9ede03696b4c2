#include "backend/cache_file.h"

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <sstream>

namespace lockstep::backend {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class CacheFile : public testing::Test {
 protected:
  CacheFile() {
    for (int i = 0; i < 300; ++i) {
      payload_.push_back(static_cast<std::byte>(i * 37));
    }
  }
  ~CacheFile() override { fs::remove_all(folder_.parent_path()); }

  Status save(const Bytes& payload) const {
    return update_cache_file(folder_, key_, [&](std::span<const std::byte>) { return payload; });
  }
  Bytes load() const { return load_cache_file(folder_, key_); }
  fs::path file() const { return cache_file_path(folder_, key_); }
  std::string contents() const {
    std::ifstream stream(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void overwrite(const std::string& bytes) const {
    fs::remove(file());  // faster than cutting it off
    std::ofstream(file(), std::ios::binary) << bytes;
  }

  fs::path folder_ = fs::temp_directory_path() /
                     ("lockstep_cache_file_test_" + std::to_string(::getpid())) / "deep";
  CacheKey key_{"pipelines", "device 7, driver 9", "build 1"};
  Bytes payload_;
};

TEST_F(CacheFile, GivesBackWhatWasSavedAndLeavesNoTemporaries) {
  ASSERT_TRUE(save(payload_));
  EXPECT_EQ(load(), payload_);
  payload_.resize(10);
  ASSERT_TRUE(save(payload_));
  EXPECT_EQ(load(), payload_);
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    names.insert(entry.path().filename().string());
  }
  EXPECT_EQ(names, (std::set<std::string>{file().filename().string(), "lock"}));
}

TEST_F(CacheFile, AbsentFileIsEmpty) { EXPECT_TRUE(load().empty()); }

TEST_F(CacheFile, IsNotWrittenAgainWhereNothingChanged) {
  ASSERT_TRUE(save(payload_));
  const auto long_ago = fs::last_write_time(file()) - std::chrono::hours(1);
  fs::last_write_time(file(), long_ago);
  ASSERT_TRUE(save(payload_));
  EXPECT_EQ(fs::last_write_time(file()), long_ago);
  payload_[0] ^= std::byte{1};
  ASSERT_TRUE(save(payload_));
  EXPECT_NE(fs::last_write_time(file()), long_ago);
}

TEST_F(CacheFile, MergesIntoWhatIsThere) {
  ASSERT_TRUE(save(bytes_of("one ")));
  ASSERT_TRUE(update_cache_file(folder_, key_, [](std::span<const std::byte> existing) {
    return bytes_of(text_of(existing) + "two");
  }));
  EXPECT_EQ(text_of(load()), "one two");
}

TEST_F(CacheFile, EveryFlippedBitIsNoticedAndReplaced) {
  ASSERT_TRUE(save(payload_));
  const std::string good = contents();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    overwrite(damaged);
    ASSERT_TRUE(load().empty()) << "byte " << i;
  }
  ASSERT_TRUE(save(payload_));
  EXPECT_EQ(load(), payload_);
}

TEST_F(CacheFile, EveryTruncationAndAnyTailIsNoticed) {
  ASSERT_TRUE(save(payload_));
  const std::string good = contents();
  for (size_t length = 0; length < good.size(); ++length) {
    overwrite(good.substr(0, length));
    ASSERT_TRUE(load().empty()) << length << " bytes";
  }
  overwrite(good + "x");
  EXPECT_TRUE(load().empty());
}

// Numbers in the header are random too, so that sizes that no memory holds are among them.
TEST_F(CacheFile, RandomHeadersAreNoticed) {
  ASSERT_TRUE(save(payload_));
  const std::string good = contents();
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = good;
    for (size_t i = 8; i < 32; ++i) {
      damaged[i] = static_cast<char>(random());
    }
    damaged.resize(random() % (2 * good.size()));
    overwrite(damaged);
    ASSERT_TRUE(load().empty()) << round;
  }
}

TEST_F(CacheFile, AnotherDeviceOrKindIsAnotherFile) {
  ASSERT_TRUE(save(payload_));
  const CacheKey other_device{key_.kind, "device 8, driver 9", key_.build};
  const CacheKey other_kind{"tuning", key_.device, key_.build};
  for (const CacheKey& other : {other_device, other_kind}) {
    EXPECT_NE(cache_file_path(folder_, other), file());
    fs::copy_file(file(), cache_file_path(folder_, other));
    EXPECT_TRUE(load_cache_file(folder_, other).empty());
  }
}

TEST_F(CacheFile, AnotherBuildRefusesTheFileAndTakesItOver) {
  ASSERT_TRUE(save(payload_));
  const CacheKey older = key_;
  key_.build = "build 2";
  EXPECT_EQ(cache_file_path(folder_, older), file());
  EXPECT_TRUE(load().empty());
  ASSERT_TRUE(save(bytes_of("new")));
  EXPECT_EQ(text_of(load()), "new");
  EXPECT_TRUE(load_cache_file(folder_, older).empty());
}

TEST_F(CacheFile, UnwritableFolderIsAnErrorThatNamesIt) {
  const Status status = update_cache_file("/proc/nowhere", key_,
                                          [&](std::span<const std::byte>) { return payload_; });
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("/proc/nowhere"), std::string::npos);
}

TEST_F(CacheFile, WhoeverKeepsTheLockIsNotWaitedForForever) {
  ASSERT_TRUE(save(payload_));
  std::FILE* const holder = std::fopen((folder_ / "lock").c_str(), "r+");
  ASSERT_NE(holder, nullptr);
  ASSERT_EQ(::flock(::fileno(holder), LOCK_EX), 0);
  const Status status = save(bytes_of("late"));
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("another process"), std::string::npos);
  EXPECT_EQ(load(), payload_) << "readers need no lock";
  std::fclose(holder);
  EXPECT_TRUE(save(bytes_of("late")));
}

// Each process adds its own lines, while it reads what the others add: no line is ever lost, and no
// reader ever sees a damaged file.
TEST_F(CacheFile, ProcessesThatHammerOneFolderLoseNothing) {
  constexpr int kProcesses = 4;
  constexpr int kLines = 100;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      bool good = true;
      for (int line = 0; line < kLines; ++line) {
        const std::string mine = std::to_string(process) + ":" + std::to_string(line) + "\n";
        good = good && update_cache_file(folder_, key_, [&](std::span<const std::byte> existing) {
                         return bytes_of(text_of(existing) + mine);
                       }).has_value();
        good = good && text_of(load()).find(mine) != std::string::npos;
      }
      ::_exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  std::istringstream lines(text_of(load()));
  const std::multiset<std::string> found{std::istream_iterator<std::string>(lines), {}};
  EXPECT_EQ(found.size(), size_t{kProcesses * kLines});
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()).size(), found.size());
}

class Environment : public testing::Test {
 protected:
  ~Environment() override {
    restore("XDG_CACHE_HOME", caches_);
    restore("HOME", home_);
  }
  static std::string value_of(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
  }
  static void restore(const char* name, const std::string& value) {
    value.empty() ? ::unsetenv(name) : ::setenv(name, value.c_str(), 1);
  }

  const std::string caches_ = value_of("XDG_CACHE_HOME");
  const std::string home_ = value_of("HOME");
};

TEST_F(Environment, NamesTheCacheFolder) {
  ::setenv("HOME", "/home/somebody", 1);
  ::setenv("XDG_CACHE_HOME", "/var/caches", 1);
  EXPECT_EQ(default_cache_folder(), "/var/caches/lockstep");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(default_cache_folder(), "/home/somebody/.cache/lockstep");
  ::unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(default_cache_folder(), "/home/somebody/.cache/lockstep");
  ::unsetenv("HOME");
  EXPECT_EQ(default_cache_folder(), "");
}

}  // namespace
}  // namespace lockstep::backend
