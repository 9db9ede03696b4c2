// Failures that are known and accepted for a while: a file of waivers, each for one vendor's
// drivers and a pattern of cases, with the reason and the day it ends.
//
//   {"waivers": [{"vendor": "0x5143", "driver_minimum": "0x80000000", "driver_maximum":
//   "0x801fffff",
//                 "cases": "depthwise_conv_2d/*", "expires": "2027-03-31",
//                 "reason": "driver bug 1234, fixed in 512.800"}]}
//
// Vendors and driver versions are those of the report (Vulkan's vendorID and driverVersion), as
// hexadecimal text with "0x" or as decimal text.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "backend/device.h"
#include "conformance/run_result.h"
#include "graph/status.h"

namespace lockstep::conformance {

struct Waiver {
  uint32_t vendor_id = 0;
  // Both ends belong to the range.
  uint32_t driver_minimum = 0;
  uint32_t driver_maximum = UINT32_MAX;
  std::string cases;                    // matches_pattern() against a case's whole name
  std::chrono::year_month_day expires;  // the last day on which it holds
  std::string reason;
};

// Whether the whole text fits: '*' stands for any text, '?' for one character, anything else for
// itself. Takes time in proportion to both lengths multiplied, whatever the pattern.
bool matches_pattern(std::string_view pattern, std::string_view text);

// Every field but the driver range is required; unknown fields are errors. kInvalidArgument names
// the field.
Result<std::vector<Waiver>> waivers_from_json(const nlohmann::json& json, std::string_view name);
Result<std::vector<Waiver>> read_waivers(const std::filesystem::path& path);

// Turns failures that a waiver names into kWaived; the reason becomes the waiver's, then the
// verdict that it waives, then the failure's: "driver bug 1234: FAIL: 3 of 100 elements differ".
// Gives the waivers that had expired and would have matched a failure that no other one covers,
// each once, for a warning.
std::vector<Waiver> apply_waivers(const std::vector<Waiver>& waivers,
                                  const backend::DeviceDescription& device,
                                  std::chrono::year_month_day today,
                                  std::vector<RunResult>& results);

}  // namespace lockstep::conformance
