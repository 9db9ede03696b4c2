// Cuts the commands of a run so that no submission takes long. A device that works on one
// submission for too long (a few hundred milliseconds on some phones, two seconds on desktops) is
// taken for hanging and is reset: the run ends in DEVICE_LOST.
//
// Work is counted in multiply-accumulates and bytes. How long it takes is guessed at first, low for
// the slowest devices there are, and measured later. Three cuts:
//  * a dispatch that the guess says is too long becomes several slices of its workgroups;
//  * slices are gathered into chunks, one command buffer each, that are short by the same guess;
//  * chunks are gathered into submissions from run to run, as long as what was measured allows.
// So a small network is one chunk and one submission, and a large one becomes few submissions once
// its device turned out to be fast. Workgroups along the last axis that has several are the
// smallest unit: what takes too long within one of them cannot be cut.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/device.h"
#include "backend/vulkan/command_writer.h"
#include "backend/vulkan/kernel.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend::vulkan {

// What a submission should take at most.
inline constexpr double kSubmissionSeconds = 0.1;

// Work in a second that any device of this kind surely does.
double assumed_work_per_second(DeviceKind kind);

// Multiply-accumulates of an operator; 0 for those that only move or look up bytes.
double multiply_accumulates(const graph::LoweredOperation& operation);

struct DispatchWork {
  std::array<uint32_t, 3> workgroups{1, 1, 1};
  double work = 0;  // multiply-accumulates and bytes
};

struct Slice {
  size_t dispatch = 0;
  WorkgroupRange workgroups;
  bool ends_dispatch = true;
  bool ends_chunk = false;
};

struct Chunks {
  std::vector<Slice> slices;  // in order; the last one ends a chunk
  std::vector<double> work;   // by chunk
};

// `limit`: how much work a chunk may be. `everywhere`: regardless of that, dispatches become three
// slices where they have workgroups enough, and every slice is a chunk.
Chunks cut_into_chunks(std::span<const DispatchWork> dispatches, double limit, bool everywhere);

// Gathers chunks into submissions. Thread-safe.
class SubmissionPacer {
 public:
  SubmissionPacer() = default;
  // `gathers`: false makes every chunk a submission for good.
  SubmissionPacer(std::vector<double> chunk_work, double assumed_work_per_second, bool gathers);

  size_t chunk_count() const { return chunk_work_.size(); }
  // One past the last chunk of the submission that starts with chunk `first`.
  size_t submission_end(size_t first) const;
  // A whole run took so long, or no longer than that where nobody saw it end. What took longer than
  // thought counts at once, what took less by and by. Not to be called by several threads at once.
  void record(double run_seconds, bool is_exact);

 private:
  std::vector<double> chunk_work_;
  double total_work_ = 0;
  bool gathers_ = true;
  std::atomic<double> seconds_per_work_ = 0;
};

}  // namespace lockstep::backend::vulkan
