// Names and limits that the writer and the reader of case folders share.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "numerics/contract.h"

namespace lockstep::conformance::folder {

inline constexpr int32_t kFormat = 1;
inline constexpr std::string_view kModelFile = "model.tflite";
inline constexpr std::string_view kDescriptionFile = "case.json";
inline constexpr std::string_view kReadmeFile = "README.txt";
inline constexpr size_t kMaximumNameLength = 1000;

inline std::string input_file(size_t index) { return fmt::format("input_{}.bin", index); }

inline std::string output_file(numerics::Contract contract, size_t index) {
  return fmt::format("expected_{}_{}.bin", numerics::contract_name(contract), index);
}

inline std::string accumulator_file(numerics::Contract contract, size_t index) {
  return fmt::format("expected_{}_accumulators_{}.bin", numerics::contract_name(contract), index);
}

}  // namespace lockstep::conformance::folder
