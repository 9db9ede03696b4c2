#include "backend/vulkan/specialized_modules.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "backend/vulkan/specialization.h"
#include "shaders/embedded_shaders.h"

namespace lockstep::backend::vulkan {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

const std::string kShader = "convolution_pointwise";
const std::vector<uint32_t> kRounds = {64, 3, 0, 2, 0};
const std::vector<uint32_t> kStores = {64, 4, 0, 2, 0};

// Another process, or the next start.
struct Process {
  explicit Process(const fs::path& folder)
      : cache(PhysicalDevice(), {.mask = {}, .cache_dir = folder.string(), .log = {}}),
        modules(cache) {}

  std::vector<uint32_t> get(const std::vector<uint32_t>& specialization) {
    return modules.get(kShader, shaders::find(kShader), specialization);
  }
  // Only what is remembered: there is nothing to specialize.
  std::vector<uint32_t> remembered(const std::vector<uint32_t>& specialization) {
    return modules.get(kShader, {}, specialization);
  }

  DeviceCache cache;
  SpecializedModules modules;
};

class SpecializedModulesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!can_specialize()) GTEST_SKIP() << "built without SPIRV-Tools' optimizer";
  }
  ~SpecializedModulesTest() override { fs::remove_all(folder_); }

  fs::path file() const {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().extension() == ".bin") return entry.path();
    }
    return {};
  }

  fs::path folder_ =
      fs::temp_directory_path() / fmt::format("lockstep_specialized_modules_test_{}", ::getpid());
  std::vector<uint32_t> rounds_ = specialize(shaders::find(kShader), kRounds);
  std::vector<uint32_t> stores_ = specialize(shaders::find(kShader), kStores);
};

TEST_F(SpecializedModulesTest, AreThereAtTheNextStart) {
  {
    Process first(folder_);
    EXPECT_EQ(first.get(kRounds), rounds_);
    EXPECT_EQ(first.get(kStores), stores_);
    first.modules.save();
  }
  ASSERT_NE(rounds_, stores_);
  Process second(folder_);
  EXPECT_EQ(second.remembered(kRounds), rounds_);
  EXPECT_EQ(second.remembered(kStores), stores_);
  EXPECT_THAT(second.remembered({64, 3, 0, 2, 1}), ElementsAre());
}

TEST_F(SpecializedModulesTest, OfSeveralProcessesAreMerged) {
  Process first(folder_);
  Process second(folder_);
  first.get(kRounds);
  second.get(kStores);
  first.modules.save();
  second.modules.save();
  Process third(folder_);
  EXPECT_EQ(third.remembered(kRounds), rounds_);
  EXPECT_EQ(third.remembered(kStores), stores_);
}

TEST_F(SpecializedModulesTest, AreWrittenOnlyWhereThereIsSomethingNew) {
  {
    Process first(folder_);
    first.get(kRounds);
    first.modules.save();
  }
  const auto long_ago = fs::last_write_time(file()) - std::chrono::hours(1);
  fs::last_write_time(file(), long_ago);
  Process second(folder_);
  second.get(kRounds);
  second.modules.save();
  EXPECT_EQ(fs::last_write_time(file()), long_ago);
}

// Good checksum, but no FlatBuffer: what another defect of ours, or a stranger, may have written.
TEST_F(SpecializedModulesTest, AreMadeAgainWhereTheFileHoldsSomethingElse) {
  Process first(folder_);
  for (const size_t size : {1u, 3u, 4u, 64u, 4096u}) {
    first.cache.update("modules", {}, [size](std::span<const std::byte>) {
      return std::vector<std::byte>(size, std::byte{0x5A});
    });
    Process second(folder_);
    EXPECT_EQ(second.get(kRounds), rounds_) << size;
    second.modules.save();
    EXPECT_EQ(Process(folder_).remembered(kRounds), rounds_) << size;
  }
}

TEST_F(SpecializedModulesTest, WithoutAFolderNothingIsKept) {
  Process process{fs::path()};
  EXPECT_EQ(process.get(kRounds), rounds_);
  process.modules.save();
  EXPECT_THAT(process.remembered(kRounds), ElementsAre());
}

}  // namespace
}  // namespace lockstep::backend::vulkan
