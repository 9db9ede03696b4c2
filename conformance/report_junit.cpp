#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "conformance/report.h"
#include "conformance/text.h"

namespace lockstep::conformance {

namespace {

struct Totals {
  int64_t tests = 0;
  int64_t failures = 0;
  int64_t skipped = 0;
  int64_t nanoseconds = 0;

  void add(const RunResult& result) {
    ++tests;
    if (is_failure(result.verdict)) ++failures;
    if (result.verdict == Verdict::kNotSupported || result.verdict == Verdict::kWaived) ++skipped;
    nanoseconds += result.nanoseconds;
  }

  // `errors` means tests that could not be judged; ours all are.
  std::string attributes() const {
    return fmt::format("tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.6f}\"",
                       tests, failures, skipped, static_cast<double>(nanoseconds) * 1e-9);
  }
};

std::string property(std::string_view name, std::string_view value) {
  return fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", escape_markup(name),
                     escape_markup(value));
}

std::string properties(const Report& report) {
  const ReportHeader& header = report.header;
  const backend::DeviceDescription& device = header.subject.device;
  return "    <properties>\n" + property("device", device.name) +
         property("driver", device.driver) + property("driver_uuid", device.driver_uuid) +
         property("suite_version", header.suite_version) +
         property("lockstep_version", header.lockstep_version) +
         property("compiler", header.compiler) + property("seed", std::to_string(header.seed)) +
         property("digest", report.digest().hex()) +
         property("supported_digest", report.supported_digest().hex()) + "    </properties>\n";
}

// What a reader needs beyond the reason to look further.
std::string details(const RunResult& result) {
  std::string text = result.reason;
  if (!result.kernels.empty()) text += "\nkernels: " + result.kernels;
  const auto add_digests = [&](std::string_view name, const Digest& expected,
                               const Digest& actual) {
    if (expected == actual) return;
    text += fmt::format("\n{}: expected {}, found {}", name, expected.hex(), actual.hex());
  };
  add_digests("outputs", result.expected_outputs, result.outputs);
  add_digests("accumulators", result.expected_accumulators, result.accumulators);
  if (result.difference) {
    const TensorDifference& difference = *result.difference;
    text += fmt::format(
        "\ntensor '{}' {} {}: {} elements differ, by at most {}; element {}: expected {}, found {}",
        difference.tensor, graph::data_type_name(difference.type),
        graph::shape_to_string(difference.shape), difference.differing, difference.largest,
        difference.first, difference.first_expected, difference.first_actual);
  }
  return text;
}

std::string test_case(const RunResult& result) {
  const std::string_view family = family_of(result.case_name);
  const std::string_view rest = std::string_view(result.case_name)
                                    .substr(std::min(family.size() + 1, result.case_name.size()));
  const std::string name = fmt::format(
      "{} [{}, {}]", rest, numerics::contract_name(result.contract), result.configuration);
  const std::string start = fmt::format(
      "    <testcase classname=\"conformance.{}\" name=\"{}\" time=\"{:.6f}\"",
      escape_markup(family), escape_markup(name), static_cast<double>(result.nanoseconds) * 1e-9);
  if (result.verdict == Verdict::kPass) return start + "/>\n";
  const std::string reason = escape_markup(result.reason);
  if (is_failure(result.verdict)) {
    return fmt::format(
        "{}>\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>\n", start,
        verdict_name(result.verdict), reason, escape_markup(details(result)));
  }
  return fmt::format("{}>\n      <skipped message=\"{}: {}\"/>\n    </testcase>\n", start,
                     verdict_name(result.verdict), reason);
}

}  // namespace

std::string junit_xml(const Report& report) {
  std::map<std::string_view, std::vector<const RunResult*>> families;
  Totals totals;
  for (const RunResult& result : report.results) {
    families[family_of(result.case_name)].push_back(&result);
    totals.add(result);
  }
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  xml += fmt::format("<testsuites name=\"lockstep conformance\" {}>\n", totals.attributes());
  const std::string suite_properties = properties(report);
  for (const auto& [family, runs] : families) {
    Totals family_totals;
    for (const RunResult* run : runs) family_totals.add(*run);
    xml += fmt::format("  <testsuite name=\"{}\" timestamp=\"{}\" {}>\n", escape_markup(family),
                       escape_markup(report.header.started), family_totals.attributes());
    xml += suite_properties;
    for (const RunResult* run : runs) xml += test_case(*run);
    xml += "  </testsuite>\n";
  }
  return xml + "</testsuites>\n";
}

}  // namespace lockstep::conformance
