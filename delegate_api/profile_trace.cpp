#include "delegate_api/profile_trace.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "delegate_api/whole_file.h"

namespace lockstep::delegate {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kHostTrack = 1;
constexpr int kDeviceTrack = 2;

Json name_event(const char* what, size_t process, int track, const std::string& name) {
  return {
      {"ph", "M"}, {"name", what}, {"pid", process}, {"tid", track}, {"args", {{"name", name}}}};
}

Json slice(std::string name, size_t process, int track, double begin_us, double end_us) {
  return {{"ph", "X"},    {"name", std::move(name)}, {"pid", process},
          {"tid", track}, {"ts", begin_us},          {"dur", end_us - begin_us}};
}

// Where the device's clock starts on the host's, both since the run began.
double device_offset_us(const backend::RunProfile& profile) {
  if (profile.dispatches.empty()) {
    return 0;
  }
  double work_end_us = profile.host_us;
  for (const backend::HostTime& time : profile.host) {
    if (time.what != "read outputs") {
      work_end_us = time.end_us;
    }
  }
  return std::max(work_end_us - profile.dispatches.back().end_us, 0.0);
}

}  // namespace

size_t ProfileTrace::add_program(std::string name, std::vector<std::string> operators) {
  programs_.push_back({std::move(name), std::move(operators)});
  return programs_.size() - 1;
}

bool ProfileTrace::add_run(size_t program, Clock::time_point began, backend::RunProfile profile) {
  if (is_full()) {
    return false;
  }
  if (runs_.empty()) {
    first_began_ = began;
  }
  slices_ += profile.dispatches.size() + profile.host.size();
  const double began_us = std::chrono::duration<double, std::micro>(began - first_began_).count();
  runs_.push_back({program, began_us, std::move(profile)});
  return true;
}

std::string ProfileTrace::json() const {
  Json events = Json::array();
  for (size_t i = 0; i < programs_.size(); ++i) {
    events.push_back(name_event("process_name", i, kHostTrack, programs_[i].name));
    events.push_back(name_event("thread_name", i, kHostTrack, "host"));
    events.push_back(name_event("thread_name", i, kDeviceTrack, "device"));
  }
  for (const Run& run : runs_) {
    for (const backend::HostTime& time : run.profile.host) {
      events.push_back(slice(time.what, run.program, kHostTrack, run.began_us + time.begin_us,
                             run.began_us + time.end_us));
    }
    const double device_us = run.began_us + device_offset_us(run.profile);
    const std::vector<std::string>& operators = programs_[run.program].operators;
    for (const backend::DispatchTime& time : run.profile.dispatches) {
      const auto source = static_cast<size_t>(time.source_operator);
      const bool is_known = time.source_operator >= 0 && source < operators.size();
      Json event = slice(is_known ? operators[source] : time.kernel, run.program, kDeviceTrack,
                         device_us + time.begin_us, device_us + time.end_us);
      event["args"] = {{"operator", time.source_operator},
                       {"kernel", time.kernel},
                       {"bytes_read", time.bytes_read},
                       {"bytes_written", time.bytes_written},
                       {"workgroups", time.workgroups},
                       {"clock", backend::RunProfile::clock_name(run.profile.clock)}};
      events.push_back(std::move(event));
    }
  }
  const Json trace = {{"displayTimeUnit", "ns"}, {"traceEvents", std::move(events)}};
  // Names come from model files and need not be UTF-8.
  return trace.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Status ProfileTrace::write(const std::string& path) const {
  return write_whole_file(path, json(), "the profile");
}

Result<std::unique_ptr<ProfileFile>> ProfileFile::create(std::string path) {
  std::unique_ptr<ProfileFile> file(new ProfileFile(std::move(path)));
  if (Status status = file->trace_.write(file->path_); !status) {
    return tl::unexpected(status.error());
  }
  return file;
}

ProfileFile::~ProfileFile() { static_cast<void>(trace_.write(path_)); }

size_t ProfileFile::add_program(std::string name, std::vector<std::string> operators) {
  const std::lock_guard lock(mutex_);
  return trace_.add_program(std::move(name), std::move(operators));
}

bool ProfileFile::is_full() {
  const std::lock_guard lock(mutex_);
  return trace_.is_full();
}

Status ProfileFile::run(size_t id, backend::Program& program,
                        std::span<const std::span<const std::byte>> inputs,
                        std::span<const std::span<std::byte>> outputs) {
  if (is_full()) {
    return program.run(inputs, outputs);
  }
  const auto began = ProfileTrace::Clock::now();
  auto profile = program.profile(inputs, outputs);
  if (!profile) {
    return profile.error().code == ErrorCode::kUnsupported
               ? program.run(inputs, outputs)
               : Status(tl::unexpected(profile.error()));
  }
  const std::lock_guard lock(mutex_);
  trace_.add_run(id, began, *std::move(profile));
  if (++runs_ == next_write_) {
    next_write_ *= 2;
    static_cast<void>(trace_.write(path_));
  }
  return {};
}

}  // namespace lockstep::delegate
