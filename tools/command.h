// The subcommands of `lockstep`. Each file command_NAME.cpp adds one to the parser; when it was
// chosen its outcome is the program's exit code.
#pragma once

#include <string>

#include "graph/status.h"

namespace CLI {
class App;
}

namespace lockstep::tools {

enum ExitCode : int {
  kSuccess = 0,
  kDifferent = 1,  // a comparison found a difference
  kFailure = 2,    // an error, told on stderr
};

void add_devices_command(CLI::App& app, int& exit_code);
void add_inspect_command(CLI::App& app, int& exit_code);
void add_run_command(CLI::App& app, int& exit_code);
void add_verify_command(CLI::App& app, int& exit_code);
void add_compare_command(CLI::App& app, int& exit_code);
void add_demo_command(CLI::App& app, int& exit_code);
void add_faces_command(CLI::App& app, int& exit_code);
void add_conform_command(CLI::App& app, int& exit_code);
void add_bench_command(CLI::App& app, int& exit_code);
void add_profile_command(CLI::App& app, int& exit_code);
void add_weights_command(CLI::App& app, int& exit_code);
void add_quantize_command(CLI::App& app, int& exit_code);

// Takes a command's result to an exit code; an error is printed as "lockstep COMMAND: message".
int finish(const std::string& command, const Result<int>& result);

}  // namespace lockstep::tools
