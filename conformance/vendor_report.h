// A failure told to those who write the driver: Markdown that stands for itself, so that nobody
// needs this project to understand what was computed and what should have come out.
#pragma once

#include <string>

#include "conformance/case_folder.h"
#include "conformance/case_replay.h"

namespace lockstep::conformance {

// `replay` is of the folder's case on the device in question, best in all configurations.
// kUnsupported where no contract that failed computes the case.
Result<std::string> vendor_report(const CaseFolder& folder, const Replay& replay);

}  // namespace lockstep::conformance
