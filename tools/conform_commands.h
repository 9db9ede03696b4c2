// What the files of `lockstep conform` share: its subcommands, and how they write.
#pragma once

#include <filesystem>
#include <string>

#include "graph/status.h"

namespace CLI {
class App;
}

namespace lockstep::tools {

void add_export_command(CLI::App& conform, int& exit_code);
void add_replay_command(CLI::App& conform, int& exit_code);

// To standard output for "-", otherwise into the file, whole or not at all.
Status write_text(const std::filesystem::path& path, const std::string& text);

}  // namespace lockstep::tools
