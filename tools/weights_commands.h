// The commands under `lockstep weights`, one file each.
#pragma once

namespace CLI {
class App;
}

namespace lockstep::tools {

void add_weights_list_command(CLI::App& weights, int& exit_code);
void add_weights_prune_command(CLI::App& weights, int& exit_code);
void add_weights_symmetrize_command(CLI::App& weights, int& exit_code);
void add_weights_extract_command(CLI::App& weights, int& exit_code);
void add_weights_densify_command(CLI::App& weights, int& exit_code);

}  // namespace lockstep::tools
