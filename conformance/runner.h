// Runs cases on a subject inside this process and judges what comes back. The supervisor
// (supervisor.h) calls it in a child process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/case.h"
#include "conformance/run_result.h"
#include "conformance/subject.h"

namespace lockstep::conformance {

// What a case must give under one contract.
struct Expectation {
  Digest outputs;
  Digest accumulators;  // empty: the case has none
  bool operator==(const Expectation&) const = default;
};

// What was recorded of a case under one contract when the suite, or a corpus, was made.
struct RecordedExpectation {
  // The contract does not compute the case; the digests are empty.
  bool is_refused = false;
  Expectation digests;
  // Bytes of each digest that were kept, from the first on; the others are zero.
  size_t digest_bytes = sizeof(Digest::bytes);

  // `digests` themselves, cut to what was kept.
  bool agrees_with(const Expectation& actual) const;
  bool operator==(const RecordedExpectation&) const = default;
};
using RecordedCase = std::map<numerics::Contract, RecordedExpectation>;

// Computed by host_ref from the lowered case.
struct ReferenceResult {
  std::vector<std::vector<std::byte>> outputs;  // of LoweredCase::graph.outputs, accumulators last
  Expectation expectation;
};
Result<ReferenceResult> compute_reference(const LoweredCase& lowered);

// Digests of one observation, as reports carry them. The accumulators' one is empty where the case
// has none or `outputs` ends before them.
Expectation digest_observation(const LoweredCase& lowered,
                               std::span<const std::vector<std::byte>> outputs);

// The first differing tensor of those that both have; nullopt where none differs. Elements that are
// not 8-bit are told as int32: floats by their bits, wider integers as far as it reaches.
std::optional<TensorDifference> find_difference(const LoweredCase& lowered,
                                                std::span<const std::vector<std::byte>> expected,
                                                std::span<const std::vector<std::byte>> actual);

struct RunOptions {
  std::vector<numerics::Contract> contracts{numerics::kAllContracts.begin(),
                                            numerics::kAllContracts.end()};
  // Each run is repeated, so that what depends on memory left behind, or changes from run to run,
  // shows.
  int32_t repetitions = 2;
  // Only the subject's own choice of kernels and capabilities.
  bool default_configuration_only = false;
  // Only the subject's own choice computes every case under every contract, and any configuration
  // the quick cases; each other configuration computes a case under one contract, which is another
  // one from case to case (contract_turns.h).
  bool contracts_in_turn = false;
  // Only this one, or the one it comes down to; empty: all. A case that the subject cannot compute
  // in it is kNotSupported.
  std::string only_configuration;
  // Where there is a record, it is compared with host_ref too, as a run of the configuration
  // "reference": a mistake in what subject and reference share (lowering, host_ref) shows there.
  // Without it host_ref is asked only to explain a difference.
  bool check_reference = true;
};

// Which run of a case.
struct RunKey {
  numerics::Contract contract = numerics::Contract::kTflite;
  std::string configuration;
  auto operator<=>(const RunKey&) const = default;
};

// Called around every run, in order; `begin` names what is about to start, so that a crash can be
// laid at its door: kPreparation of every contract (which has no result unless it kills the
// process), then each run.
struct RunObserver {
  std::function<void(const RunKey&)> begin;
  std::function<void(RunResult result)> end;
};

// All runs of one case, but for those `judged` already (before the process died): a contract whose
// preparation was judged is left out as a whole. A contract that does not compute the case, or a
// case that the subject does not compute, is one kNotSupported run. Every contract gives at least
// one result that is `judged` or reported. `recorded` may be null.
void run_case(const Case& source, Subject& subject, const RunOptions& options,
              const RecordedCase* recorded, std::span<const RunKey> judged,
              const RunObserver& observer);

}  // namespace lockstep::conformance
