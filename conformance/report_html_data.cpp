#include "conformance/report_html_data.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "conformance/text.h"

namespace lockstep::conformance {

namespace {

using nlohmann::json;

// Texts that occur often, each kept once.
class TextTable {
 public:
  size_t index_of(const std::string& text) {
    const auto [known, is_new] = indices_.emplace(text, texts_.size());
    if (is_new) texts_.push_back(valid_utf8(text));
    return known->second;
  }
  json take() { return std::move(texts_); }

 private:
  std::map<std::string, size_t> indices_;
  std::vector<std::string> texts_;
};

std::string escape_for_script(const std::string& json_text) {
  std::string escaped;
  escaped.reserve(json_text.size());
  for (const char character : json_text) {
    switch (character) {
      case '<':
        escaped += "\\u003c";
        break;
      case '>':
        escaped += "\\u003e";
        break;
      case '&':
        escaped += "\\u0026";
        break;
      default:
        escaped += character;
    }
  }
  return escaped;
}

}  // namespace

size_t verdict_index(Verdict verdict) {
  return static_cast<size_t>(
      std::distance(std::begin(kAllVerdicts), std::ranges::find(kAllVerdicts, verdict)));
}

std::vector<std::string> subject_names(std::span<const Report> reports) {
  std::map<std::string, int> uses;
  for (const Report& report : reports) ++uses[report.header.subject.device.name];
  std::vector<std::string> names;
  for (const Report& report : reports) {
    const std::string& name = report.header.subject.device.name;
    names.push_back(uses[name] == 1 ? name : fmt::format("{}: {}", names.size() + 1, name));
  }
  return names;
}

std::string runs_as_script_data(std::span<const Report> reports) {
  TextTable cases;
  TextTable texts;
  json runs = json::array();
  for (size_t subject = 0; subject < reports.size(); ++subject) {
    for (const RunResult& result : reports[subject].results) {
      const auto contract = static_cast<size_t>(
          std::distance(numerics::kAllContracts.begin(),
                        std::ranges::find(numerics::kAllContracts, result.contract)));
      const std::string outputs = result.outputs.is_empty() ? "" : result.outputs.hex();
      runs.push_back({subject, cases.index_of(result.case_name), contract,
                      texts.index_of(result.configuration), verdict_index(result.verdict),
                      texts.index_of(result.kernels), result.nanoseconds / 1000,
                      texts.index_of(result.reason), texts.index_of(outputs)});
    }
  }
  json subjects = json::array();
  for (const std::string& name : subject_names(reports)) subjects.push_back(valid_utf8(name));
  json contracts = json::array();
  for (const numerics::Contract contract : numerics::kAllContracts) {
    contracts.push_back(numerics::contract_name(contract));
  }
  json verdicts = json::array();
  for (const Verdict verdict : kAllVerdicts) {
    verdicts.push_back({{"name", verdict_name(verdict)}, {"symbol", verdict_symbol(verdict)}});
  }
  const json data = {{"subjects", std::move(subjects)}, {"contracts", std::move(contracts)},
                     {"verdicts", std::move(verdicts)}, {"cases", cases.take()},
                     {"texts", texts.take()},           {"runs", std::move(runs)}};
  return escape_for_script(data.dump());
}

}  // namespace lockstep::conformance
