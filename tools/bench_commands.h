// The commands under `lockstep bench`, one file each.
#pragma once

namespace CLI {
class App;
}

namespace lockstep::tools {

void add_bench_device_command(CLI::App& bench, int& exit_code);
void add_bench_layers_command(CLI::App& bench, int& exit_code);
void add_bench_models_command(CLI::App& bench, int& exit_code);
void add_bench_growth_command(CLI::App& bench, int& exit_code);

}  // namespace lockstep::tools
