#include "conformance/failure_folder.h"

#include <utility>

#include "conformance/report.h"
#include "conformance/vendor_report.h"

namespace lockstep::conformance {

Status write_failure_folder(const std::filesystem::path& path, const MinimisedCase& minimised,
                            const SubjectDescription& subject, ReplayProcessOptions replay) {
  const RunResult& failure = minimised.failure;
  const auto folder = make_case_folder(minimised.smallest, numerics::kAllContracts,
                                       FolderFailure{.contract = failure.contract,
                                                     .configuration = failure.configuration,
                                                     .verdict = failure.verdict,
                                                     .reason = failure.reason,
                                                     .kernels = failure.kernels,
                                                     .subject = subject});
  if (!folder) return tl::unexpected(folder.error());
  if (Status status = write_case_folder(path, *folder); !status) return status;
  // Every contract: whether the others fail too tells a vendor a lot.
  replay.replay.contracts.clear();
  for (const ExpectedTensors& expected : folder->expected) {
    replay.replay.contracts.push_back(expected.contract);
  }
  replay.replay.configuration.clear();
  const auto replayed = replay_in_process(path, replay);
  if (!replayed) return tl::unexpected(replayed.error());
  const auto report = vendor_report(*folder, *replayed);
  if (!report) return tl::unexpected(report.error());
  return write_file(path / "REPORT.md", *report);
}

}  // namespace lockstep::conformance
