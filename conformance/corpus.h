// A corpus file: the cases of a suite with their inputs and the digests that host_ref computed of
// them, so that a phone needs neither the generators nor the time that host_ref takes. What is in
// it says corpus.fbs; corpus_write.cpp makes it, corpus_read.cpp believes nothing of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "conformance/case.h"
#include "conformance/digest.h"
#include "conformance/golden.h"
#include "conformance/suite.h"
#include "graph/status.h"

namespace lockstep::conformance {

inline constexpr std::string_view kCorpusExtension = ".lockstep";

struct Corpus {
  // Of the suite that it was made of.
  std::string suite_version;
  uint64_t seed = 0;
  int32_t random_cases = 0;
  bool is_quick = false;

  // The constants of their graphs point into the file's bytes, which every graph keeps alive.
  std::vector<Case> cases;
  // Of every case, under every contract that the corpus has.
  RecordedCases recorded;
  // Of everything above; the same for the same cases and digests.
  Digest digest;
};

// The file of a suite's cases and of what they give under every contract: the same bytes for the
// same suite, whatever the machine. Each case is written as a .tflite file and read back before its
// digests are computed, so what is recorded is what a reader of the corpus will run. The error
// names the case that cannot be written, or that host_ref cannot run.
Result<std::vector<std::byte>> make_corpus(const Suite& suite);

// `name` is what messages call the file. kInvalidModel where it is damaged, lies about its sizes,
// or has two cases of one name; kUnsupported where a newer version of this program wrote it. The
// messages name the file, and the case where there is one.
Result<Corpus> read_corpus(std::shared_ptr<const std::vector<std::byte>> bytes, std::string name);

// kNotFound where it cannot be read.
Result<Corpus> read_corpus_file(const std::filesystem::path& path);

}  // namespace lockstep::conformance
