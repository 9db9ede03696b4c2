#include "conformance/golden.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

namespace lockstep::conformance {
namespace {

constexpr size_t kDigestBytes = 8;
constexpr std::string_view kRefused = "-";
constexpr std::string_view kSameAsBefore = "=";

std::string short_hex(const Digest& digest) { return digest.hex().substr(0, 2 * kDigestBytes); }

std::optional<Digest> parse_short(std::string_view hex) {
  if (hex.size() != 2 * kDigestBytes) return std::nullopt;
  return Digest::parse(std::string(hex) + std::string(hex.size(), '0'));
}

std::optional<RecordedExpectation> parse_expectation(std::string_view text) {
  RecordedExpectation recorded;
  recorded.digest_bytes = kDigestBytes;
  if (text == kRefused) {
    recorded.is_refused = true;
    return recorded;
  }
  const size_t slash = text.find('/');
  const auto outputs = parse_short(text.substr(0, slash));
  if (!outputs) return std::nullopt;
  recorded.digests.outputs = *outputs;
  if (slash != std::string_view::npos) {
    const auto accumulators = parse_short(text.substr(slash + 1));
    if (!accumulators) return std::nullopt;
    recorded.digests.accumulators = *accumulators;
  }
  return recorded;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Result<std::string> golden_column(const Case& source, numerics::Contract contract) {
  const auto lowered = lower_case(source, contract);
  if (!lowered && lowered.error().code == ErrorCode::kUnsupported) return std::string(kRefused);
  if (!lowered) return tl::unexpected(lowered.error());
  const auto reference = compute_reference(*lowered);
  if (!reference) return tl::unexpected(reference.error());
  const Expectation& digests = reference->expectation;
  if (digests.accumulators.is_empty()) return short_hex(digests.outputs);
  return fmt::format("{}/{}", short_hex(digests.outputs), short_hex(digests.accumulators));
}

}  // namespace

Result<RecordedCases> parse_golden(std::string_view text) {
  RecordedCases cases;
  size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const auto bad = [number](std::string_view problem) {
      return make_error(ErrorCode::kInvalidArgument, "golden digests, line {}: {}", number,
                        problem);
    };
    const size_t tab = line.find('\t');
    if (tab == std::string_view::npos) return bad("there is no tab behind the case's name");
    const auto columns = split(line.substr(tab + 1), ' ');
    if (columns.size() != numerics::kAllContracts.size()) {
      return bad("there must be one column for each contract");
    }
    RecordedCase recorded;
    std::optional<RecordedExpectation> expectation;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (i == 0 || columns[i] != kSameAsBefore) expectation = parse_expectation(columns[i]);
      if (!expectation) return bad("a digest has other than 16 hex digits");
      recorded[numerics::kAllContracts[i]] = *expectation;
    }
    if (!cases.emplace(line.substr(0, tab), std::move(recorded)).second) {
      return bad("the case is there twice");
    }
  }
  return cases;
}

Result<std::string> golden_text(std::span<const Case> cases) {
  std::string text;
  for (const Case& source : cases) {
    text += source.name + '\t';
    std::string before;
    for (const numerics::Contract contract : numerics::kAllContracts) {
      auto column = golden_column(source, contract);
      if (!column) return tl::unexpected(column.error());
      if (!before.empty()) text += ' ';
      text += *column == before ? kSameAsBefore : *column;
      before = std::move(*column);
    }
    text += '\n';
  }
  return text;
}

}  // namespace lockstep::conformance
