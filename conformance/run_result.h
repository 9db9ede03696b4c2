// One run: a case under a contract in one configuration of a subject, and what came out of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/digest.h"
#include "conformance/verdict.h"
#include "graph/tensor.h"
#include "numerics/contract.h"

namespace lockstep::conformance {

// How the first differing tensor of a failed run differs, small enough for a report.
struct TensorDifference {
  std::string tensor;
  // int8, uint8, or int32 for raw accumulators and everything else (floats by their bits).
  graph::DataType type = graph::DataType::kInt8;
  graph::Shape shape;
  int64_t differing = 0;  // elements
  int64_t first = 0;      // flat index of the first of them
  int64_t first_expected = 0;
  int64_t first_actual = 0;
  int64_t largest = 0;  // largest |actual - expected|
  // Differing elements by actual - expected: <= -4, -3, -2, -1, 1, 2, 3, >= 4.
  std::array<int64_t, 8> histogram{};
  // Where they lie: flat indices of the first ones, at most kMaximumIndices.
  static constexpr size_t kMaximumIndices = 4096;
  std::vector<int64_t> indices;
  bool operator==(const TensorDifference&) const = default;
};

// Configurations of results that are not a subject's.
inline constexpr std::string_view kReferenceConfiguration = "reference";
// The subject died, or hung, while it said in which configurations it computes the case.
inline constexpr std::string_view kPreparation = "preparation";

struct RunResult {
  std::string case_name;
  numerics::Contract contract = numerics::Contract::kTflite;
  // Which kernels and capabilities the subject used, "mask=int-dot kernel=convolution_direct";
  // "default" for what it chooses by itself.
  std::string configuration = "default";
  // Further configurations that come down to the very same commands, so one run stands for all.
  std::vector<std::string> equivalent_configurations;

  Verdict verdict = Verdict::kNotSupported;
  std::string reason;   // for every verdict but kPass; of a waived run what the waiver gives
  std::string kernels;  // that computed it, comma-separated

  // What the subject computed; empty where it computed nothing. The accumulators are those of all
  // CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED operators in order.
  Digest outputs;
  Digest accumulators;
  Digest expected_outputs;
  Digest expected_accumulators;

  int32_t repetitions = 0;
  int64_t nanoseconds = 0;  // all repetitions, compilation included
  std::optional<TensorDifference> difference;
  bool operator==(const RunResult&) const = default;
};

}  // namespace lockstep::conformance
