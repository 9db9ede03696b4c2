// What became of one run of one case.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lockstep::conformance {

enum class Verdict : uint8_t {
  kPass,          // the subject said so, and every digest is the expected one
  kFail,          // other bits, other bits when repeated, or memory written that is not the tensor's
  kCrash,         // the process died, or ended without a verdict (exit(0) from inside a driver)
  kTimeout,       // no answer within the limit
  kNotSupported,  // the subject or the contract does not compute this; the reason says why
  kWaived,        // kFail, kCrash or kTimeout that a waiver names
};

constexpr std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "PASS";
    case Verdict::kFail:
      return "FAIL";
    case Verdict::kCrash:
      return "CRASH";
    case Verdict::kTimeout:
      return "TIMEOUT";
    case Verdict::kNotSupported:
      return "NOT_SUPPORTED";
    case Verdict::kWaived:
      return "WAIVED";
  }
  return "unknown";
}

inline constexpr Verdict kAllVerdicts[] = {Verdict::kPass,    Verdict::kFail,
                                           Verdict::kCrash,   Verdict::kTimeout,
                                           Verdict::kWaived,  Verdict::kNotSupported};

constexpr std::optional<Verdict> parse_verdict(std::string_view name) {
  for (const Verdict verdict : kAllVerdicts) {
    if (verdict_name(verdict) == name) {
      return verdict;
    }
  }
  return std::nullopt;
}

// Whether it counts against the subject.
constexpr bool is_failure(Verdict verdict) {
  return verdict == Verdict::kFail || verdict == Verdict::kCrash || verdict == Verdict::kTimeout;
}

}  // namespace lockstep::conformance
