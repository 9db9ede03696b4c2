// JSON that other programs can rely on, and a page that shows everything and believes no name.
#include "bench/report/bench_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/report/svg_plot.h"

namespace lockstep::bench {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kBadName = "<script>\xff & \"x\"";

BenchReport full_report() {
  BenchReport report;
  report.command = "everything";
  report.started = "2026-01-02T03:04:05Z";
  report.minimum_seconds = 0.5;
  const Roofline roofline{.peak_gops = 100, .peak_form = "dot", .gigabytes_per_second = 10};
  const TimeSummary time{
      .samples = 9, .median_seconds = 0.002, .p95_seconds = 0.003, .minimum_seconds = 0.001};
  backend::DeviceDescription device;
  device.name = kBadName;
  device.backend = "vulkan";
  device.capabilities = {{"int-dot", "yes"}};

  report.device = DeviceBenchmark{
      .device = device, .clock = "device timestamps", .measurements = {}, .roofline = roofline};
  report.device->measurements.push_back({.name = "multiply-add/dot",
                                         .meaning = "OpSDot",
                                         .unavailable = {},
                                         .value = 100,
                                         .unit = "GOPS",
                                         .time = time});
  report.device->measurements.push_back({.name = "gemm/512",
                                         .meaning = "a layer",
                                         .unavailable = {},
                                         .value = 87,
                                         .unit = "GOPS",
                                         .time = time,
                                         .percent_of_peak = 87.4});
  report.device->measurements.push_back({.name = "multiply-add/other",
                                         .meaning = "",
                                         .unavailable = "it has none",
                                         .unit = "GOPS",
                                         .time = {}});

  LayerTime layer;
  layer.layer_case = {.network = kBadName,
                      .layer = {{LayerKind::kConvolution, 4, 4, 3, 5, 3, 3, 1}, 2}};
  layer.name = "a layer";
  layer.work = {.multiply_accumulates = 2160, .bytes = 300};
  layer.variants.push_back({.kernel = "slow", .error = {}, .time = time, .gops = 2});
  layer.variants.push_back({.kernel = "wrong", .error = "wrong result", .time = {}});
  layer.variants.push_back({.kernel = "fast", .error = {}, .time = time, .gops = 4});
  layer.variants.back().time.median_seconds = 0.001;
  report.layers = LayerBenchmark{
      .device = device, .clock = "device timestamps", .roofline = roofline, .layers = {layer}};

  ModelResult model{.model = "m.tflite", .multiply_accumulates = 5, .contenders = {}};
  model.contenders.push_back({.name = "lockstep", .meaning = "ours", .latency = time});
  model.contenders.back().same_bits = SameBits::kDifferent;
  model.contenders.back().bits_of = "builtin-1";
  model.contenders.back().cold = StartUp{.seconds = 1, .peak_bytes = 2 << 20, .device_bytes = 3};
  model.contenders.push_back({.name = "builtin-1", .meaning = "theirs", .latency = time});
  model.contenders.back().latency.median_seconds = 0.001;
  model.contenders.push_back({.name = "xnnpack-1", .meaning = "", .unavailable = "not here"});
  report.models = ModelBenchmark{.device = device, .tflite_version = "2.9.0", .models = {model}};

  report.growth = GrowthBenchmark{};
  report.growth->times = {{{8, 1, 1}, time}, {{16, 1, 1}, time}};
  report.growth->times[1].time.median_seconds = 0.008;
  fit_growth(*report.growth);
  return report;
}

TEST(BenchJson, SaysWhatItIsAndOfWhichDevice) {
  const json report = to_json(full_report());
  EXPECT_EQ(report.at("schema"), "lockstep-bench");
  EXPECT_EQ(report.at("schema_version"), kSchemaVersion);
  EXPECT_EQ(report.at("command"), "everything");
  EXPECT_EQ(report.at("started"), "2026-01-02T03:04:05Z");
  EXPECT_FALSE(report.at("host").get<std::string>().empty());
  // Throws where a name is no UTF-8.
  EXPECT_EQ(json::parse(report.dump()), report);
  const json& device = report.at("device_benchmark").at("device");
  for (const char* field : {"backend", "name", "kind", "driver", "api_version", "vendor_id",
                            "device_id", "driver_version", "device_uuid", "driver_uuid"}) {
    EXPECT_TRUE(device.contains(field)) << field;
  }
  EXPECT_EQ(device.at("capabilities")[0].at("value"), "yes");
}

TEST(BenchJson, HoldsEveryResult) {
  const json report = to_json(full_report());
  const json& measurements = report.at("device_benchmark").at("measurements");
  EXPECT_EQ(measurements[0].at("value"), 100.0);
  EXPECT_EQ(measurements[0].at("time").at("samples"), 9);
  EXPECT_FALSE(measurements[0].contains("percent_of_peak"));
  EXPECT_EQ(measurements[1].at("percent_of_peak"), 87.4);
  EXPECT_EQ(measurements[2].at("unavailable"), "it has none");
  EXPECT_FALSE(measurements[2].contains("value"));
  EXPECT_EQ(report.at("device_benchmark").at("roofline").at("peak_form"), "dot");

  const json& layer = report.at("layer_benchmark").at("layers")[0];
  EXPECT_EQ(layer.at("layer"), "conv_3x3_4x4x3_to_5");
  EXPECT_EQ(layer.at("times_in_network"), 2);
  EXPECT_EQ(layer.at("chosen"), "slow");
  EXPECT_EQ(layer.at("fastest"), "fast");
  EXPECT_EQ(layer.at("variants")[1].at("error"), "wrong result");
  EXPECT_FALSE(layer.at("variants")[1].contains("time"));

  const json& contenders = report.at("model_benchmark").at("models")[0].at("contenders");
  EXPECT_EQ(contenders[0].at("times_as_fast_as").at("builtin-1"), 0.5);
  EXPECT_EQ(contenders[0].at("same_bits"), false);
  EXPECT_EQ(contenders[0].at("cold_start").at("peak_bytes"), 2 << 20);
  EXPECT_TRUE(contenders[0].at("warm_start").is_null());
  EXPECT_TRUE(contenders[1].at("same_bits").is_null());
  EXPECT_EQ(contenders[2].at("unavailable"), "not here");

  const json& growth = report.at("growth_benchmark");
  EXPECT_NEAR(growth.at("axes")[0].at("exponent").get<double>(), 2.0, 1e-9);
  EXPECT_EQ(growth.at("points").size(), 2u);
}

TEST(BenchJson, LeavesOutWhatWasNotMeasured) {
  BenchReport report;
  report.command = "device";
  const json json_report = to_json(report);
  for (const char* part :
       {"device_benchmark", "layer_benchmark", "model_benchmark", "growth_benchmark"}) {
    EXPECT_FALSE(json_report.contains(part)) << part;
  }
}

TEST(BenchPage, ShowsEveryPartAndNeedsNothingElse) {
  const std::string page = html_page(full_report());
  for (const char* text :
       {"Layers under the roofline", "what the device can do", "multiply-add/dot", "87 %",
        "it has none", "2.00 times as fast: fast", "wrong result", "m.tflite",
        "does not take part: not here", "not as builtin-1", "size: exponent 2.00", "<svg class=\"plot\"",
        "prefers-color-scheme:dark"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
  for (const char* text : {"http:", "https:", "src=", "<link", "@import", "<script"}) {
    EXPECT_THAT(page, Not(HasSubstr(text)));
  }
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
}

TEST(BenchPage, PlotsOnlyWhatALogarithmCanPlace) {
  EXPECT_EQ(log_plot("x", "y", {{.name = "none", .css_class = "s0", .points = {{0, 1, ""}}}}), "");
  const std::string plot = log_plot(
      "x", "y",
      {{.name = "some", .css_class = "s0", .points = {{0, 1, "left out"}, {1, 1, "drawn"}}}});
  EXPECT_THAT(plot, HasSubstr("drawn"));
  EXPECT_THAT(plot, Not(HasSubstr("left out")));
  EXPECT_THAT(plot, Not(HasSubstr("nan")));
  EXPECT_THAT(plot, Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace lockstep::bench
