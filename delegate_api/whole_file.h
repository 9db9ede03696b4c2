// Files that readers see whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "graph/status.h"

namespace lockstep::delegate {

// Writes beside the file and renames, so that a reader never sees half of it. `what` is for the
// message: "the report". kNotFound, saying why, when that cannot be done; what was there stays.
Status write_whole_file(const std::string& path, std::string_view contents, std::string_view what);

}  // namespace lockstep::delegate
