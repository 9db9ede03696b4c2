// From a failed run to a folder that can be handed to a driver's vendor.
#pragma once

#include <filesystem>

#include "conformance/minimiser.h"
#include "conformance/replay_process.h"
#include "conformance/subject.h"
#include "graph/status.h"

namespace lockstep::conformance {

// Writes `minimised` as a case folder with what every contract that computes it expects, replays
// that folder in all configurations, and puts the report about it beside the case as REPORT.md.
// `replay` says how (its contracts and configuration are chosen here). kUnsupported where the
// folder was written but the failure did not show again, so that there is nothing to report.
Status write_failure_folder(const std::filesystem::path& path, const MinimisedCase& minimised,
                            const SubjectDescription& subject, ReplayProcessOptions replay);

}  // namespace lockstep::conformance
