// What tells a report's JSON from other JSON.
#pragma once

#include <cstdint>
#include <string_view>

namespace lockstep::conformance {

inline constexpr std::string_view kReportFormat = "lockstep conformance report";
// Changes whenever a field comes, goes or changes its meaning.
inline constexpr int64_t kReportFormatVersion = 2;

}  // namespace lockstep::conformance
