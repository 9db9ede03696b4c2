#include "backend/vulkan/work_splitting.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lockstep::backend::vulkan {
namespace {

constexpr uint32_t kSlicesEverywhere = 3;

double taps(const graph::Window2d& window) {
  return double{1} * window.kernel_height * window.kernel_width;
}

// The axis along which workgroups can be told apart by their base alone: shaders number them by
// y * (number in x) + x, which stays right while the faster axes are whole.
size_t slicing_axis(const std::array<uint32_t, 3>& workgroups) {
  size_t axis = 2;
  while (axis > 0 && workgroups[axis] == 1) {
    --axis;
  }
  return axis;
}

void append_slices(size_t index, const DispatchWork& dispatch, uint32_t wanted,
                   std::vector<Slice>& slices) {
  const size_t axis = slicing_axis(dispatch.workgroups);
  const uint32_t groups = dispatch.workgroups[axis];
  const uint32_t count = std::clamp(wanted, 1u, groups);
  for (uint32_t i = 0; i < count; ++i) {
    const auto first = static_cast<uint32_t>(uint64_t{groups} * i / count);
    const auto end = static_cast<uint32_t>(uint64_t{groups} * (i + 1) / count);
    Slice& slice = slices.emplace_back();
    slice.dispatch = index;
    slice.workgroups.count = dispatch.workgroups;
    slice.workgroups.base[axis] = first;
    slice.workgroups.count[axis] = end - first;
    slice.ends_dispatch = i + 1 == count;
  }
}

}  // namespace

double assumed_work_per_second(DeviceKind kind) {
  return kind == DeviceKind::kDiscreteGpu ? 2e10 : 5e8;
}

double multiply_accumulates(const graph::LoweredOperation& operation) {
  if (const auto* op = std::get_if<graph::LoweredConvolution>(&operation)) {
    const double channels = double{1} * op->input_extent.channels / std::max(op->groups, 1);
    return static_cast<double>(op->output_extent.elements()) * taps(op->window) * channels;
  }
  if (const auto* op = std::get_if<graph::LoweredDepthwiseConvolution>(&operation)) {
    return static_cast<double>(op->output_extent.elements()) * taps(op->window);
  }
  if (const auto* op = std::get_if<graph::LoweredPool>(&operation)) {
    return static_cast<double>(op->output_extent.elements()) * taps(op->window);
  }
  return 0;
}

Chunks cut_into_chunks(std::span<const DispatchWork> dispatches, double limit, bool everywhere) {
  Chunks chunks;
  double chunk_work = 0;
  const auto end_chunk = [&] {
    chunks.slices.back().ends_chunk = true;
    chunks.work.push_back(chunk_work);
    chunk_work = 0;
  };
  for (size_t i = 0; i < dispatches.size(); ++i) {
    const DispatchWork& dispatch = dispatches[i];
    const double fitting = std::ceil(std::min(dispatch.work / limit, 1e9));
    std::vector<Slice> slices;
    append_slices(i, dispatch, everywhere ? kSlicesEverywhere : static_cast<uint32_t>(fitting),
                  slices);
    const double slice_work = dispatch.work / static_cast<double>(slices.size());
    for (const Slice& slice : slices) {
      const bool is_full = everywhere || chunk_work + slice_work > limit;
      if (is_full && !chunks.slices.empty() && !chunks.slices.back().ends_chunk) {
        end_chunk();
      }
      chunks.slices.push_back(slice);
      chunk_work += slice_work;
    }
  }
  if (!chunks.slices.empty()) {
    end_chunk();
  }
  return chunks;
}

SubmissionPacer::SubmissionPacer(std::vector<double> chunk_work, double assumed_work_per_second,
                                 bool gathers)
    : chunk_work_(std::move(chunk_work)),
      gathers_(gathers),
      seconds_per_work_(1 / assumed_work_per_second) {
  for (const double work : chunk_work_) {
    total_work_ += work;
  }
}

size_t SubmissionPacer::submission_end(size_t first) const {
  size_t end = first + 1;
  if (!gathers_) {
    return end;
  }
  const double limit = kSubmissionSeconds / seconds_per_work_.load(std::memory_order_relaxed);
  double work = chunk_work_[first];
  while (end < chunk_work_.size() && work + chunk_work_[end] <= limit) {
    work += chunk_work_[end];
    ++end;
  }
  return end;
}

void SubmissionPacer::record(double run_seconds, bool is_exact) {
  const double known = seconds_per_work_.load(std::memory_order_relaxed);
  const double measured = run_seconds / total_work_;
  if (total_work_ > 0 && (is_exact || measured < known)) {
    seconds_per_work_.store(std::max(measured, known / 2), std::memory_order_relaxed);
  }
}

}  // namespace lockstep::backend::vulkan
