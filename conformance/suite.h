// The cases of a run, and what was recorded about them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/case.h"
#include "conformance/generator.h"
#include "conformance/runner.h"
#include "graph/status.h"

namespace lockstep::conformance {

// Changes whenever the default suite's cases or golden digests do.
inline constexpr std::string_view kSuiteVersion = "5";

struct SuiteOptions {
  bool quick = false;
  GeneratorOptions generator;
  // Only cases whose name contains one of these; empty: all.
  std::vector<std::string> filters;
  // Only cases whose name contains none of these.
  std::vector<std::string> exclusions;
  // Whole networks given by the user, each a case of family "model".
  std::vector<std::filesystem::path> models;
  // Cases of this corpus file instead of generated ones.
  std::filesystem::path corpus;
  // The cases of these folders (case_folder.h), and what they record, instead of generated ones.
  std::vector<std::filesystem::path> case_folders;
  // This share of the cases: those whose index modulo shard_count is shard_index.
  int32_t shard_index = 0;
  int32_t shard_count = 1;
};

struct Suite {
  // As they were given; of a corpus, `quick` and `generator` say how it was made.
  SuiteOptions options;
  // kSuiteVersion, or that of the corpus.
  std::string version{kSuiteVersion};
  // Empty without a corpus.
  Digest corpus_digest;
  std::vector<Case> cases;
  // By case name. Cases that depend on a seed or on files of the user have no record.
  std::map<std::string, RecordedCase> recorded;

  // Null where there is none.
  const RecordedCase* record_of(const Case& source) const;
  // Of the cases' names, inputs and records: whether two processes have the same suite.
  Digest identity() const;
};

// Deterministic. kInvalidArgument where a filter matches nothing or a shard is out of range.
// kInternal where two cases have one name.
Result<Suite> make_suite(const SuiteOptions& options);

}  // namespace lockstep::conformance
