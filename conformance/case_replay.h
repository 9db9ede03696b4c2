// Runs the case of a folder on a subject and compares what it gives with the folder's own files,
// element by element.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "conformance/case_folder.h"
#include "conformance/runner.h"
#include "conformance/subject.h"
#include "graph/status.h"

namespace lockstep::conformance {

struct ElementDifference {
  int64_t index = 0;  // flat
  int64_t expected = 0;
  int64_t actual = 0;  // as integers; floats as the integers of their bits
  bool operator==(const ElementDifference&) const = default;
};

// A tensor that came out otherwise than the folder says.
struct ReplayedTensor {
  std::string name;
  graph::DataType type = graph::DataType::kInt8;
  graph::Shape shape;
  int64_t differing = 0;
  static constexpr size_t kMaximumElements = 64;
  std::vector<ElementDifference> elements;  // the first of them
  bool operator==(const ReplayedTensor&) const = default;
};

struct ReplayedRun {
  RunKey key;
  std::vector<std::string> equivalent_configurations;
  Verdict verdict = Verdict::kNotSupported;
  std::string reason;  // for every verdict but kPass
  std::string kernels;
  std::vector<ReplayedTensor> differences;  // of the first repetition that has any
  bool operator==(const ReplayedRun&) const = default;
};

struct Replay {
  SubjectDescription subject;
  std::vector<ReplayedRun> runs;

  // Every run passed, or was not supported, and at least one passed.
  bool is_success() const;
};

struct ReplayOptions {
  // Empty: that of the folder's failure, or every one that it has files for.
  std::vector<numerics::Contract> contracts;
  std::string configuration;  // empty: all
  int32_t repetitions = 3;
};

// In this process. `judged` runs are left out, and so is a contract whose kPreparation is. `begin`
// is called before every run (and before each contract's preparation), `end` with its outcome; a
// subject that crashes takes the process along in between.
struct ReplayObserver {
  std::function<void(const RunKey&)> begin;
  std::function<void(const ReplayedRun&)> end;
};
void replay_case(const CaseFolder& folder, Subject& subject, const ReplayOptions& options,
                 std::span<const RunKey> judged, const ReplayObserver& observer);

nlohmann::json to_json(const ReplayedRun& run);
Result<ReplayedRun> replayed_run_from_json(const nlohmann::json& json);
nlohmann::json to_json(const Replay& replay);

}  // namespace lockstep::conformance
