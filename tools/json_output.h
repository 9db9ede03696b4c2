// JSON on standard output.
#pragma once

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace lockstep::tools {

inline void print_json(const nlohmann::json& json) {
  // Names come from model files and drivers, and need not be UTF-8.
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace lockstep::tools
