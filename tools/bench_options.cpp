#include "tools/bench_options.h"

#include <CLI/CLI.hpp>

#include "tools/conform_commands.h"
#include "tools/engine_options.h"

namespace lockstep::tools {

void BenchOptions::add_options(CLI::App& command) {
  command.add_option(
      "--device", device,
      "Device name, index, 'cpu' or 'ref' (default: LOCKSTEP_DEVICE, else the best)");
  command.add_option(
      "--mask", mask,
      "Capabilities to hide, comma-separated ('int-dot', 'invocations=128', 'all'; 'isa=avx2')");
  add_cache_option(command, cache_dir);
  add_threads_option(command, threads);
  command.add_option("--filter", filter, "Only what has a name in which this expression matches")
      ->type_name("REGEX");
  command
      .add_option("--minimum-time", minimum_seconds,
                  "Seconds for each measurement (default: 0.2, with --quick 0.02)")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("SECONDS");
  command.add_flag("--quick", quick, "Few and rough measurements, in seconds");
  command.add_option("--json", json, "Write the results as JSON ('-': stdout)");
  command.add_option("--html", html, "Write a page with plots ('-': stdout)");
  command.add_flag("--no-progress", no_progress, "Nothing on standard error while it runs");
}

backend::DeviceOptions BenchOptions::device_options() const {
  return {.mask = mask, .cache_dir = cache_dir, .threads = threads, .log = log_to_stderr};
}

bench::MeasureOptions BenchOptions::measure_options() const {
  const double seconds = minimum_seconds > 0 ? minimum_seconds : quick ? 0.02 : 0.2;
  return {.minimum_seconds = seconds, .repetitions = quick ? 2 : 4};
}

bench::BenchReport BenchOptions::new_report(const std::string& command) const {
  bench::BenchReport report;
  report.command = command;
  report.started = bench::current_time();
  report.quick = quick;
  report.minimum_seconds = measure_options().minimum_seconds;
  report.filter = filter;
  return report;
}

Status BenchOptions::write(const bench::BenchReport& report) const {
  if (!json.empty()) {
    if (Status status = write_text(json, bench::to_json(report).dump(1) + "\n"); !status) {
      return status;
    }
  }
  return html.empty() ? Status{} : write_text(html, bench::html_page(report));
}

}  // namespace lockstep::tools
