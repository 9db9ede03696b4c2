// The style and the script of the report's page.
#pragma once

#include <string_view>

namespace lockstep::conformance {

extern const std::string_view kReportStyle;
// Fills the list of runs from the embedded JSON (see report_html_data.h) and filters it. Makes
// elements with textContent only, so that no name becomes markup.
extern const std::string_view kReportScript;

}  // namespace lockstep::conformance
