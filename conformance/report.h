// The outcome of a conformance run, and how it is written, read, merged and compared.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/coverage.h"
#include "conformance/run_result.h"
#include "conformance/subject.h"
#include "graph/status.h"

namespace lockstep::conformance {

// family -> dimension -> value -> number of cases
using CoverageHits = decltype(CoverageTable::hits);

// Everything that tells one report from another, besides its results.
struct ReportHeader {
  std::string suite_version;
  std::string lockstep_version;
  std::string compiler;  // "GCC 12.2.0 x86_64"
  std::string started;   // UTC, ISO 8601
  bool quick = false;
  bool contracts_in_turn = false;  // see RunOptions
  uint64_t seed = 0;
  int32_t random_cases = 0;
  int32_t repetitions = 0;
  std::vector<numerics::Contract> contracts;
  std::vector<std::string> filters;
  std::vector<std::string> exclusions;
  std::string corpus;  // digest of the corpus file; empty without
  int32_t shard_index = 0;
  int32_t shard_count = 1;
  SubjectDescription subject;
};

struct Report {
  ReportHeader header;
  // Sorted by sort_results(); each case, contract and configuration once.
  std::vector<RunResult> results;
  size_t cases = 0;
  // Of the cases of this report; both empty where coverage was not measured.
  CoverageHits coverage_hits;
  std::vector<CoverageHole> coverage_holes;
  double seconds = 0;  // of all shards together where it was merged

  // Every verdict, zeros included.
  std::map<Verdict, int64_t> count_verdicts() const;
  // One line over all results: for every case and contract the digests of outputs and accumulators
  // (all configurations must agree, else every differing one counts), and whether the runs that
  // gave them passed, so that a crash, or a stray write beside right outputs, changes it too. Two
  // devices that computed the same suite to the same bits have the same digest, whichever kernels
  // they used. Waivers do not change it. NOT_SUPPORTED runs do not count, but supported_digest()
  // tells whether two devices support the same. Neither depends on the order of the results.
  Digest digest() const;
  Digest supported_digest() const;
};

// "conv_2d" of "conv_2d/ties half": the text before the first '/'.
std::string_view family_of(std::string_view case_name);

// By case, contract, configuration: the order of reports.
void sort_results(std::vector<RunResult>& results);

// What one case came to under one contract, over all configurations, so that machines compare with
// whatever kernels they have.
struct Outcome {
  struct Bits {
    bool passed = false;  // a run with these bits passed; false for failures, waived or not
    Digest outputs;
    Digest accumulators;
    auto operator<=>(const Bits&) const = default;
  };
  std::set<Bits> bits;  // of all runs but NOT_SUPPORTED ones; empty: nothing was computed
  std::string unsupported_reason;  // of the first NOT_SUPPORTED run
};
using CaseAndContract = std::pair<std::string, numerics::Contract>;
std::map<CaseAndContract, Outcome> collect_outcomes(const Report& report);

// Failures of one case under one contract that look the same, whatever the configuration: what a
// person reads as one failure.
struct FailureGroup {
  std::vector<const RunResult*> runs;  // into the report, at least one
  const RunResult& first() const { return *runs.front(); }
};
std::vector<FailureGroup> group_failures(const Report& report);

// Keys in a stable order; text that is no UTF-8 is mended, so that dump() never throws.
nlohmann::json to_json(const Report& report);
nlohmann::json to_json(const ReportHeader& header);
// Believes nothing: kInvalidArgument names what is missing, unknown, of the wrong type, out of
// range or at odds with the rest, the digest included. `name` stands in front of messages.
Result<Report> report_from_json(const nlohmann::json& json, std::string_view name);
nlohmann::json to_json(const RunResult& result);
Result<RunResult> run_result_from_json(const nlohmann::json& json);
nlohmann::json to_json(const SubjectDescription& description);
// Every report tells of a device in the same words.
nlohmann::json device_to_json(const backend::DeviceDescription& device);
Result<SubjectDescription> subject_from_json(const nlohmann::json& json);

// kNotFound for a file that cannot be read.
Result<Report> read_report(const std::filesystem::path& path);
// The text of a file of JSON; the messages of both readers name line and column.
Result<nlohmann::json> read_json_file(const std::filesystem::path& path);
// Whole or not at all: written beside `path` and renamed.
Status write_file(const std::filesystem::path& path, std::string_view contents);

// For terminals, without colours: verdicts by family and contract, then the failures, then the
// digest in the last line.
std::string summary_text(const Report& report);
// Families as suites, runs as test cases. FAIL, CRASH and TIMEOUT are failures; NOT_SUPPORTED and
// WAIVED are skipped.
std::string junit_xml(const Report& report);
// One self-contained page: matrix of families x contracts for every subject, each failure with its
// case, a picture of where in the tensor the differing elements lie and a histogram of differences.
std::string html_page(std::span<const Report> reports);

// Shards of one run as one report, whatever their order. They may come from several devices of the
// same kind: the device's index and UUID may differ (the report then lists every UUID), its driver,
// capabilities and shaders may not. kInvalidArgument when they are not shards of one run: other
// suites, subjects or seeds, a shard missing or there twice, a case in two shards.
Result<Report> merge_reports(std::span<const Report> shards);

// What differs between two machines' results.
struct ReportDifference {
  std::vector<std::string> header;  // "seed: 1 against 2"
  struct Run {
    std::string case_name;
    numerics::Contract contract = numerics::Contract::kTflite;
    std::string what;  // "outputs 0123.. against 4567..", "only in the first: not supported: .."
  };
  std::vector<Run> runs;     // both computed it, to other bits, or a run of only one failed
  std::vector<Run> support;  // only one computed it
  bool same_bits() const { return runs.empty(); }
  bool same_support() const { return support.empty(); }
};
// Raw accumulators are compared where both show them: whole engines show none.
ReportDifference diff_reports(const Report& first, const Report& second);
// For terminals; the last line says whether the bits are the same.
std::string difference_text(const ReportDifference& difference);

}  // namespace lockstep::conformance
