#include <nlohmann/json.hpp>
#include <utility>

#include "conformance/report.h"
#include "conformance/report_format.h"
#include "conformance/text.h"

namespace lockstep::conformance {

namespace {

using nlohmann::json;

json texts_to_json(const std::vector<std::string>& texts) {
  json array = json::array();
  for (const std::string& text : texts) array.push_back(valid_utf8(text));
  return array;
}

// Pairs keep their order, which an object would not.
json pairs_to_json(const std::vector<std::pair<std::string, std::string>>& pairs,
                   const char* value_name) {
  json array = json::array();
  for (const auto& [name, value] : pairs) {
    array.push_back({{"name", valid_utf8(name)}, {value_name, valid_utf8(value)}});
  }
  return array;
}

json difference_to_json(const TensorDifference& difference) {
  return {{"tensor", valid_utf8(difference.tensor)},
          {"type", graph::data_type_name(difference.type)},
          {"shape", difference.shape},
          {"differing", difference.differing},
          {"first", difference.first},
          {"first_expected", difference.first_expected},
          {"first_actual", difference.first_actual},
          {"largest", difference.largest},
          {"histogram", difference.histogram},
          {"indices", difference.indices}};
}

json coverage_to_json(const Report& report) {
  json hits = json::object();
  for (const auto& [family, dimensions] : report.coverage_hits) {
    json& family_json = hits[valid_utf8(family)] = json::object();
    for (const auto& [dimension, values] : dimensions) {
      json& dimension_json = family_json[valid_utf8(dimension)] = json::object();
      for (const auto& [value, count] : values) dimension_json[valid_utf8(value)] = count;
    }
  }
  json holes = json::array();
  for (const CoverageHole& hole : report.coverage_holes) {
    holes.push_back({{"family", valid_utf8(hole.family)},
                     {"dimension", valid_utf8(hole.dimension)},
                     {"value", valid_utf8(hole.value)}});
  }
  return {{"hits", std::move(hits)}, {"holes", std::move(holes)}};
}

}  // namespace

json device_to_json(const backend::DeviceDescription& device) {
  return {{"backend", valid_utf8(device.backend)},
          {"name", valid_utf8(device.name)},
          {"kind", backend::device_kind_name(device.kind)},
          {"driver", valid_utf8(device.driver)},
          {"api_version", valid_utf8(device.api_version)},
          {"vendor_id", device.vendor_id},
          {"device_id", device.device_id},
          {"driver_version", device.driver_version},
          {"device_uuid", valid_utf8(device.device_uuid)},
          {"driver_uuid", valid_utf8(device.driver_uuid)},
          {"capabilities", pairs_to_json(device.capabilities, "value")}};
}

json to_json(const SubjectDescription& description) {
  return {{"selector", valid_utf8(description.selector)},
          {"device", device_to_json(description.device)},
          {"shaders", pairs_to_json(description.shaders, "digest")}};
}

json to_json(const RunResult& result) {
  json object = {{"case", valid_utf8(result.case_name)},
                 {"contract", numerics::contract_name(result.contract)},
                 {"configuration", valid_utf8(result.configuration)},
                 {"equivalent_configurations", texts_to_json(result.equivalent_configurations)},
                 {"verdict", verdict_name(result.verdict)},
                 {"reason", valid_utf8(result.reason)},
                 {"kernels", valid_utf8(result.kernels)},
                 {"outputs", result.outputs.hex()},
                 {"accumulators", result.accumulators.hex()},
                 {"expected_outputs", result.expected_outputs.hex()},
                 {"expected_accumulators", result.expected_accumulators.hex()},
                 {"repetitions", result.repetitions},
                 {"nanoseconds", result.nanoseconds}};
  if (result.difference) object["difference"] = difference_to_json(*result.difference);
  return object;
}

json to_json(const ReportHeader& header) {
  json contracts = json::array();
  for (const numerics::Contract contract : header.contracts) {
    contracts.push_back(numerics::contract_name(contract));
  }
  return {{"suite_version", valid_utf8(header.suite_version)},
          {"lockstep_version", valid_utf8(header.lockstep_version)},
          {"compiler", valid_utf8(header.compiler)},
          {"started", valid_utf8(header.started)},
          {"quick", header.quick},
          {"contracts_in_turn", header.contracts_in_turn},
          {"seed", header.seed},
          {"random_cases", header.random_cases},
          {"repetitions", header.repetitions},
          {"contracts", std::move(contracts)},
          {"filters", texts_to_json(header.filters)},
          {"exclusions", texts_to_json(header.exclusions)},
          {"corpus", valid_utf8(header.corpus)},
          {"shard_index", header.shard_index},
          {"shard_count", header.shard_count},
          {"subject", to_json(header.subject)}};
}

json to_json(const Report& report) {
  json verdicts = json::object();
  for (const auto& [verdict, count] : report.count_verdicts()) {
    verdicts[std::string(verdict_name(verdict))] = count;
  }
  json results = json::array();
  for (const RunResult& result : report.results) results.push_back(to_json(result));
  return {{"format", kReportFormat},
          {"format_version", kReportFormatVersion},
          {"header", to_json(report.header)},
          {"summary",
           {{"verdicts", std::move(verdicts)},
            {"digest", report.digest().hex()},
            {"supported_digest", report.supported_digest().hex()}}},
          {"cases", report.cases},
          {"seconds", report.seconds},
          {"coverage", coverage_to_json(report)},
          {"results", std::move(results)}};
}

}  // namespace lockstep::conformance
