// The page of `lockstep bench --html`.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bench/report/bench_report.h"
#include "bench/report/svg_plot.h"
#include "conformance/html_writer.h"
#include "conformance/report_html_assets.h"

namespace lockstep::bench {
namespace {

using conformance::HtmlWriter;

// On top of the conformance report's. Colours after Okabe and Ito, lighter ones on dark pages.
constexpr std::string_view kStyle = R"css(
:root{--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#aa4499;--c4:#8a6d00;--c5:#56708f;--c6:#444}
@media (prefers-color-scheme:dark){:root{--c0:#56b4e9;--c1:#ff9a63;--c2:#3fd0a4;--c3:#e79acb;
--c4:#f0c84b;--c5:#9fb6cf;--c6:#ddd}}
svg.plot{width:100%;max-width:980px;background:var(--card);border:1px solid var(--line);
border-radius:8px}
svg.plot text{font:11px system-ui,"DejaVu Sans",sans-serif;fill:var(--soft)}
svg.plot text.title{font-size:12px;fill:var(--ink)}
.tick{stroke:var(--line);fill:none}.line{fill:none;stroke-width:2}
.mark{stroke:var(--card);stroke-width:1}
.mark:hover{stroke:var(--ink);stroke-width:2}
.s0{fill:var(--c0)}.s1{fill:var(--c1)}.s2{fill:var(--c2)}.s3{fill:var(--c3)}.s4{fill:var(--c4)}
.s5{fill:var(--c5)}.s6{fill:var(--c6)}
.line.s0{stroke:var(--c0)}.line.s1{stroke:var(--c1)}.line.s2{stroke:var(--c2)}
.line.s3{stroke:var(--c3)}.line.s6{stroke:var(--c6)}.line{fill:none!important}
svg.bar{display:inline-block;vertical-align:-1px;max-width:none}
td.number{white-space:nowrap}td svg.bar{min-width:140px}.back{fill:var(--head)}
.limit{stroke:var(--ink);stroke-width:2}
.worse{color:var(--fail);font-weight:600}td .soft{font-size:12.5px}
td code{white-space:nowrap}details>div{white-space:nowrap}
)css";

// Three digits that count.
std::string digits(double value) {
  if (value >= 100 || value == 0) return fmt::format("{:.0f}", value);
  if (value >= 10) return fmt::format("{:.1f}", value);
  if (value >= 1) return fmt::format("{:.2f}", value);
  return fmt::format("{:.3g}", value);
}

void number_cell(HtmlWriter& page, const std::string& text) { page.element("td", text, "number"); }

void start_table(HtmlWriter& page, const std::vector<std::pair<const char*, bool>>& columns) {
  page.raw("<div class=\"scroll\"><table><thead><tr>");
  for (const auto& [title, is_number] : columns) {
    page.element("th", title, is_number ? "number" : "");
  }
  page.raw("</tr></thead><tbody>\n");
}
void end_table(HtmlWriter& page) { page.raw("</tbody></table></div>\n"); }

const backend::DeviceDescription* device_of(const BenchReport& report) {
  if (report.device) return &report.device->device;
  if (report.layers) return &report.layers->device;
  if (report.models) return &report.models->device;
  if (report.growth) return &report.growth->device;
  return nullptr;
}

void write_head(HtmlWriter& page, const BenchReport& report) {
  page.raw("<h1>Lockstep benchmarks: ").text(report.command).raw("</h1>\n");
  page.raw("<dl class=\"facts\">");
  const auto fact = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    page.element("dt", name).raw("<dd>").element("bdi", value).raw("</dd>");
  };
  if (const backend::DeviceDescription* device = device_of(report)) {
    fact("device", device->name);
    fact("driver", device->driver);
  }
  fact("host", host_processor());
  fact("started", report.started);
  fact("clock", report.device   ? report.device->clock
                : report.layers ? report.layers->clock
                                : "host clock, whole runs");
  fact("each measurement", fmt::format("at least {} s, medians; competitors take turns{}",
                                       report.minimum_seconds, report.quick ? "; quick" : ""));
  fact("filter", report.filter);
  page.raw("</dl>\n");
}

std::string roofline_sentence(const Roofline& roofline) {
  if (!roofline.is_known()) return "The roofline was not measured.";
  return fmt::format("The roofline: {} GOPS ({}) and {} GB/s, which meet at {} operations a byte.",
                     digits(roofline.peak_gops), roofline.peak_form,
                     digits(roofline.gigabytes_per_second),
                     digits(roofline.peak_gops / roofline.gigabytes_per_second));
}

PlotSeries roof(const Roofline& roofline, double from, double to) {
  PlotSeries series{
      .name = "what the device can do", .css_class = "s6", .is_line = true, .points = {}};
  const double knee = roofline.peak_gops / roofline.gigabytes_per_second;
  for (const double intensity : {from, knee, to}) {
    series.points.push_back({intensity, roofline.attainable_gops(intensity), ""});
  }
  std::ranges::sort(series.points, std::less<>(), &PlotPoint::x);
  return series;
}

void write_device(HtmlWriter& page, const DeviceBenchmark& benchmark) {
  page.raw("<h2>What the device can do at best</h2>\n<p>")
      .text(roofline_sentence(benchmark.roofline))
      .raw("</p>\n");
  std::map<std::string, double> largest;  // of each unit and group
  const auto group = [](const DeviceMeasurement& each) {
    return each.name.substr(0, each.name.find('/')) + each.unit;
  };
  for (const DeviceMeasurement& each : benchmark.measurements) {
    largest[group(each)] = std::max(largest[group(each)], each.value);
  }
  start_table(page, {{"measurement", false},
                     {"value", true},
                     {"", false},
                     {"of peak", true},
                     {"p95 / median", true},
                     {"of what", false}});
  for (const DeviceMeasurement& each : benchmark.measurements) {
    page.raw("<tr>").element("th", each.name);
    if (!each.unavailable.empty()) {
      page.raw("<td></td><td></td><td></td><td></td>")
          .element("td", each.unavailable, "soft")
          .raw("</tr>\n");
      continue;
    }
    const std::string value = digits(each.value) + " " + each.unit;
    number_cell(page, value);
    page.raw("<td>").raw(bar(each.value / largest[group(each)], -1, "s0", value)).raw("</td>");
    number_cell(page,
                each.percent_of_peak > 0 ? fmt::format("{:.0f} %", each.percent_of_peak) : "");
    number_cell(page, fmt::format("{:.2f}", each.time.p95_seconds / each.time.median_seconds));
    page.element("td", each.meaning, "soft").raw("</tr>\n");
  }
  end_table(page);
}

std::string layer_tooltip(const LayerTime& layer, const VariantTime& variant) {
  return fmt::format("{}\n{}\n{} us, {} GOPS, {:.0f} % of the roofline", layer.name, variant.kernel,
                     digits(variant.time.median_seconds * 1e6), digits(variant.gops),
                     variant.percent_of_roofline);
}

// One series for each network and batch: the colour is the network, the shape the batch.
std::vector<PlotSeries> layer_series(const LayerBenchmark& benchmark) {
  std::vector<PlotSeries> all;
  std::vector<std::string> networks;
  std::set<int32_t> batches;
  for (const LayerTime& layer : benchmark.layers) batches.insert(layer.layer_case.batch);
  for (const LayerTime& layer : benchmark.layers) {
    if (!layer.chosen().error.empty()) continue;
    const std::string& network = layer.layer_case.network;
    if (std::ranges::find(networks, network) == networks.end()) networks.push_back(network);
    const auto colour =
        static_cast<size_t>(std::ranges::find(networks, network) - networks.begin()) % 6;
    const std::string name = fmt::format("{}, batch {}", network, layer.layer_case.batch);
    auto series = std::ranges::find(all, name, &PlotSeries::name);
    if (series == all.end()) {
      all.push_back({.name = name,
                     .css_class = fmt::format("s{}", colour),
                     .is_line = false,
                     .is_square = layer.layer_case.batch != *batches.begin(),
                     .points = {}});
      series = all.end() - 1;
    }
    series->points.push_back({layer.work.operations_per_byte(), layer.chosen().gops,
                              layer_tooltip(layer, layer.chosen())});
  }
  return all;
}

void write_roofline_plot(HtmlWriter& page, const LayerBenchmark& benchmark) {
  page.raw("<h2>Layers under the roofline</h2>\n<p>")
      .text(roofline_sentence(benchmark.roofline))
      .raw(
          " Each mark is a layer with the kernel the device chose; a layer's bytes are its input, "
          "weights and output, each once.</p>\n");
  std::vector<PlotSeries> series = layer_series(benchmark);
  if (benchmark.roofline.is_known() && !series.empty()) {
    double from = 1e30;
    double to = 0;
    for (const PlotSeries& each : series) {
      for (const PlotPoint& point : each.points) {
        from = std::min(from, point.x);
        to = std::max(to, point.x);
      }
    }
    series.insert(series.begin(), roof(benchmark.roofline, from, to));
  }
  page.raw(log_plot("operations a byte", "GOPS", series));
}

void write_layer_row(HtmlWriter& page, const LayerBenchmark& benchmark, const LayerTime& layer,
                     double scale) {
  const VariantTime& chosen = layer.chosen();
  const VariantTime& fastest = layer.fastest();
  page.raw("<tr><td>").element("code", layer_name(layer.layer_case.layer.shape)).raw("</td>");
  number_cell(page, fmt::format("{}", layer.layer_case.layer.times));
  number_cell(page,
              fmt::format("{:.2f}", static_cast<double>(layer.work.multiply_accumulates) * 1e-6));
  number_cell(page, digits(layer.work.operations_per_byte()));
  if (!chosen.error.empty()) {
    page.raw("<td></td><td></td><td></td>");
  } else {
    number_cell(page, digits(chosen.time.median_seconds * 1e6));
    number_cell(page, digits(chosen.gops));
    number_cell(page, benchmark.roofline.is_known()
                          ? fmt::format("{:.0f} %", chosen.percent_of_roofline)
                          : "");
  }
  page.raw("<td>");
  if (layer.variants.size() == 1) {
    page.raw(bar(chosen.gops / scale, -1, "s0", layer_tooltip(layer, chosen))).raw(" ");
    page.element("code", chosen.kernel);
    if (!chosen.error.empty()) page.element("div", chosen.error, "worse");
    page.raw("</td></tr>\n");
    return;
  }
  page.raw("<details><summary>")
      .raw(bar(chosen.gops / scale, fastest.gops / scale, "s0",
               layer_tooltip(layer, chosen) + "\nthe mark: the fastest, " + fastest.kernel))
      .raw(" ")
      .element("code", chosen.kernel);
  if (&fastest != &chosen && fastest.gops > 1.03 * chosen.gops) {
    page.raw(" ").element(
        "span", fmt::format("{:.2f} times as fast: {}", fastest.gops / chosen.gops, fastest.kernel),
        "worse");
  }
  page.raw("</summary>");
  for (const VariantTime& variant : layer.variants) {
    page.raw("<div>");
    if (variant.error.empty()) {
      page.raw(bar(variant.gops / scale, -1, "s5", layer_tooltip(layer, variant)))
          .element("span", fmt::format(" {} us ", digits(variant.time.median_seconds * 1e6)),
                   "soft")
          .element("code", variant.kernel);
    } else {
      page.element("code", variant.kernel).raw(" ").element("span", variant.error, "worse");
    }
    page.raw("</div>");
  }
  page.raw("</details></td></tr>\n");
}

void write_layers(HtmlWriter& page, const LayerBenchmark& benchmark) {
  write_roofline_plot(page, benchmark);
  // In the order of the benchmark, one table for each network and batch.
  std::vector<std::pair<std::string, int32_t>> groups;
  for (const LayerTime& layer : benchmark.layers) {
    const std::pair group(layer.layer_case.network, layer.layer_case.batch);
    if (std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
  }
  for (const auto& [network, batch] : groups) {
    double scale = 1e-9;
    double milliseconds = 0;
    for (const LayerTime& layer : benchmark.layers) {
      if (layer.layer_case.network != network || layer.layer_case.batch != batch) continue;
      scale = std::max(scale, layer.fastest().gops);
      milliseconds += 1e3 * layer.layer_case.layer.times * layer.chosen().time.median_seconds;
    }
    page.raw("<h2>").text(network).raw(fmt::format(", batch {}</h2>\n", batch));
    page.raw(
        fmt::format("<p>{} ms for these layers, each as often as the network has it. Bars are "
                    "GOPS; the mark is the fastest kernel. A bar opens to all kernels.</p>\n",
                    digits(milliseconds)));
    start_table(page, {{"layer", false},
                       {"times", true},
                       {"MMACs", true},
                       {"operations / byte", true},
                       {"us", true},
                       {"GOPS", true},
                       {"roofline", true},
                       {"kernel", false}});
    for (const LayerTime& layer : benchmark.layers) {
      if (layer.layer_case.network == network && layer.layer_case.batch == batch) {
        write_layer_row(page, benchmark, layer, scale);
      }
    }
    end_table(page);
  }
}

void write_models(HtmlWriter& page, const ModelBenchmark& benchmark) {
  page.raw("<p>TFLite ").text(benchmark.tflite_version).raw("</p>\n");
  for (const ModelResult& model : benchmark.models) {
    page.raw("<h2>").text(std::filesystem::path(model.model).filename().string()).raw("</h2>\n");
    page.raw(fmt::format(
        "<p>{:.1f} million multiply-accumulates. All latencies are of one process "
        "that runs them in turns; starts, with empty caches (cold) and filled ones (warm), "
        "are of processes of their own. × says how many times as fast. The mark "
        "on a bar is the 95th percentile.</p>\n",
        static_cast<double>(model.multiply_accumulates) * 1e-6));
    double slowest = 1e-12;
    for (const ContenderResult& each : model.contenders) {
      slowest = std::max(slowest, each.latency.median_seconds);
    }
    start_table(page, {{"who", false},
                       {"median ms", true},
                       {"p95 ms", true},
                       {"", false},
                       {"× builtin-1", true},
                       {"× xnnpack-1", true},
                       {"cold ms", true},
                       {"warm ms", true},
                       {"peak MiB", true},
                       {"device MiB", true},
                       {"bits", false}});
    for (const ContenderResult& each : model.contenders) {
      page.raw("<tr><th title=\"").text(each.meaning).raw("\">").text(each.name).raw("</th>");
      if (!each.unavailable.empty()) {
        page.raw("<td colspan=\"10\" class=\"soft\">does not take part: ")
            .text(each.unavailable)
            .raw("</td></tr>\n");
        continue;
      }
      number_cell(page, digits(each.latency.median_seconds * 1e3));
      number_cell(page, digits(each.latency.p95_seconds * 1e3));
      const bool is_ours = each.name == "lockstep" || each.name == "delegate";
      page.raw("<td>")
          .raw(bar(each.latency.median_seconds / slowest, each.latency.p95_seconds / slowest,
                   is_ours ? "s1" : "s0", digits(each.latency.median_seconds * 1e3) + " ms"))
          .raw("</td>");
      for (const char* other_name : {"builtin-1", "xnnpack-1"}) {
        const ContenderResult* other = model.find(other_name);
        number_cell(page, other == nullptr
                              ? ""
                              : fmt::format("{:.2f}", other->latency.median_seconds /
                                                          each.latency.median_seconds));
      }
      number_cell(page, each.cold ? digits(each.cold->seconds * 1e3) : "");
      number_cell(page, each.warm ? digits(each.warm->seconds * 1e3) : "");
      const auto mebibytes = [](int64_t bytes) {
        return bytes > 0 ? fmt::format("{:.1f}", static_cast<double>(bytes) / (1 << 20))
                         : std::string();
      };
      number_cell(page, each.warm ? mebibytes(each.warm->peak_bytes) : "");
      number_cell(page, each.warm ? mebibytes(each.warm->device_bytes) : "");
      page.element("td",
                   each.same_bits == SameBits::kNotCompared || each.name == each.bits_of
                       ? ""
                       : fmt::format("{} {}", each.same_bits == SameBits::kSame ? "as" : "not as",
                                     each.bits_of),
                   each.same_bits == SameBits::kDifferent ? "worse" : "")
          .raw("</tr>\n");
    }
    end_table(page);
  }
}

void write_growth(HtmlWriter& page, const GrowthBenchmark& benchmark) {
  page.raw("<h2>How cost grows</h2>\n<p>")
      .text(fmt::format("Chains of 3 x 3 convolutions of 16 channels. A run takes {} ms and {} ms "
                        "more for each giga multiply-accumulate. Each line follows one dimension "
                        "while the other two stay as large as they get; its exponent is the slope.",
                        digits(benchmark.line.constant * 1e3), digits(benchmark.line.slope * 1e3)))
      .raw("</p>\n");
  std::vector<PlotSeries> series;
  for (size_t i = 0; i < benchmark.axes.size(); ++i) {
    const GrowthAxis& axis = benchmark.axes[i];
    PlotSeries line{.name = fmt::format("{}: exponent {:.2f}, multiplications alone {:.0f}",
                                        axis.name, axis.exponent, axis.expected),
                    .css_class = fmt::format("s{}", i),
                    .is_line = true,
                    .points = {}};
    for (size_t j = 0; j < axis.values.size(); ++j) {
      line.points.push_back(
          {static_cast<double>(axis.values[j]), axis.seconds[j] * 1e3,
           fmt::format("{} {}: {} ms", axis.name, axis.values[j], digits(axis.seconds[j] * 1e3))});
    }
    PlotSeries marks = line;
    marks.name.clear();
    marks.is_line = false;
    series.push_back(std::move(line));
    series.push_back(std::move(marks));
  }
  page.raw(log_plot("size, batch, depth", "ms a run", series));
  start_table(page, {{"size", true},
                     {"batch", true},
                     {"depth", true},
                     {"MMACs", true},
                     {"median ms", true},
                     {"GOPS", true}});
  for (const GrowthTime& each : benchmark.times) {
    const Work work{.multiply_accumulates = multiply_accumulates(each.point), .bytes = 0};
    page.raw("<tr>");
    for (const int32_t value : {each.point.size, each.point.batch, each.point.depth}) {
      number_cell(page, std::to_string(value));
    }
    number_cell(page, fmt::format("{:.2f}", static_cast<double>(work.multiply_accumulates) * 1e-6));
    number_cell(page, digits(each.time.median_seconds * 1e3));
    number_cell(page, digits(work.gops(each.time.median_seconds)));
    page.raw("</tr>\n");
  }
  end_table(page);
}

}  // namespace

std::string html_page(const BenchReport& report) {
  HtmlWriter page;
  page.raw(
          "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
          "<meta name=\"viewport\" content=\"width=device-width\"/><title>Lockstep benchmarks: ")
      .text(report.command)
      .raw("</title><style>")
      .raw(conformance::kReportStyle)
      .raw(kStyle)
      .raw("</style></head><body><main>\n");
  write_head(page, report);
  if (report.device) write_device(page, *report.device);
  if (report.layers) write_layers(page, *report.layers);
  if (report.models) write_models(page, *report.models);
  if (report.growth) write_growth(page, *report.growth);
  page.raw("</main></body></html>\n");
  return page.take();
}

}  // namespace lockstep::bench
