#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lockstep::numerics {

/// Whose arithmetic a run reproduces. Inference engines agree on what an int8 network means as real
/// numbers, but not on how each integer result is rounded; a contract names one engine's rounding.
/// It is chosen by the user and recorded in every result. docs/numerics.md has the formulae.
enum class Contract : std::uint8_t {
  /// TensorFlow Lite's builtin kernels on CPUs with AVX or later.
  kTflite,
  /// XNNPACK, and so LiteRT's default CPU path: scales through float32.
  kLitert,
  /// TensorFlow Lite's reference kernels, gemmlowp, TOSA with double rounding.
  kReference,
  /// Builds with TFLITE_SINGLE_ROUNDING, TOSA with single rounding, ruy on CPUs without AVX.
  kSingle,
};

inline constexpr std::array<Contract, 4> kAllContracts = {Contract::kTflite, Contract::kLitert,
                                                          Contract::kReference, Contract::kSingle};

/// The name by which users choose the contract and by which reports record it; "unknown" for a
/// value that is no enumerator.
constexpr std::string_view contract_name(Contract contract) {
  switch (contract) {
    case Contract::kTflite:
      return "tflite";
    case Contract::kLitert:
      return "litert";
    case Contract::kReference:
      return "reference";
    case Contract::kSingle:
      return "single";
  }
  return "unknown";
}

/// The inverse of contract_name(): exact, lower case, without surrounding space; empty for any
/// other text.
constexpr std::optional<Contract> parse_contract(std::string_view name) {
  for (const Contract contract : kAllContracts) {
    if (contract_name(contract) == name) {
      return contract;
    }
  }
  return std::nullopt;
}

}  // namespace lockstep::numerics
