#include "conformance/waivers.h"

#include <charconv>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "conformance/json_fields.h"
#include "conformance/report.h"
#include "conformance/text.h"

namespace lockstep::conformance {

namespace {

template <typename T>
std::optional<T> parse_number(std::string_view digits, int base) {
  T number = 0;
  const auto [end, problem] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  const bool is_whole = problem == std::errc{} && end == digits.data() + digits.size();
  return is_whole ? std::optional<T>(number) : std::nullopt;
}

uint32_t read_uint32(JsonFields& fields, std::string_view name) {
  const std::string text = fields.text(name);
  const bool is_hexadecimal = text.starts_with("0x");
  const auto number = parse_number<uint32_t>(std::string_view(text).substr(is_hexadecimal ? 2 : 0),
                                             is_hexadecimal ? 16 : 10);
  if (!number) fields.refuse(name, "expected text like \"0x5143\" or \"20803\" of at most 32 bits");
  return number.value_or(0);
}

std::string read_nonempty(JsonFields& fields, std::string_view name) {
  std::string text = fields.text(name);
  if (text.empty()) fields.refuse(name, "empty");
  return text;
}

// "2027-03-31" and nothing else; the day must exist.
std::optional<std::chrono::year_month_day> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  // uint32: no signs.
  const auto year = parse_number<uint32_t>(text.substr(0, 4), 10);
  const auto month = parse_number<uint32_t>(text.substr(5, 2), 10);
  const auto day = parse_number<uint32_t>(text.substr(8, 2), 10);
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day)};
  return date.ok() ? std::optional(date) : std::nullopt;
}

std::chrono::year_month_day read_day(JsonFields& fields, std::string_view name) {
  const auto day = parse_day(fields.text(name));
  if (!day) fields.refuse(name, "expected a day like \"2027-03-31\"");
  return day.value_or(std::chrono::year_month_day{});
}

Waiver read_waiver(JsonFields& fields) {
  Waiver waiver;
  waiver.vendor_id = read_uint32(fields, "vendor");
  if (fields.has("driver_minimum")) waiver.driver_minimum = read_uint32(fields, "driver_minimum");
  if (fields.has("driver_maximum")) waiver.driver_maximum = read_uint32(fields, "driver_maximum");
  if (waiver.driver_minimum > waiver.driver_maximum) {
    fields.refuse("driver_minimum", "greater than driver_maximum");
  }
  waiver.cases = read_nonempty(fields, "cases");
  waiver.expires = read_day(fields, "expires");
  waiver.reason = read_nonempty(fields, "reason");
  fields.refuse_unknown();
  return waiver;
}

bool is_for_driver(const Waiver& waiver, const backend::DeviceDescription& device) {
  return waiver.vendor_id == device.vendor_id && device.driver_version >= waiver.driver_minimum &&
         device.driver_version <= waiver.driver_maximum;
}

// Of the character that starts at `position`, so that '?' takes a whole UTF-8 sequence.
size_t character_length(std::string_view text, size_t position) {
  size_t length = 1;
  while (position + length < text.size() &&
         (static_cast<unsigned char>(text[position + length]) & 0xc0) == 0x80) {
    ++length;
  }
  return length;
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view text) {
  // Only the last '*' is ever tried again: whatever an earlier one could take, it could too.
  std::optional<size_t> star;
  size_t star_text = 0;  // where what follows the star was tried last
  size_t p = 0;
  size_t t = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      t += character_length(text, t);
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star) {
      star_text += character_length(text, star_text);
      t = star_text;
      p = *star + 1;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<std::vector<Waiver>> waivers_from_json(const nlohmann::json& json, std::string_view name) {
  Status status;
  std::vector<Waiver> waivers;
  JsonFields fields(json, "", status);
  fields.objects("waivers", [&](JsonFields& waiver) { waivers.push_back(read_waiver(waiver)); });
  fields.refuse_unknown();
  if (!status) {
    return make_error(status.error().code, "'{}': {}", one_line(name), status.error().message);
  }
  return waivers;
}

Result<std::vector<Waiver>> read_waivers(const std::filesystem::path& path) {
  const Result<nlohmann::json> json = read_json_file(path);
  if (!json) return tl::unexpected(json.error());
  return waivers_from_json(*json, path.string());
}

std::vector<Waiver> apply_waivers(const std::vector<Waiver>& waivers,
                                  const backend::DeviceDescription& device,
                                  std::chrono::year_month_day today,
                                  std::vector<RunResult>& results) {
  std::vector<bool> would_have_matched(waivers.size(), false);
  for (RunResult& result : results) {
    if (!is_failure(result.verdict)) continue;
    std::optional<size_t> match;
    std::vector<size_t> expired_matches;
    for (size_t i = 0; i < waivers.size() && !match; ++i) {
      if (!is_for_driver(waivers[i], device) ||
          !matches_pattern(waivers[i].cases, result.case_name)) {
        continue;
      }
      if (waivers[i].expires >= today) {
        match = i;
      } else {
        expired_matches.push_back(i);
      }
    }
    if (!match) {
      for (const size_t expired : expired_matches) would_have_matched[expired] = true;
      continue;
    }
    result.reason = fmt::format("{}: {}: {}", waivers[*match].reason, verdict_name(result.verdict),
                                result.reason);
    result.verdict = Verdict::kWaived;
  }
  std::vector<Waiver> expired;
  for (size_t i = 0; i < waivers.size(); ++i) {
    if (would_have_matched[i]) expired.push_back(waivers[i]);
  }
  return expired;
}

}  // namespace lockstep::conformance
