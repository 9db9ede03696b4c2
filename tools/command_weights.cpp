// lockstep weights: what a network's constants hold, and networks with others.
#include <CLI/CLI.hpp>

#include "tools/command.h"
#include "tools/weights_commands.h"

namespace lockstep::tools {

void add_weights_command(CLI::App& app, int& exit_code) {
  CLI::App& command = *app.add_subcommand("weights", "Look at a network's constants, change them");
  command.require_subcommand(1);
  command.footer("docs/quantization.md tells what the numbers mean.");
  add_weights_list_command(command, exit_code);
  add_weights_prune_command(command, exit_code);
  add_weights_symmetrize_command(command, exit_code);
  add_weights_extract_command(command, exit_code);
  add_weights_densify_command(command, exit_code);
}

}  // namespace lockstep::tools
