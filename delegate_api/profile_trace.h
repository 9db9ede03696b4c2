// Profiled runs as a trace that a person can look at: trace-event JSON, which Perfetto
// (ui.perfetto.dev) and chrome://tracing open.
//
// Each program is a process with two tracks. "host" shows what run() did; "device" shows one slice
// for each dispatch, with its operator, kernel, bytes and workgroups. Host and device do not share
// a clock, so the device's last slice is put where the host saw the end of the work.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/device.h"
#include "graph/status.h"

namespace lockstep::delegate {

// Not thread-safe.
class ProfileTrace {
 public:
  using Clock = std::chrono::steady_clock;

  // Runs beyond so many slices are not kept, so that a trace stays a size that viewers open.
  static constexpr size_t kMaximumSlices = 200'000;

  // `operators`: what to call DispatchTime::source_operator i, "CONV_2D 'conv1/Relu'". Returns the
  // program's number for add_run().
  size_t add_program(std::string name, std::vector<std::string> operators);

  // `began`: when the run did. False when the trace is full and the run was not kept.
  bool add_run(size_t program, Clock::time_point began, backend::RunProfile profile);
  bool is_full() const { return slices_ >= kMaximumSlices; }

  std::string json() const;

  // Replaces the file by json().
  Status write(const std::string& path) const;

 private:
  struct Program {
    std::string name;
    std::vector<std::string> operators;
  };
  struct Run {
    size_t program = 0;
    double began_us = 0;  // since the trace's first run
    backend::RunProfile profile;
  };

  std::vector<Program> programs_;
  std::vector<Run> runs_;
  Clock::time_point first_began_;
  size_t slices_ = 0;
};

// A trace on its way into a file. Written when made, after 1, 2, 4, 8, ... runs, and at the end, so
// that a process that dies leaves most of it and long ones do not write all the time. Thread-safe.
class ProfileFile {
 public:
  // Fails when the file cannot be written.
  static Result<std::unique_ptr<ProfileFile>> create(std::string path);
  ~ProfileFile();
  ProfileFile(const ProfileFile&) = delete;
  ProfileFile& operator=(const ProfileFile&) = delete;

  // As ProfileTrace.
  size_t add_program(std::string name, std::vector<std::string> operators);

  // Profiles a run of `program`, or just runs it when its device cannot tell the time or the trace
  // is full. What run() would have said; a file that cannot be written any more is no failure.
  Status run(size_t id, backend::Program& program,
             std::span<const std::span<const std::byte>> inputs,
             std::span<const std::span<std::byte>> outputs);

 private:
  explicit ProfileFile(std::string path) : path_(std::move(path)) {}
  bool is_full();

  const std::string path_;
  std::mutex mutex_;  // guards what follows
  ProfileTrace trace_;
  uint64_t runs_ = 0;
  uint64_t next_write_ = 1;  // after so many runs
};

}  // namespace lockstep::delegate
