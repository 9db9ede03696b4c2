// The runs as the page's script reads them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/report.h"

namespace lockstep::conformance {

// One symbol a verdict, so that nobody needs to tell colours apart.
constexpr std::string_view verdict_symbol(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "✓";
    case Verdict::kFail:
      return "✗";
    case Verdict::kCrash:
      return "↯";
    case Verdict::kTimeout:
      return "◷";
    case Verdict::kNotSupported:
      return "–";
    case Verdict::kWaived:
      return "≈";
  }
  return "?";
}

// Where a verdict stands in kAllVerdicts, which is what the script knows it by.
size_t verdict_index(Verdict verdict);

// How the page calls its subjects: the device's name, numbered where two have the same.
std::vector<std::string> subject_names(std::span<const Report> reports);

// JSON for the inside of a <script> element: '<', '>' and '&' are escaped, so that no name ends it.
// Every text once; a run is an array of numbers, see kReportScript.
std::string runs_as_script_data(std::span<const Report> reports);

}  // namespace lockstep::conformance
