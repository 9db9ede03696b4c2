// lockstep bench growth: how does cost grow with size, batch and depth?
#include <CLI/CLI.hpp>
#include <memory>

#include "backend/registry.h"
#include "bench/growth/growth_benchmark.h"
#include "tools/bench_commands.h"
#include "tools/bench_options.h"
#include "tools/bench_tables.h"
#include "tools/command.h"
#include "tools/progress_line.h"

namespace lockstep::tools {
namespace {

Result<int> run(const BenchOptions& options) {
  bench::BenchReport report = options.new_report("growth");
  const auto device = backend::open_device(options.device, options.device_options());
  if (!device) return tl::unexpected(device.error());
  ProgressLine progress("bench growth", !options.no_progress);
  auto measured =
      bench::run_growth_benchmark(**device, bench::growth_points(options.quick),
                                  {.filter = options.filter, .measure = options.measure_options()},
                                  [&](const std::string& text) { progress.show(text); });
  if (!measured) return tl::unexpected(measured.error());
  report.growth = std::move(*measured);
  if (Status status = options.write(report); !status) return tl::unexpected(status.error());
  if (!options.prints_file()) fmt::print("{}", growth_text(*report.growth));
  return kSuccess;
}

}  // namespace

void add_bench_growth_command(CLI::App& bench, int& exit_code) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App& command = *bench.add_subcommand(
      "growth", "How time grows with image size, batch and depth, with fitted exponents");
  options->add_options(command);
  command.callback([options, &exit_code] { exit_code = finish("bench growth", run(*options)); });
}

}  // namespace lockstep::tools
