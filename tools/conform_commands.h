// The subcommands of `lockstep conform` that have files of their own.
#pragma once

namespace CLI {
class App;
}

namespace lockstep::tools {

void add_export_command(CLI::App& conform, int& exit_code);
void add_replay_command(CLI::App& conform, int& exit_code);

}  // namespace lockstep::tools
