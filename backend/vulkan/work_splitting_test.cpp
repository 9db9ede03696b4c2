#include "backend/vulkan/work_splitting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::backend::vulkan {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using Extents = std::array<uint32_t, 3>;

// Whether the slices of each dispatch are its workgroups, each once and in order, cut along one
// axis.
void expect_whole(const Chunks& chunks, std::span<const DispatchWork> dispatches) {
  size_t next = 0;
  for (size_t i = 0; i < dispatches.size(); ++i) {
    Extents covered = dispatches[i].workgroups;
    size_t axis = 2;
    while (axis > 0 && covered[axis] == 1) --axis;
    covered[axis] = 0;
    bool ended = false;
    while (!ended) {
      ASSERT_LT(next, chunks.slices.size());
      const Slice& slice = chunks.slices[next++];
      EXPECT_EQ(slice.dispatch, i);
      Extents base{};
      base[axis] = covered[axis];
      EXPECT_EQ(slice.workgroups.base, base);
      Extents count = dispatches[i].workgroups;
      count[axis] = slice.workgroups.count[axis];
      EXPECT_EQ(slice.workgroups.count, count);
      EXPECT_GT(count[axis], 0u);
      covered[axis] += count[axis];
      ended = slice.ends_dispatch;
    }
    EXPECT_EQ(covered, dispatches[i].workgroups);
  }
  EXPECT_EQ(next, chunks.slices.size());
}

std::vector<size_t> chunk_lengths(const Chunks& chunks) {
  std::vector<size_t> lengths(1);
  for (const Slice& slice : chunks.slices) {
    ++lengths.back();
    if (slice.ends_chunk) lengths.push_back(0);
  }
  EXPECT_EQ(lengths.back(), 0u) << "the last slice ends no chunk";
  lengths.pop_back();
  return lengths;
}

TEST(WorkSplitting, SmallNetworksAreOneChunkOfWholeDispatches) {
  const std::vector<DispatchWork> dispatches = {{{5, 1, 1}, 10}, {{1, 1, 1}, 20}, {{7, 3, 1}, 69}};
  const Chunks chunks = cut_into_chunks(dispatches, 100, false);
  expect_whole(chunks, dispatches);
  EXPECT_THAT(chunk_lengths(chunks), ElementsAre(3));
  EXPECT_THAT(chunks.work, ElementsAre(DoubleEq(99)));
}

TEST(WorkSplitting, ChunksEndBeforeTheyGetTooLong) {
  const std::vector<DispatchWork> dispatches = {
      {{5, 1, 1}, 60}, {{5, 1, 1}, 40}, {{5, 1, 1}, 1}, {{5, 1, 1}, 99}, {{5, 1, 1}, 100}};
  const Chunks chunks = cut_into_chunks(dispatches, 100, false);
  expect_whole(chunks, dispatches);
  EXPECT_THAT(chunk_lengths(chunks), ElementsAre(2, 2, 1));
}

TEST(WorkSplitting, LongDispatchesBecomeSlicesAlongTheirLastAxis) {
  const std::vector<DispatchWork> dispatches = {{{10, 1, 1}, 350}, {{65535, 7, 1}, 250}};
  const Chunks chunks = cut_into_chunks(dispatches, 100, false);
  expect_whole(chunks, dispatches);
  EXPECT_THAT(chunk_lengths(chunks), ElementsAre(1, 1, 1, 1, 1, 1, 1));
  EXPECT_EQ(chunks.slices[4].workgroups.count[0], 65535u);
}

TEST(WorkSplitting, SingleWorkgroupsStayWholeHoweverLong) {
  const std::vector<DispatchWork> dispatches = {{{1, 1, 1}, 1e12}, {{1, 2, 1}, 1e30}};
  const Chunks chunks = cut_into_chunks(dispatches, 100, false);
  expect_whole(chunks, dispatches);
  EXPECT_THAT(chunk_lengths(chunks), ElementsAre(1, 1, 1));
}

TEST(WorkSplitting, EverywhereMeansThreeSlicesAndChunksOfOne) {
  const std::vector<DispatchWork> dispatches = {{{10, 1, 1}, 1}, {{2, 1, 1}, 1}, {{1, 1, 1}, 1}};
  const Chunks chunks = cut_into_chunks(dispatches, 100, true);
  expect_whole(chunks, dispatches);
  EXPECT_THAT(chunk_lengths(chunks), ElementsAre(1, 1, 1, 1, 1, 1));
  EXPECT_TRUE(cut_into_chunks({}, 100, true).slices.empty());
}

std::vector<size_t> submissions(const SubmissionPacer& pacer) {
  std::vector<size_t> ends;
  for (size_t first = 0; first < pacer.chunk_count(); first = ends.back()) {
    ends.push_back(pacer.submission_end(first));
  }
  return ends;
}

TEST(WorkSplitting, MeasuredRunsDecideHowManyChunksGoTogether) {
  // 1000 units a second: 100 units in a submission.
  SubmissionPacer pacer({60, 60, 60, 60}, 1000, true);
  EXPECT_THAT(submissions(pacer), ElementsAre(1, 2, 3, 4));
  // As fast as 24,000 units a second; half as slow as before at once, then half of that.
  pacer.record(0.01, true);
  EXPECT_THAT(submissions(pacer), ElementsAre(3, 4));
  pacer.record(0.01, true);
  EXPECT_THAT(submissions(pacer), ElementsAre(4));
  // When nobody saw the end, the time says only that it was no longer.
  pacer.record(10, false);
  EXPECT_THAT(submissions(pacer), ElementsAre(4));
  // What takes longer counts at once.
  pacer.record(0.48, true);
  EXPECT_THAT(submissions(pacer), ElementsAre(1, 2, 3, 4));
}

TEST(WorkSplitting, PacersThatDoNotGatherSubmitEveryChunk) {
  SubmissionPacer pacer({1, 1, 1}, 1e9, false);
  pacer.record(1e-9, true);
  EXPECT_THAT(submissions(pacer), ElementsAre(1, 2, 3));
}

TEST(WorkSplitting, MultiplyAccumulatesAreThoseOfTheFormula) {
  graph::LoweredConvolution convolution;
  convolution.input_extent = {1, 8, 8, 12};
  convolution.output_extent = {1, 4, 4, 6};
  convolution.window.kernel_height = 3;
  convolution.window.kernel_width = 5;
  convolution.groups = 3;
  EXPECT_DOUBLE_EQ(multiply_accumulates(convolution), 4 * 4 * 6 * 15 * 4);
  graph::LoweredDepthwiseConvolution depthwise;
  depthwise.output_extent = {2, 4, 4, 6};
  depthwise.window.kernel_height = 3;
  EXPECT_DOUBLE_EQ(multiply_accumulates(depthwise), 2 * 4 * 4 * 6 * 3);
  EXPECT_DOUBLE_EQ(multiply_accumulates(graph::LoweredTable{}), 0);
}

TEST(WorkSplitting, PhonesAreExpectedToBeSlowerThanDesktops) {
  EXPECT_LT(assumed_work_per_second(DeviceKind::kIntegratedGpu),
            assumed_work_per_second(DeviceKind::kDiscreteGpu));
}

}  // namespace
}  // namespace lockstep::backend::vulkan
