// An append-only file of results, one JSON line each, so that an interrupted run can go on where it
// stopped:
//   {"journal": 1, "identity": DIGEST}     first line: which run it belongs to
//   {"result": RUN_RESULT}
//   {"finished": CASE_NAME}
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "conformance/report.h"
#include "graph/status.h"

namespace lockstep::conformance {

class Journal {
 public:
  // Opens or creates. `identity` is a digest of everything that must agree for results to be of
  // the same run (suite, seed, subject, driver, options); a journal of another run is an error that
  // says so, never overwritten. A torn last line (the run was killed while writing it) is cut off.
  // The file is locked while the journal lives: kInvalidArgument where another process has it.
  static Result<Journal> open(const std::filesystem::path& path, const Digest& identity);

  // Of earlier runs of this journal: the results of the cases that were finished, and their names.
  // What came of a case that was interrupted is left out: it is run again as a whole.
  const std::vector<RunResult>& earlier_results() const { return earlier_results_; }
  const std::vector<std::string>& finished_cases() const { return finished_cases_; }

  // Handed to the operating system before returning: outlives this process, not a power failure.
  Status append(const RunResult& result);
  Status append_finished(const std::string& case_name);

 private:
  Journal() = default;
  Status append_line(const std::string& line);

  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::filesystem::path path_;
  std::vector<RunResult> earlier_results_;
  std::vector<std::string> finished_cases_;
};

}  // namespace lockstep::conformance
