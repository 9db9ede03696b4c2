// lockstep bench: how fast is this device, at what? See docs/benchmarks.md.
#include <CLI/CLI.hpp>

#include "tools/bench_commands.h"
#include "tools/command.h"

namespace lockstep::tools {

void add_bench_command(CLI::App& app, int& exit_code) {
  CLI::App& command = *app.add_subcommand("bench", "Measure a device, layers, whole networks");
  command.require_subcommand(1);
  command.footer("docs/benchmarks.md tells how to read the results.");
  add_bench_device_command(command, exit_code);
  add_bench_layers_command(command, exit_code);
  add_bench_models_command(command, exit_code);
  add_bench_growth_command(command, exit_code);
}

}  // namespace lockstep::tools
