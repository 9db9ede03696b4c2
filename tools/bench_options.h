// Options that all of `lockstep bench`'s commands share, and what they do with their results.
#pragma once

#include <filesystem>
#include <string>

#include "backend/device.h"
#include "bench/measure.h"
#include "bench/report/bench_report.h"
#include "graph/status.h"

namespace CLI {
class App;
}

namespace lockstep::tools {

struct BenchOptions {
  std::string device;
  std::string mask;
  std::string cache_dir;
  int32_t threads = 0;
  std::string filter;
  double minimum_seconds = 0;  // 0: the command's default
  bool quick = false;
  std::filesystem::path json;
  std::filesystem::path html;
  bool no_progress = false;

  void add_options(CLI::App& command);

  // With a log that writes to stderr.
  backend::DeviceOptions device_options() const;
  bench::MeasureOptions measure_options() const;
  // The report's head.
  bench::BenchReport new_report(const std::string& command) const;
  // Writes the files that were asked for, each in whole or not at all.
  Status write(const bench::BenchReport& report) const;
  // Whether standard output is a file's place, so that no table may be printed there.
  bool prints_file() const { return json == "-" || html == "-"; }
};

}  // namespace lockstep::tools
