// lockstep bench device: what can the device do at best?
#include <CLI/CLI.hpp>
#include <memory>

#include "bench/device/device_benchmark.h"
#include "tools/bench_commands.h"
#include "tools/bench_options.h"
#include "tools/bench_tables.h"
#include "tools/command.h"
#include "tools/progress_line.h"

namespace lockstep::tools {
namespace {

Result<int> run(const BenchOptions& options) {
  bench::BenchReport report = options.new_report("device");
  ProgressLine progress("bench device", !options.no_progress);
  auto measured = bench::run_device_benchmark(
      options.device, options.device_options(),
      {.filter = options.filter, .measure = options.measure_options(), .quick = options.quick},
      [&](const std::string& text) { progress.show(text); });
  if (!measured) return tl::unexpected(measured.error());
  report.device = std::move(*measured);
  if (Status status = options.write(report); !status) return tl::unexpected(status.error());
  if (!options.prints_file()) fmt::print("{}", device_text(*report.device));
  return kSuccess;
}

}  // namespace

void add_bench_device_command(CLI::App& bench, int& exit_code) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App& command = *bench.add_subcommand(
      "device", "Overheads, memory, multiply-adds in each form: the device's roofline");
  options->add_options(command);
  command.callback([options, &exit_code] { exit_code = finish("bench device", run(*options)); });
}

}  // namespace lockstep::tools
