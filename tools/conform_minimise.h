// lockstep conform --minimise: failures of a report as folders that can be handed on.
#pragma once

#include <cstddef>
#include <filesystem>

#include "conformance/conformance_run.h"
#include "conformance/report.h"

namespace lockstep::tools {

struct MinimiseSettings {
  std::filesystem::path folder;
  // So many cases at most: one cause usually fails many of them.
  size_t maximum_cases = 5;
  // For each case.
  std::chrono::seconds maximum_time{120};
};

// Shrinks one failing run of each family, then of each further case, and writes it, with the report
// for the driver's vendor, into a folder of its own below `settings.folder`. Says on standard error
// what it does and what cannot be shrunk.
Status minimise_failures(const conformance::Report& report,
                         const conformance::ConformanceOptions& options,
                         const MinimiseSettings& settings);

}  // namespace lockstep::tools
