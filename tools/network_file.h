// Networks that a command has changed, as files.
#pragma once

#include <filesystem>

#include "graph/editable_model.h"
#include "graph/status.h"

namespace lockstep::tools {

// In whole or not at all. Returns the file's size.
Result<size_t> write_network(const graph::EditableModel& model, const std::filesystem::path& path);

}  // namespace lockstep::tools
