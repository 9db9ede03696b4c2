// JSON as text, and on standard output.
#pragma once

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>

namespace lockstep::tools {

inline std::string json_text(const nlohmann::json& json) {
  // Names come from model files and drivers, and need not be UTF-8.
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

inline void print_json(const nlohmann::json& json) { fmt::print("{}\n", json_text(json)); }

}  // namespace lockstep::tools
