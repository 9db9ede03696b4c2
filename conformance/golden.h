// Golden digests: what every case of the default suite gave under every contract when the suite was
// made. Devices and host_ref run the same lowered graph; a mistake in lowering or in host_ref
// itself is seen only by comparing with what was right before.
//
// golden_digests.txt has one line for each case:
//   NAME <tab> TFLITE LITERT REFERENCE SINGLE
// where each contract is OUTPUTS/ACCUMULATORS (16 hex digits each, the first half of the digest; no
// slash without accumulators), "=" for the same as the contract before, or "-" where the contract
// does not compute the case.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "conformance/runner.h"
#include "graph/status.h"

namespace lockstep::conformance {

using RecordedCases = std::map<std::string, RecordedCase>;

// kInvalidArgument names the line.
Result<RecordedCases> parse_golden(std::string_view text);

// The file's contents for these cases, computed by host_ref.
Result<std::string> golden_text(std::span<const Case> cases);

// What golden_digests.txt said when this was built.
std::string_view embedded_golden_text();

}  // namespace lockstep::conformance
