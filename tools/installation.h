// Where the libraries that tools load at run time are.
#pragma once

#include <filesystem>
#include <string>

#include "graph/status.h"

namespace lockstep::tools {

// liblockstep_tflite.so: `given` if not empty, else in ../lib beside the running program's folder
// or where `cmake --install` puts libraries (lib64 and the like).
Result<std::filesystem::path> find_plugin(const std::filesystem::path& given);

// libtensorflowlite_c.so: `given`, else the environment variable LOCKSTEP_TFLITE_LIBRARY, else
// where scripts/fetch.sh puts it. The error says how to get one.
Result<std::filesystem::path> find_tflite(const std::filesystem::path& given);

}  // namespace lockstep::tools
