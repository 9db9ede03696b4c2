#include "backend/vulkan/pipeline_cache_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace lockstep::backend::vulkan {
namespace {

namespace fs = std::filesystem;

class PipelineCacheFile : public testing::Test {
 protected:
  PipelineCacheFile() {
    key_.vendor_id = 0x10005;
    key_.driver_version = 7;
    key_.pipeline_cache_uuid[3] = 9;
    for (int i = 0; i < 1000; ++i) {
      blob_.push_back(static_cast<std::byte>(i * 37));
    }
    file_ = folder_ / "deep" / pipeline_cache_file_name(key_);
  }
  ~PipelineCacheFile() override { fs::remove_all(folder_); }

  std::string contents() const {
    std::ifstream stream(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void overwrite(const std::string& bytes) const {
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << bytes;
  }

  fs::path folder_ =
      fs::temp_directory_path() / ("lockstep_pipeline_cache_test_" + std::to_string(::getpid()));
  fs::path file_;
  PipelineCacheKey key_;
  std::vector<std::byte> blob_;
};

TEST_F(PipelineCacheFile, GivesBackWhatWasSavedAndLeavesNoTemporaries) {
  ASSERT_TRUE(save_pipeline_cache(file_, key_, blob_));
  ASSERT_TRUE(save_pipeline_cache(file_, key_, blob_));
  EXPECT_EQ(load_pipeline_cache(file_, key_), blob_);
  EXPECT_EQ(std::distance(fs::directory_iterator(file_.parent_path()), {}), 1);
}

TEST_F(PipelineCacheFile, AbsentFileIsEmpty) {
  EXPECT_TRUE(load_pipeline_cache(file_, key_).empty());
}

TEST_F(PipelineCacheFile, EveryFlippedByteIsNoticed) {
  ASSERT_TRUE(save_pipeline_cache(file_, key_, blob_));
  const std::string good = contents();
  for (size_t i = 0; i < good.size(); i += 13) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    overwrite(damaged);
    EXPECT_TRUE(load_pipeline_cache(file_, key_).empty()) << "byte " << i;
  }
}

TEST_F(PipelineCacheFile, EveryTruncationAndAnyTailIsNoticed) {
  ASSERT_TRUE(save_pipeline_cache(file_, key_, blob_));
  const std::string good = contents();
  for (size_t length = 0; length < good.size(); length += 31) {
    overwrite(good.substr(0, length));
    EXPECT_TRUE(load_pipeline_cache(file_, key_).empty()) << length << " bytes";
  }
  overwrite(good + "x");
  EXPECT_TRUE(load_pipeline_cache(file_, key_).empty());
}

TEST_F(PipelineCacheFile, AnotherDriverIsAnotherFileAndRefusesThisOne) {
  ASSERT_TRUE(save_pipeline_cache(file_, key_, blob_));
  for (int field = 0; field < 4; ++field) {
    PipelineCacheKey other = key_;
    other.vendor_id += field == 0;
    other.device_id += field == 1;
    other.driver_version += field == 2;
    other.pipeline_cache_uuid[15] = field == 3;
    EXPECT_NE(pipeline_cache_file_name(other), pipeline_cache_file_name(key_));
    EXPECT_TRUE(load_pipeline_cache(file_, other).empty()) << field;
  }
}

TEST_F(PipelineCacheFile, UnwritableFolderIsAnError) {
  const Status status = save_pipeline_cache("/proc/nowhere/cache.bin", key_, blob_);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("/proc/nowhere"), std::string::npos);
}

}  // namespace
}  // namespace lockstep::backend::vulkan
