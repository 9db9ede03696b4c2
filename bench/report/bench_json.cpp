#include <ctime>
#include <thread>

#include "backend/cpu/processor_name.h"
#include "bench/report/bench_report.h"
#include "conformance/report.h"
#include "conformance/text.h"

namespace lockstep::bench {
namespace {

using conformance::valid_utf8;
using nlohmann::json;

json as_json(const TimeSummary& time) {
  return {{"samples", time.samples},
          {"median_seconds", time.median_seconds},
          {"p95_seconds", time.p95_seconds},
          {"minimum_seconds", time.minimum_seconds}};
}

json as_json(const DeviceBenchmark& benchmark) {
  json measurements = json::array();
  for (const DeviceMeasurement& each : benchmark.measurements) {
    json measurement = {{"name", each.name}, {"meaning", each.meaning}};
    if (each.unavailable.empty()) {
      measurement.update(
          {{"value", each.value}, {"unit", each.unit}, {"time", as_json(each.time)}});
      if (each.percent_of_peak > 0) measurement["percent_of_peak"] = each.percent_of_peak;
    } else {
      measurement["unavailable"] = each.unavailable;
    }
    measurements.push_back(std::move(measurement));
  }
  return {{"device", conformance::device_to_json(benchmark.device)},
          {"clock", benchmark.clock},
          {"measurements", std::move(measurements)},
          {"roofline", bench::to_json(benchmark.roofline)}};
}

json as_json(const VariantTime& variant) {
  json result = {{"kernel", valid_utf8(variant.kernel)}};
  if (variant.error.empty()) {
    result.update({{"time", as_json(variant.time)},
                   {"gops", variant.gops},
                   {"percent_of_roofline", variant.percent_of_roofline}});
  } else {
    result["error"] = valid_utf8(variant.error);
  }
  return result;
}

json as_json(const LayerBenchmark& benchmark) {
  json layers = json::array();
  for (const LayerTime& layer : benchmark.layers) {
    json variants = json::array();
    for (const VariantTime& variant : layer.variants) variants.push_back(as_json(variant));
    layers.push_back({{"name", valid_utf8(layer.name)},
                      {"network", valid_utf8(layer.layer_case.network)},
                      {"layer", layer_name(layer.layer_case.layer.shape)},
                      {"batch", layer.layer_case.batch},
                      {"times_in_network", layer.layer_case.layer.times},
                      {"multiply_accumulates", layer.work.multiply_accumulates},
                      {"bytes", layer.work.bytes},
                      {"operations_per_byte", layer.work.operations_per_byte()},
                      {"chosen", valid_utf8(layer.chosen().kernel)},
                      {"fastest", valid_utf8(layer.fastest().kernel)},
                      {"variants", std::move(variants)}});
  }
  return {{"device", conformance::device_to_json(benchmark.device)},
          {"clock", benchmark.clock},
          {"roofline", bench::to_json(benchmark.roofline)},
          {"layers", std::move(layers)}};
}

json as_json(const std::optional<StartUp>& start) {
  if (!start) return nullptr;
  return {{"seconds", start->seconds},
          {"peak_bytes", start->peak_bytes},
          {"device_bytes", start->device_bytes}};
}

json as_json(SameBits same_bits) {
  switch (same_bits) {
    case SameBits::kNotCompared:
      return nullptr;
    case SameBits::kSame:
      return true;
    case SameBits::kDifferent:
      return false;
  }
  return nullptr;
}

json as_json(const ModelBenchmark& benchmark) {
  json models = json::array();
  for (const ModelResult& model : benchmark.models) {
    json contenders = json::array();
    for (const ContenderResult& each : model.contenders) {
      json contender = {{"name", each.name}, {"meaning", each.meaning}};
      if (!each.unavailable.empty()) {
        contender["unavailable"] = valid_utf8(each.unavailable);
      } else {
        json ratios = json::object();  // how many times as fast
        for (const ContenderResult& other : model.contenders) {
          if (other.unavailable.empty()) {
            ratios[other.name] = other.latency.median_seconds / each.latency.median_seconds;
          }
        }
        contender.update({{"latency", as_json(each.latency)},
                          {"times_as_fast_as", std::move(ratios)},
                          {"cold_start", as_json(each.cold)},
                          {"warm_start", as_json(each.warm)},
                          {"bits_of", each.bits_of},
                          {"same_bits", as_json(each.same_bits)}});
      }
      contenders.push_back(std::move(contender));
    }
    models.push_back({{"model", valid_utf8(model.model)},
                      {"multiply_accumulates", model.multiply_accumulates},
                      {"contenders", std::move(contenders)}});
  }
  return {{"device", conformance::device_to_json(benchmark.device)},
          {"tflite_version", valid_utf8(benchmark.tflite_version)},
          {"models", std::move(models)}};
}

json as_json(const GrowthBenchmark& benchmark) {
  json points = json::array();
  for (const GrowthTime& each : benchmark.times) {
    points.push_back({{"size", each.point.size},
                      {"batch", each.point.batch},
                      {"depth", each.point.depth},
                      {"multiply_accumulates", multiply_accumulates(each.point)},
                      {"time", as_json(each.time)}});
  }
  json axes = json::array();
  for (const GrowthAxis& axis : benchmark.axes) {
    axes.push_back({{"name", axis.name},
                    {"values", axis.values},
                    {"median_seconds", axis.seconds},
                    {"exponent", axis.exponent},
                    {"exponents_from_step_to_step", axis.local_exponents},
                    {"exponent_of_multiplications", axis.expected}});
  }
  return {{"device", conformance::device_to_json(benchmark.device)},
          {"points", std::move(points)},
          {"axes", std::move(axes)},
          {"power_law",
           {{"exponents", benchmark.law.exponents},
            {"intercept", benchmark.law.intercept},
            {"r_squared", benchmark.law.r_squared}}},
          {"line",
           {{"seconds", benchmark.line.constant},
            {"seconds_per_giga_multiply_accumulate", benchmark.line.slope}}}};
}

}  // namespace

std::string current_time() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string host_processor() {
  const std::string name = backend::cpu::processor_name();
  return fmt::format("{}, {} threads", name.empty() ? "unknown" : name,
                     std::thread::hardware_concurrency());
}

json to_json(const Roofline& roofline) {
  if (!roofline.is_known()) return nullptr;
  return {{"peak_gops", roofline.peak_gops},
          {"peak_form", roofline.peak_form},
          {"gigabytes_per_second", roofline.gigabytes_per_second}};
}

json to_json(const BenchReport& report) {
  json result = {{"schema", "lockstep-bench"},
                 {"schema_version", kSchemaVersion},
                 {"lockstep_version", LOCKSTEP_VERSION},
                 {"compiler", __VERSION__},
                 {"command", report.command},
                 {"started", report.started},
                 {"host", valid_utf8(host_processor())},
                 {"quick", report.quick},
                 {"minimum_seconds", report.minimum_seconds},
                 {"filter", valid_utf8(report.filter)}};
  if (report.device) result["device_benchmark"] = as_json(*report.device);
  if (report.layers) result["layer_benchmark"] = as_json(*report.layers);
  if (report.models) result["model_benchmark"] = as_json(*report.models);
  if (report.growth) result["growth_benchmark"] = as_json(*report.growth);
  return result;
}

}  // namespace lockstep::bench
