#include "tools/bench_tables.h"

#include <map>
#include <vector>

#include "tools/table.h"

namespace lockstep::tools {
namespace {

std::string head(const backend::DeviceDescription& device, const std::string& clock) {
  return fmt::format("device  {} ({})\nclock   {}\n", shorten(device.name, 80),
                     shorten(device.driver, 80), clock);
}

std::string percent(double value, const bench::Roofline& roofline) {
  return roofline.is_known() ? fmt::format("{:.0f} %", value) : "";
}

// Of a network's layers in the benchmark, each as often as the network has it.
struct NetworkSum {
  double chosen_seconds = 0;
  double fastest_seconds = 0;
  int64_t multiply_accumulates = 0;
  int32_t layers = 0;
  bool is_whole = true;  // no layer is without a time
};

std::string sums_text(const bench::LayerBenchmark& benchmark) {
  std::map<std::pair<std::string, int32_t>, NetworkSum> sums;
  for (const bench::LayerTime& layer : benchmark.layers) {
    NetworkSum& sum = sums[{layer.layer_case.network, layer.layer_case.batch}];
    const int32_t times = layer.layer_case.layer.times;
    sum.chosen_seconds += times * layer.chosen().time.median_seconds;
    sum.fastest_seconds += times * layer.fastest().time.median_seconds;
    sum.multiply_accumulates += times * layer.work.multiply_accumulates;
    sum.layers += times;
    sum.is_whole = sum.is_whole && layer.chosen().error.empty();
  }
  Table table({{.title = "network"},
               {.title = "batch", .align = Align::kRight},
               {.title = "layers", .align = Align::kRight},
               {.title = "MMACs", .align = Align::kRight},
               {.title = "chosen ms", .align = Align::kRight},
               {.title = "GOPS", .align = Align::kRight},
               {.title = "fastest ms", .align = Align::kRight},
               {.title = "chosen/fastest", .align = Align::kRight}});
  for (const auto& [key, sum] : sums) {
    const bench::Work work{.multiply_accumulates = sum.multiply_accumulates, .bytes = 0};
    table.add_row({key.first, fmt::format("{}", key.second), fmt::format("{}", sum.layers),
                   fmt::format("{:.1f}", static_cast<double>(sum.multiply_accumulates) * 1e-6),
                   sum.is_whole ? digits(sum.chosen_seconds * 1e3) : "?",
                   sum.is_whole ? digits(work.gops(sum.chosen_seconds)) : "?",
                   digits(sum.fastest_seconds * 1e3),
                   sum.is_whole && sum.fastest_seconds > 0
                       ? fmt::format("{:.2f}", sum.chosen_seconds / sum.fastest_seconds)
                       : "?"});
  }
  return table.to_string();
}

}  // namespace

std::string digits(double value) {
  if (value >= 100 || value == 0) return fmt::format("{:.0f}", value);
  if (value >= 10) return fmt::format("{:.1f}", value);
  if (value >= 1) return fmt::format("{:.2f}", value);
  return fmt::format("{:.3g}", value);
}

std::string roofline_text(const bench::Roofline& roofline) {
  if (!roofline.is_known()) return "roofline  not measured\n";
  return fmt::format("roofline  {} GOPS ({}), {} GB/s; they meet at {} operations a byte\n",
                     digits(roofline.peak_gops), roofline.peak_form,
                     digits(roofline.gigabytes_per_second),
                     digits(roofline.peak_gops / roofline.gigabytes_per_second));
}

std::string device_text(const bench::DeviceBenchmark& benchmark) {
  Table table({{.title = "measurement"},
               {.title = "value", .align = Align::kRight},
               {.title = "unit"},
               {.title = "of peak", .align = Align::kRight},
               {.title = "p95/median", .align = Align::kRight},
               {.title = "samples", .align = Align::kRight},
               {.title = "of what", .align = Align::kLeft, .maximum_width = 90}});
  for (const bench::DeviceMeasurement& each : benchmark.measurements) {
    if (!each.unavailable.empty()) {
      table.add_row({each.name, "", "", "", "", "", each.unavailable});
      continue;
    }
    table.add_row({each.name, digits(each.value), each.unit,
                   each.percent_of_peak > 0 ? fmt::format("{:.0f} %", each.percent_of_peak) : "",
                   fmt::format("{:.2f}", each.time.p95_seconds / each.time.median_seconds),
                   fmt::format("{}", each.time.samples), each.meaning});
  }
  return fmt::format("{}\n{}\n{}", head(benchmark.device, benchmark.clock), table.to_string(),
                     roofline_text(benchmark.roofline));
}

std::string layers_text(const bench::LayerBenchmark& benchmark) {
  Table table({{.title = "layer", .align = Align::kLeft, .maximum_width = 80},
               {.title = "x", .align = Align::kRight},
               {.title = "MMACs", .align = Align::kRight},
               {.title = "ops/B", .align = Align::kRight},
               {.title = "kernel ('*' chosen)", .align = Align::kLeft, .maximum_width = 60},
               {.title = "us", .align = Align::kRight},
               {.title = "GOPS", .align = Align::kRight},
               {.title = "roofline", .align = Align::kRight},
               {.title = "time/chosen", .align = Align::kLeft, .maximum_width = 100}});
  for (const bench::LayerTime& layer : benchmark.layers) {
    for (const bench::VariantTime& variant : layer.variants) {
      const bool is_chosen = &variant == &layer.chosen();
      const std::vector<std::string> about =
          is_chosen
              ? std::vector<std::string>{layer.name,
                                         fmt::format("{}", layer.layer_case.layer.times),
                                         fmt::format(
                                             "{:.2f}",
                                             static_cast<double>(layer.work.multiply_accumulates) *
                                                 1e-6),
                                         digits(layer.work.operations_per_byte())}
              : std::vector<std::string>(4);
      std::vector<std::string> row = about;
      row.push_back((is_chosen ? "* " : "  ") + variant.kernel);
      if (!variant.error.empty()) {
        row.insert(row.end(), {"", "", "", variant.error});
      } else {
        const double ratio = variant.time.median_seconds / layer.chosen().time.median_seconds;
        const bool is_better = !is_chosen && ratio < 0.97;
        row.insert(row.end(), {digits(variant.time.median_seconds * 1e6), digits(variant.gops),
                               percent(variant.percent_of_roofline, benchmark.roofline),
                               is_chosen || !layer.chosen().error.empty()
                                   ? ""
                                   : fmt::format("{:.2f}{}", ratio, is_better ? "  faster" : "")});
      }
      table.add_row(std::move(row));
    }
  }
  return fmt::format("{}{}\n{}\n{}", head(benchmark.device, benchmark.clock),
                     roofline_text(benchmark.roofline), table.to_string(), sums_text(benchmark));
}

std::string models_text(const bench::ModelBenchmark& benchmark) {
  std::string text =
      fmt::format("device  {} ({})\nTFLite  {}\n", shorten(benchmark.device.name, 80),
                  shorten(benchmark.device.driver, 80), benchmark.tflite_version);
  for (const bench::ModelResult& model : benchmark.models) {
    text += fmt::format("\n{}, {:.1f} million multiply-accumulates\n", model.model,
                        static_cast<double>(model.multiply_accumulates) * 1e-6);
    Table table({{.title = "who"},
                 {.title = "median ms", .align = Align::kRight},
                 {.title = "p95 ms", .align = Align::kRight},
                 {.title = "x builtin-1", .align = Align::kRight},
                 {.title = "x xnnpack-1", .align = Align::kRight},
                 {.title = "cold start ms", .align = Align::kRight},
                 {.title = "warm ms", .align = Align::kRight},
                 {.title = "peak MiB", .align = Align::kRight},
                 {.title = "device MiB", .align = Align::kRight},
                 {.title = "bits", .align = Align::kLeft, .maximum_width = 100}});
    const auto mebibytes = [](int64_t bytes) {
      return bytes > 0 ? fmt::format("{:.1f}", static_cast<double>(bytes) / (1 << 20))
                       : std::string();
    };
    for (const bench::ContenderResult& each : model.contenders) {
      if (!each.unavailable.empty()) {
        std::vector<std::string> row(10);
        row[0] = each.name;
        row[9] = "does not take part: " + each.unavailable;
        table.add_row(std::move(row));
        continue;
      }
      // How many times as fast.
      const auto ratio = [&](const char* other_name) {
        const bench::ContenderResult* other = model.find(other_name);
        return other == nullptr ? std::string()
                                : fmt::format("{:.2f}", other->latency.median_seconds /
                                                            each.latency.median_seconds);
      };
      table.add_row(
          {each.name, digits(each.latency.median_seconds * 1e3),
           digits(each.latency.p95_seconds * 1e3), ratio("builtin-1"), ratio("xnnpack-1"),
           each.cold ? digits(each.cold->seconds * 1e3) : "",
           each.warm ? digits(each.warm->seconds * 1e3) : "",
           each.warm ? mebibytes(each.warm->peak_bytes) : "",
           each.warm ? mebibytes(each.warm->device_bytes) : "",
           each.same_bits == bench::SameBits::kNotCompared || each.name == each.bits_of
               ? ""
               : fmt::format("{} {}", each.same_bits == bench::SameBits::kSame ? "as" : "NOT AS",
                             each.bits_of)});
    }
    text += table.to_string();
  }
  return text;
}

std::string growth_text(const bench::GrowthBenchmark& benchmark) {
  Table points({{.title = "size", .align = Align::kRight},
                {.title = "batch", .align = Align::kRight},
                {.title = "depth", .align = Align::kRight},
                {.title = "MMACs", .align = Align::kRight},
                {.title = "median ms", .align = Align::kRight},
                {.title = "GOPS", .align = Align::kRight}});
  for (const bench::GrowthTime& each : benchmark.times) {
    const bench::Work work{.multiply_accumulates = bench::multiply_accumulates(each.point),
                           .bytes = 0};
    points.add_row({fmt::format("{}", each.point.size), fmt::format("{}", each.point.batch),
                    fmt::format("{}", each.point.depth),
                    fmt::format("{:.2f}", static_cast<double>(work.multiply_accumulates) * 1e-6),
                    digits(each.time.median_seconds * 1e3),
                    digits(work.gops(each.time.median_seconds))});
  }
  Table axes({{.title = "grows"},
              {.title = "time ~ it to the power of", .align = Align::kRight},
              {.title = "over all points", .align = Align::kRight},
              {.title = "multiplications alone", .align = Align::kRight},
              {.title = "from step to step"}});
  for (size_t i = 0; i < benchmark.axes.size(); ++i) {
    const bench::GrowthAxis& axis = benchmark.axes[i];
    std::string steps;
    for (size_t j = 0; j < axis.local_exponents.size(); ++j) {
      steps += fmt::format("{}{}-{}: {:.2f}", j == 0 ? "" : ", ", axis.values[j],
                           axis.values[j + 1], axis.local_exponents[j]);
    }
    axes.add_row({axis.name, fmt::format("{:.2f}", axis.exponent),
                  fmt::format("{:.2f}", benchmark.law.exponents[i]),
                  fmt::format("{:.0f}", axis.expected), steps});
  }
  return fmt::format(
      "device  {} ({})\nclock   host clock, whole runs\n\n{}\n{}\n"
      "A run takes {} ms and {} ms more for each giga multiply-accumulate; the power law explains "
      "{:.1f} % of the variance.\n",
      shorten(benchmark.device.name, 80), shorten(benchmark.device.driver, 80), points.to_string(),
      axes.to_string(), digits(benchmark.line.constant * 1e3), digits(benchmark.line.slope * 1e3),
      benchmark.law.r_squared * 100);
}

}  // namespace lockstep::tools
