#include "conformance/report_testing.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <utility>

namespace lockstep::conformance::testing {

Digest sample_digest(std::string_view text) {
  // No hash is needed: any bytes that follow the text do.
  Digest digest;
  uint32_t state = 2166136261U;
  for (const char character : text) {
    state = (state ^ static_cast<unsigned char>(character)) * 16777619U;
  }
  for (uint8_t& byte : digest.bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<uint8_t>(state >> 24U);
  }
  return digest;
}

RunResult passed_run(std::string case_name, numerics::Contract contract,
                     std::string configuration) {
  const std::string what = case_name + std::string(numerics::contract_name(contract));
  RunResult run;
  run.case_name = std::move(case_name);
  run.contract = contract;
  run.configuration = std::move(configuration);
  run.verdict = Verdict::kPass;
  run.kernels = "convolution_direct, add";
  run.outputs = run.expected_outputs = sample_digest(what + " outputs");
  run.accumulators = run.expected_accumulators = sample_digest(what + " accumulators");
  run.repetitions = 2;
  run.nanoseconds = 1'500'000;
  return run;
}

RunResult failed_run(std::string case_name, numerics::Contract contract,
                     std::string configuration) {
  RunResult run = passed_run(std::move(case_name), contract, std::move(configuration));
  run.verdict = Verdict::kFail;
  run.reason = "3 of 420 elements of tensor 'out' differ";
  run.outputs = sample_digest("other outputs");
  run.difference = TensorDifference{.tensor = "out",
                                    .type = graph::DataType::kInt8,
                                    .shape = {2, 6, 5, 7},
                                    .differing = 3,
                                    .first = 41,
                                    .first_expected = -7,
                                    .first_actual = -6,
                                    .largest = 9,
                                    .histogram = {0, 0, 1, 0, 1, 0, 0, 1},
                                    .indices = {41, 48, 300}};
  return run;
}

RunResult empty_run(std::string case_name, numerics::Contract contract, Verdict verdict,
                    std::string reason) {
  RunResult run;
  run.case_name = std::move(case_name);
  run.contract = contract;
  run.verdict = verdict;
  run.reason = std::move(reason);
  run.nanoseconds = 1000;
  return run;
}

Report sample_report() {
  using numerics::Contract;
  Report report;
  ReportHeader& header = report.header;
  header.suite_version = "7";
  header.lockstep_version = "1.2.3";
  header.compiler = "GCC 12.2.0 x86_64";
  header.started = "2026-11-21T10:00:00Z";
  header.quick = true;
  header.contracts_in_turn = true;
  header.seed = UINT64_MAX;
  header.random_cases = 5;
  header.repetitions = 3;
  header.contracts = {Contract::kLitert, Contract::kSingle};
  header.filters = {"conv", "add"};
  header.exclusions = {"huge"};
  header.corpus = "00112233445566778899aabbccddeeff";
  header.shard_index = 1;
  header.shard_count = 4;
  header.subject.selector = "2";
  header.subject.device = {.backend = "vulkan",
                           .name = "Example GPU",
                           .kind = backend::DeviceKind::kIntegratedGpu,
                           .driver = "Example driver 5.1",
                           .api_version = "1.3.230",
                           .vendor_id = 0x5143,
                           .device_id = 0xfffffffe,
                           .driver_version = 0x80000001,
                           .device_uuid = "a1a2",
                           .driver_uuid = "b1b2",
                           .capabilities = {{"subgroup", "64"}, {"int8", "yes"}}};
  header.subject.shaders = {{"convolution", "c1c2"}, {"add", "d1d2"}};
  report.results = {
      empty_run("add/broadcast", Contract::kLitert, Verdict::kNotSupported, "no broadcast"),
      passed_run("add/plain", Contract::kLitert, "default"),
      empty_run("conv_2d/hangs", Contract::kLitert, Verdict::kTimeout, "no answer in 60 s"),
      empty_run("conv_2d/hangs", Contract::kSingle, Verdict::kCrash, "signal 11"),
      passed_run("conv_2d/ties", Contract::kLitert, "default"),
      failed_run("conv_2d/ties", Contract::kLitert, "kernel=convolution_tiled"),
      failed_run("conv_2d/ties", Contract::kLitert, "mask=int-dot"),
      empty_run("conv_2d/waived", Contract::kLitert, Verdict::kWaived, "bug 12: FAIL: wrong")};
  report.results[1].equivalent_configurations = {"mask=int-dot", "kernel=add"};
  report.cases = 9;
  report.coverage_hits = {{"conv_2d", {{"channels", {{"17", 3}, {"3", 4}}}}},
                          {"add", {{"shape", {{"broadcast", 1}}}}}};
  report.coverage_holes = {{"conv_2d", "channels", "31"}};
  report.seconds = 12.5;
  return report;
}

std::vector<const MarkupElement*> Markup::named(std::string_view name) const {
  std::vector<const MarkupElement*> found;
  for (const MarkupElement& element : elements) {
    if (element.name == name) found.push_back(&element);
  }
  return found;
}

namespace {

class MarkupParser {
 public:
  MarkupParser(std::string_view document, bool is_html) : rest_(document), is_html_(is_html) {}

  Markup parse() {
    while (!rest_.empty() && result_.error.empty()) {
      if (rest_.starts_with("<?") || rest_.starts_with("<!")) {
        skip_declaration();
      } else if (rest_.starts_with("</")) {
        end_tag();
      } else if (rest_.starts_with("<")) {
        start_tag();
      } else {
        const std::string text = decode(take_until("<"));
        if (!open_.empty()) result_.elements[open_.back()].text += text;
      }
    }
    if (result_.error.empty() && !open_.empty()) {
      fail("<" + result_.elements[open_.back()].name + "> is not closed");
    }
    return std::move(result_);
  }

 private:
  void fail(std::string problem) {
    if (result_.error.empty()) result_.error = std::move(problem);
  }

  std::string_view take_until(std::string_view mark) {
    const size_t end = std::min(rest_.find(mark), rest_.size());
    const std::string_view taken = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return taken;
  }

  void skip_declaration() {
    if (!result_.elements.empty()) return fail("a declaration or comment inside the document");
    take_until(">");
    rest_.remove_prefix(std::min<size_t>(1, rest_.size()));
  }

  std::string decode(std::string_view text) {
    std::string decoded;
    for (size_t i = 0; i < text.size(); ++i) {
      const auto code = static_cast<unsigned char>(text[i]);
      if (code < 0x20 && code != '\n') fail("a control character");
      if (text[i] != '&') {
        decoded += text[i];
        continue;
      }
      const size_t end = text.find(';', i);
      if (end == std::string_view::npos) {
        fail("'&' without a reference");
        break;
      }
      const std::string reference(text.substr(i + 1, end - i - 1));
      static const std::map<std::string, char> kReferences = {
          {"amp", '&'},  {"lt", '<'},  {"gt", '>'},   {"quot", '"'},
          {"#39", '\''}, {"#9", '\t'}, {"#10", '\n'}, {"#13", '\r'}};
      const auto known = kReferences.find(reference);
      if (known == kReferences.end()) {
        fail("unknown reference &" + reference + ";");
        break;
      }
      decoded += known->second;
      i = end;
    }
    return decoded;
  }

  std::string take_name() {
    size_t length = 0;
    while (length < rest_.size() &&
           (std::isalnum(static_cast<unsigned char>(rest_[length])) != 0 || rest_[length] == '-')) {
      ++length;
    }
    std::string name(rest_.substr(0, length));
    rest_.remove_prefix(length);
    if (name.empty()) fail("a name is missing before: " + std::string(rest_.substr(0, 40)));
    return name;
  }

  void end_tag() {
    rest_.remove_prefix(2);
    const std::string name = take_name();
    if (open_.empty() || result_.elements[open_.back()].name != name) {
      return fail("</" + name + "> closes nothing");
    }
    if (!rest_.starts_with(">")) return fail("</" + name + " is not a tag");
    rest_.remove_prefix(1);
    open_.pop_back();
  }

  void skip_space() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n'))
      rest_.remove_prefix(1);
  }

  void start_tag() {
    rest_.remove_prefix(1);
    MarkupElement element;
    element.name = take_name();
    element.depth = static_cast<int>(open_.size());
    skip_space();
    while (result_.error.empty() && !rest_.starts_with(">") && !rest_.starts_with("/>")) {
      const std::string name = take_name();
      if (!rest_.starts_with("=\"")) return fail("attribute " + name + " is not quoted");
      rest_.remove_prefix(2);
      const std::string_view value = take_until("\"");
      if (value.find('<') != std::string_view::npos) fail("'<' in attribute " + name);
      if (!element.attributes.emplace(name, decode(value)).second) fail("twice: " + name);
      if (rest_.empty()) return fail("attribute " + name + " does not end");
      rest_.remove_prefix(1);
      if (!rest_.starts_with(" ") && !rest_.starts_with("\n") && !rest_.starts_with(">") &&
          !rest_.starts_with("/>")) {
        return fail("no space behind attribute " + name);
      }
      skip_space();
    }
    const bool is_empty = rest_.starts_with("/>");
    rest_.remove_prefix(std::min<size_t>(is_empty ? 2 : 1, rest_.size()));
    const bool is_raw = is_html_ && (element.name == "script" || element.name == "style");
    const std::string name = element.name;
    result_.elements.push_back(std::move(element));
    if (is_empty) return;
    open_.push_back(result_.elements.size() - 1);
    if (is_raw) result_.elements.back().text = take_until("</" + name);
  }

  std::string_view rest_;
  bool is_html_;
  Markup result_;
  std::vector<size_t> open_;
};

}  // namespace

Markup parse_markup(std::string_view document, bool is_html) {
  return MarkupParser(document, is_html).parse();
}

}  // namespace lockstep::conformance::testing
