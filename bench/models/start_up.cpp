#include "bench/models/start_up.h"

#include <fmt/core.h>
#include <poll.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "conformance/child_process.h"
#include "conformance/text.h"

namespace lockstep::bench {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int kRunsForPeakMemory = 3;
constexpr auto kPatience = std::chrono::minutes(5);

// The most that this process has ever kept in memory, in bytes; 0 where the system does not tell.
// getrusage() is no help: what it says of a process begins with what its parent had.
int64_t peak_memory() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    constexpr std::string_view kName = "VmHWM:";
    if (!line.starts_with(kName)) continue;
    const size_t digits = line.find_first_not_of(" \t", kName.size());
    int64_t kibibytes = 0;
    if (digits != std::string::npos) {
      std::from_chars(line.data() + digits, line.data() + line.size(), kibibytes);
    }
    return kibibytes * 1024;
  }
  return 0;
}

Result<StartUp> start_up(const json& request) {
  const Clock::time_point start = Clock::now();
  const std::string driver_cache = request.at("driver_cache");
  // Where Mesa's and NVIDIA's drivers keep compiled shaders.
  for (const char* variable : {"MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH"}) {
    setenv(variable, driver_cache.c_str(), /*overwrite=*/1);
  }
  const std::string contender_name = request.at("contender");
  const Contender* contender = find_contender(contender_name);
  if (contender == nullptr) {
    return make_error(ErrorCode::kInvalidArgument, "there is no contender '{}'", contender_name);
  }
  const std::string model = request.at("model");
  ContenderSettings settings;
  settings.tflite_library = request.at("tflite").get<std::string>();
  settings.plugin_library = request.at("plugin").get<std::string>();
  settings.device = request.at("device");
  settings.device_options.mask = request.at("mask");
  settings.device_options.threads = request.at("threads");
  settings.device_options.cache_dir = request.at("cache_dir");
  const auto runner = create_runner(*contender, model, settings);
  if (!runner) return tl::unexpected(runner.error());
  StartUp result;
  for (int i = 0; i < kRunsForPeakMemory; ++i) {
    if (Status status = (*runner)->run(); !status) return tl::unexpected(status.error());
    if (i == 0) result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  result.device_bytes = (*runner)->device_bytes();
  result.peak_bytes = peak_memory();
  return result;
}

}  // namespace

Result<StartUp> measure_start_up(const std::string& program, const Contender& contender,
                                 const std::filesystem::path& model,
                                 const ContenderSettings& settings,
                                 const std::filesystem::path& driver_cache) {
  const json request = {{"contender", contender.name},
                        {"model", model.string()},
                        {"tflite", settings.tflite_library.string()},
                        {"plugin", settings.plugin_library.string()},
                        {"device", settings.device},
                        {"mask", settings.device_options.mask},
                        {"threads", settings.device_options.threads},
                        {"cache_dir", settings.device_options.cache_dir},
                        {"driver_cache", driver_cache.string()}};
  auto child = conformance::ChildProcess::start({program, kStartUpArgument, request.dump()});
  if (!child) return tl::unexpected(child.error());
  const Clock::time_point deadline = Clock::now() + kPatience;
  std::optional<std::string> answer;
  while (!answer && !(*child)->has_output_ended() && Clock::now() < deadline) {
    pollfd streams[] = {{(*child)->output_descriptor(), POLLIN, 0},
                        {(*child)->error_descriptor(), POLLIN, 0}};
    poll(streams, 2, 1000);
    (*child)->read_available();
    // Lines in front of the answer are a library's.
    for (auto line = (*child)->next_line(); line && !answer; line = (*child)->next_line()) {
      if (line->starts_with("{")) answer = std::move(line);
    }
  }
  if (!answer) {
    return make_error(ErrorCode::kInternal, "{} with '{}' did not start: {}", contender.name,
                      model.string(), (*child)->last_words());
  }
  const json parsed = json::parse(*answer, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || !parsed.contains("seconds")) {
    return make_error(ErrorCode::kInternal, "{} with '{}': {}", contender.name, model.string(),
                      parsed.is_object() ? parsed.value("error", "") : *answer);
  }
  return StartUp{.seconds = parsed.value("seconds", 0.0),
                 .peak_bytes = parsed.value("peak_bytes", int64_t{0}),
                 .device_bytes = parsed.value("device_bytes", int64_t{0})};
}

Status serve_start_up(const std::string& request) {
  const json parsed = json::parse(request, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    return make_error(ErrorCode::kInvalidArgument, "the request is not JSON");
  }
  Result<StartUp> result;
  try {
    result = start_up(parsed);
  } catch (const json::exception& problem) {
    return make_error(ErrorCode::kInvalidArgument, "the request is incomplete: {}", problem.what());
  }
  const json answer = result ? json{{"seconds", result->seconds},
                                    {"peak_bytes", result->peak_bytes},
                                    {"device_bytes", result->device_bytes}}
                             : json{{"error", conformance::valid_utf8(result.error().message)}};
  // Libraries may have said something on standard output before, without ending their line.
  fmt::print("\n{}\n", answer.dump());
  std::fflush(stdout);
  return {};
}

}  // namespace lockstep::bench
