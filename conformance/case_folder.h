// One case as a folder that needs nobody's code to be read: a .tflite file, its inputs, and what it
// must give.
//
//   model.tflite                            the network
//   input_0.bin, ...                        contents of its inputs
//   expected_CONTRACT_0.bin, ...            contents of its outputs under a contract
//   expected_CONTRACT_accumulators_0.bin    raw int32 sums of its convolutions and fully connected
//                                           layers, one file each, in order
//   case.json                               name, shapes, types, digests, who failed on it and how
//   README.txt                              what this is, for a person
//
// All .bin files are dense little-endian elements, innermost dimension fastest (NHWC).
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "conformance/case.h"
#include "conformance/run_result.h"
#include "conformance/runner.h"
#include "conformance/subject.h"
#include "graph/status.h"

namespace lockstep::conformance {

struct ExpectedTensor {
  std::string name;
  graph::DataType type = graph::DataType::kInt8;
  graph::Shape shape;
  std::vector<std::byte> bytes;
};

// What a case must give under one contract: the order of LoweredCase::graph.outputs.
struct ExpectedTensors {
  numerics::Contract contract = numerics::Contract::kTflite;
  std::vector<ExpectedTensor> outputs;
  std::vector<ExpectedTensor> accumulators;
};

// The run for which the folder was written.
struct FolderFailure {
  numerics::Contract contract = numerics::Contract::kTflite;
  std::string configuration;
  Verdict verdict = Verdict::kFail;
  std::string reason;
  std::string kernels;
  SubjectDescription subject;
};

struct CaseFolder {
  Case source;
  std::vector<ExpectedTensors> expected;  // at least one, each contract once
  std::optional<FolderFailure> failure;   // none: the folder is an example
  std::string lockstep_version;
  std::string suite_version;

  const ExpectedTensors* expected_under(numerics::Contract contract) const;
  // For the runner.
  RecordedCase record() const;
};

// With what host_ref computes under those of `contracts` that compute the case; kUnsupported where
// none does.
Result<CaseFolder> make_case_folder(const Case& source,
                                    std::span<const numerics::Contract> contracts,
                                    std::optional<FolderFailure> failure = std::nullopt);

struct FolderFile {
  std::string name;  // "REPORT.md"
  std::string contents;
};

// Whole or not at all: written beside `path` and renamed. `further` files are put beside the
// folder's own. kInvalidArgument where `path` exists and is not an empty folder.
Status write_case_folder(const std::filesystem::path& path, const CaseFolder& folder,
                         std::span<const FolderFile> further = {});

// Believes nothing: the error names the file and what is wrong with it. kNotFound where there is no
// such folder.
Result<CaseFolder> read_case_folder(const std::filesystem::path& path);

}  // namespace lockstep::conformance
