#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "conformance/json_fields.h"
#include "conformance/report.h"
#include "conformance/report_format.h"
#include "conformance/text.h"

namespace lockstep::conformance {

namespace {

using nlohmann::json;

constexpr int64_t kInt32Maximum = std::numeric_limits<int32_t>::max();
constexpr int64_t kInt64Maximum = std::numeric_limits<int64_t>::max();
constexpr int64_t kUint32Maximum = std::numeric_limits<uint32_t>::max();
constexpr std::array kDeviceKinds = {
    backend::DeviceKind::kDiscreteGpu, backend::DeviceKind::kIntegratedGpu,
    backend::DeviceKind::kVirtualGpu, backend::DeviceKind::kCpu, backend::DeviceKind::kOther};
constexpr std::array kDifferenceTypes = {graph::DataType::kInt8, graph::DataType::kUint8,
                                         graph::DataType::kInt32};

std::string in_quotes(std::string_view text) {
  return fmt::format("'{}'", graph::printable(one_line(text)));
}

Digest read_digest(JsonFields& fields, std::string_view name) {
  const std::string text = fields.text(name);
  if (!fields.ok()) return {};
  const std::optional<Digest> digest = Digest::parse(text);
  if (!digest) {
    fields.refuse(name, "expected 32 hexadecimal digits, found " + in_quotes(text));
    return {};
  }
  return *digest;
}

numerics::Contract parse_contract_field(JsonFields& fields, std::string_view name,
                                        const std::string& text) {
  const auto contract = numerics::parse_contract(text);
  if (!contract) fields.refuse(name, "unknown contract " + in_quotes(text));
  return contract.value_or(numerics::Contract::kTflite);
}

numerics::Contract read_contract(JsonFields& fields, std::string_view name) {
  const std::string text = fields.text(name);
  return fields.ok() ? parse_contract_field(fields, name, text) : numerics::Contract::kTflite;
}

Verdict read_verdict(JsonFields& fields, std::string_view name) {
  const std::string text = fields.text(name);
  const auto verdict = parse_verdict(text);
  if (fields.ok() && !verdict) fields.refuse(name, "unknown verdict " + in_quotes(text));
  return verdict.value_or(Verdict::kFail);
}

std::vector<std::pair<std::string, std::string>> read_pairs(JsonFields& fields,
                                                            std::string_view name,
                                                            std::string_view value_name) {
  std::vector<std::pair<std::string, std::string>> pairs;
  fields.objects(name, [&](JsonFields& pair) {
    std::string pair_name = pair.text("name");
    pairs.emplace_back(std::move(pair_name), pair.text(value_name));
    pair.refuse_unknown();
  });
  return pairs;
}

backend::DeviceDescription read_device(JsonFields& fields) {
  backend::DeviceDescription device;
  device.backend = fields.text("backend");
  device.name = fields.text("name");
  const std::string kind_name = fields.text("kind");
  bool is_known_kind = false;
  for (const backend::DeviceKind kind : kDeviceKinds) {
    if (backend::device_kind_name(kind) != kind_name) continue;
    device.kind = kind;
    is_known_kind = true;
  }
  if (!is_known_kind) fields.refuse("kind", "unknown kind of device " + in_quotes(kind_name));
  device.driver = fields.text("driver");
  device.api_version = fields.text("api_version");
  device.vendor_id = static_cast<uint32_t>(fields.integer("vendor_id", 0, kUint32Maximum));
  device.device_id = static_cast<uint32_t>(fields.integer("device_id", 0, kUint32Maximum));
  device.driver_version =
      static_cast<uint32_t>(fields.integer("driver_version", 0, kUint32Maximum));
  device.device_uuid = fields.text("device_uuid");
  device.driver_uuid = fields.text("driver_uuid");
  device.capabilities = read_pairs(fields, "capabilities", "value");
  fields.refuse_unknown();
  return device;
}

SubjectDescription read_subject(JsonFields& fields) {
  SubjectDescription subject;
  subject.selector = fields.text("selector");
  fields.object("device", [&](JsonFields& device) { subject.device = read_device(device); });
  subject.shaders = read_pairs(fields, "shaders", "digest");
  fields.refuse_unknown();
  return subject;
}

// Fields that contradict each other: pictures and cards rely on them.
void check_difference(JsonFields& fields, const TensorDifference& difference) {
  if (!fields.ok()) return;
  const std::optional<int64_t> elements = graph::element_count(difference.shape);
  if (!elements) return fields.refuse("shape", "more elements than a tensor may have");
  if (difference.differing > *elements) {
    return fields.refuse("differing", "more than the tensor has elements");
  }
  if (difference.first >= *elements) return fields.refuse("first", "beyond the tensor's end");
  const graph::IntegerRange range = *graph::integer_range(difference.type);
  for (const auto& [name, value] : {std::pair{"first_expected", difference.first_expected},
                                    std::pair{"first_actual", difference.first_actual}}) {
    if (value < range.minimum || value > range.maximum) {
      return fields.refuse(
          name, fmt::format("not within {} and {}, the limits of {}", range.minimum, range.maximum,
                            graph::data_type_name(difference.type)));
    }
  }
  int64_t remaining = difference.differing;
  for (const int64_t count : difference.histogram) {
    if (count > remaining) return fields.refuse("histogram", "does not add up to 'differing'");
    remaining -= count;
  }
  if (remaining != 0) return fields.refuse("histogram", "does not add up to 'differing'");
  const auto index_count = static_cast<int64_t>(difference.indices.size());
  if (index_count > difference.differing) {
    return fields.refuse("indices", "more than 'differing' says");
  }
  int64_t previous = -1;
  for (const int64_t index : difference.indices) {
    if (index <= previous || index >= *elements) {
      return fields.refuse("indices", "not ascending, or beyond the tensor's end");
    }
    previous = index;
  }
  if (index_count > 0 && difference.indices.front() != difference.first) {
    return fields.refuse("indices", "do not start with 'first'");
  }
}

TensorDifference read_difference(JsonFields& fields) {
  TensorDifference difference;
  difference.tensor = fields.text("tensor");
  const std::string type_name = fields.text("type");
  bool is_known_type = false;
  for (const graph::DataType type : kDifferenceTypes) {
    if (graph::data_type_name(type) != type_name) continue;
    difference.type = type;
    is_known_type = true;
  }
  if (!is_known_type) {
    fields.refuse("type", "expected int8, uint8 or int32, found " + in_quotes(type_name));
  }
  constexpr size_t kMaximumRank = 64;
  for (const int64_t extent : fields.integers("shape", 0, kInt32Maximum, kMaximumRank)) {
    difference.shape.push_back(static_cast<int32_t>(extent));
  }
  difference.differing = fields.integer("differing", 1, graph::kMaximumElementCount);
  difference.first = fields.integer("first", 0, graph::kMaximumElementCount);
  constexpr int64_t kInt32Minimum = std::numeric_limits<int32_t>::min();
  difference.first_expected = fields.integer("first_expected", kInt32Minimum, kInt32Maximum);
  difference.first_actual = fields.integer("first_actual", kInt32Minimum, kInt32Maximum);
  difference.largest = fields.integer("largest", 1, kUint32Maximum);
  const std::vector<int64_t> histogram =
      fields.integers("histogram", 0, graph::kMaximumElementCount, difference.histogram.size());
  if (fields.ok() && histogram.size() != difference.histogram.size()) {
    fields.refuse("histogram", fmt::format("expected {} counts", difference.histogram.size()));
  }
  std::copy(histogram.begin(), histogram.end(), difference.histogram.begin());
  difference.indices =
      fields.integers("indices", 0, graph::kMaximumElementCount, TensorDifference::kMaximumIndices);
  fields.refuse_unknown();
  check_difference(fields, difference);
  return difference;
}

RunResult read_run_result(JsonFields& fields) {
  RunResult result;
  result.case_name = fields.text("case");
  if (result.case_name.empty()) fields.refuse("case", "empty");
  result.contract = read_contract(fields, "contract");
  result.configuration = fields.text("configuration");
  result.equivalent_configurations = fields.texts("equivalent_configurations");
  result.verdict = read_verdict(fields, "verdict");
  result.reason = fields.text("reason");
  result.kernels = fields.text("kernels");
  result.outputs = read_digest(fields, "outputs");
  result.accumulators = read_digest(fields, "accumulators");
  result.expected_outputs = read_digest(fields, "expected_outputs");
  result.expected_accumulators = read_digest(fields, "expected_accumulators");
  result.repetitions = static_cast<int32_t>(fields.integer("repetitions", 0, kInt32Maximum));
  result.nanoseconds = fields.integer("nanoseconds", 0, kInt64Maximum);
  if (fields.has("difference")) {
    fields.object("difference",
                  [&](JsonFields& difference) { result.difference = read_difference(difference); });
  }
  fields.refuse_unknown();
  return result;
}

ReportHeader read_header(JsonFields& fields) {
  ReportHeader header;
  header.suite_version = fields.text("suite_version");
  header.lockstep_version = fields.text("lockstep_version");
  header.compiler = fields.text("compiler");
  header.started = fields.text("started");
  header.quick = fields.boolean("quick");
  header.contracts_in_turn = fields.boolean("contracts_in_turn");
  header.seed = fields.natural("seed");
  header.random_cases = static_cast<int32_t>(fields.integer("random_cases", 0, kInt32Maximum));
  header.repetitions = static_cast<int32_t>(fields.integer("repetitions", 0, kInt32Maximum));
  for (const std::string& name : fields.texts("contracts")) {
    header.contracts.push_back(parse_contract_field(fields, "contracts", name));
  }
  header.filters = fields.texts("filters");
  header.exclusions = fields.texts("exclusions");
  header.corpus = fields.text("corpus");
  header.shard_count = static_cast<int32_t>(fields.integer("shard_count", 1, kInt32Maximum));
  header.shard_index = static_cast<int32_t>(
      fields.integer("shard_index", 0, std::max<int64_t>(0, int64_t{header.shard_count} - 1)));
  fields.object("subject", [&](JsonFields& subject) { header.subject = read_subject(subject); });
  fields.refuse_unknown();
  return header;
}

void read_coverage(JsonFields& fields, Report& report) {
  fields.object("hits", [&](JsonFields& hits) {
    for (const std::string& family : hits.names()) {
      hits.object(family, [&](JsonFields& dimensions) {
        for (const std::string& dimension : dimensions.names()) {
          dimensions.object(dimension, [&](JsonFields& values) {
            for (const std::string& value : values.names()) {
              report.coverage_hits[family][dimension][value] =
                  values.integer(value, 0, kInt64Maximum);
            }
          });
        }
      });
    }
  });
  fields.objects("holes", [&](JsonFields& hole_fields) {
    CoverageHole hole;
    hole.family = hole_fields.text("family");
    hole.dimension = hole_fields.text("dimension");
    hole.value = hole_fields.text("value");
    hole_fields.refuse_unknown();
    report.coverage_holes.push_back(std::move(hole));
  });
  fields.refuse_unknown();
}

// What the report says about itself must be what its results say.
void check_summary(JsonFields& summary, const Report& report) {
  summary.object("verdicts", [&](JsonFields& verdicts) {
    for (const auto& [verdict, count] : report.count_verdicts()) {
      const std::string_view name = verdict_name(verdict);
      if (verdicts.integer(name, 0, kInt64Maximum) != count) {
        verdicts.refuse(name, fmt::format("the results have {}", count));
      }
    }
    verdicts.refuse_unknown();
  });
  for (const auto& [name, expected] : {std::pair{"digest", report.digest()},
                                       std::pair{"supported_digest", report.supported_digest()}}) {
    if (read_digest(summary, name) != expected) {
      summary.refuse(name, "the results' is " + expected.hex());
    }
  }
  summary.refuse_unknown();
}

void check_results(JsonFields& fields, const Report& report) {
  std::set<std::string_view> cases;
  const RunResult* previous = nullptr;
  for (const RunResult& result : report.results) {
    cases.insert(result.case_name);
    if (previous != nullptr &&
        std::tie(previous->case_name, previous->contract, previous->configuration) ==
            std::tie(result.case_name, result.contract, result.configuration)) {
      return fields.refuse("results", fmt::format("the run of {} under {}, configuration {}, is "
                                                  "there twice",
                                                  in_quotes(result.case_name),
                                                  numerics::contract_name(result.contract),
                                                  in_quotes(result.configuration)));
    }
    previous = &result;
  }
  if (cases.size() > report.cases) {
    fields.refuse("cases", fmt::format("the results are of {} cases", cases.size()));
  }
}

tl::unexpected<Error> name_file(Error error, std::string_view name) {
  if (!name.empty()) error.message = fmt::format("'{}': {}", name, error.message);
  return tl::unexpected(std::move(error));
}

}  // namespace

Result<RunResult> run_result_from_json(const json& json) {
  Status status;
  JsonFields fields(json, "result", status);
  RunResult result = fields.ok() ? read_run_result(fields) : RunResult{};
  if (!status) return tl::unexpected(status.error());
  return result;
}

Result<SubjectDescription> subject_from_json(const json& json) {
  Status status;
  JsonFields fields(json, "subject", status);
  SubjectDescription subject = fields.ok() ? read_subject(fields) : SubjectDescription{};
  if (!status) return tl::unexpected(status.error());
  return subject;
}

Result<Report> report_from_json(const json& json, std::string_view name) {
  Status status;
  JsonFields fields(json, "", status);
  // Before all else: what is no report should be told so, not what it lacks.
  if (fields.text("format") != kReportFormat) {
    fields.refuse("format", fmt::format("expected '{}'", kReportFormat));
  }
  if (fields.integer("format_version", 0, kInt64Maximum) != kReportFormatVersion) {
    fields.refuse("format_version",
                  fmt::format("this build reads version {}", kReportFormatVersion));
  }
  Report report;
  fields.object("header", [&](JsonFields& header) { report.header = read_header(header); });
  report.cases = static_cast<size_t>(fields.integer("cases", 0, kInt64Maximum));
  report.seconds = fields.seconds("seconds");
  fields.object("coverage", [&](JsonFields& coverage) { read_coverage(coverage, report); });
  fields.objects("results",
                 [&](JsonFields& result) { report.results.push_back(read_run_result(result)); });
  if (fields.ok()) {
    sort_results(report.results);
    check_results(fields, report);
  }
  fields.object("summary", [&](JsonFields& summary) { check_summary(summary, report); });
  fields.refuse_unknown();
  if (!status) return name_file(status.error(), name);
  return report;
}

}  // namespace lockstep::conformance
