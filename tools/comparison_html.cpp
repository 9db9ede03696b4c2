// The page of `lockstep compare --html`.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "conformance/html_writer.h"
#include "conformance/report_html_assets.h"
#include "tools/comparison_plots.h"
#include "tools/comparison_report.h"

namespace lockstep::tools {
namespace {

using conformance::HtmlWriter;
using quantization::LayerComparison;
using quantization::OutputComparison;
using quantization::SampleComparison;
using quantization::TensorComparison;

constexpr size_t kWorstSamples = 10;

// On top of the conformance report's.
constexpr std::string_view kStyle = R"css(
:root{--a:#0072b2;--drop:#d55e00}
@media (prefers-color-scheme:dark){:root{--a:#56b4e9;--drop:#ff9a63}}
svg.plot{width:100%;background:var(--card);border:1px solid var(--line);border-radius:8px}
svg.plot text{font:11px system-ui,"DejaVu Sans",sans-serif;fill:var(--soft)}
svg.plot text.title{font-size:12px;fill:var(--ink)}
.tick{stroke:var(--line);fill:none}.line{fill:none;stroke:var(--a);stroke-width:1.5}
.limit{fill:none;stroke:var(--soft);stroke-dasharray:5 4}
.mark{fill:var(--a);stroke:var(--card);stroke-width:1}.mark.drop,.fill.drop{fill:var(--drop)}
.mark:hover{stroke:var(--ink);stroke-width:2}.fill{fill:var(--a)}
.plots{display:flex;flex-wrap:wrap;gap:18px}
.plots figure{min-width:320px;width:480px;max-width:100%}figcaption{overflow-wrap:anywhere}
h1{margin-bottom:12px}h3{margin:14px 0 6px}
td.number{white-space:nowrap}td code{overflow-wrap:anywhere}
tr.drop td{background:var(--fail-bg)}.worse{color:var(--fail);font-weight:600}
)css";

const graph::Tensor& expected_tensor(const ComparisonReport& report,
                                     const TensorComparison& comparison) {
  return report.expected.graph.tensors[static_cast<size_t>(comparison.match.expected)];
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

void write_error_cells(HtmlWriter& page, const quantization::ErrorStatistics& error) {
  number_cell(page, decibels(error.sqnr()));
  number_cell(page, fmt::format("{:.4g}", error.l2()));
  number_cell(page, fmt::format("{:.4g}", error.largest_error()));
  number_cell(page, fmt::format("{:.6f}", error.cosine()));
}

void write_head(HtmlWriter& page, const ComparisonReport& report) {
  page.raw("<h1>Lockstep comparison</h1>\n");
  start_table(page, {{"", false},
                     {"file", false},
                     {"KiB", true},
                     {"of A", true},
                     {"median ms", true},
                     {"of A", true},
                     {"engine", false}});
  for (const auto& [label, model] :
       {std::pair("A", &report.expected), std::pair("B", &report.actual)}) {
    page.raw("<tr>").element("th", label).raw("<td>").element("code", model->path).raw("</td>");
    number_cell(page, fmt::format("{:.1f}", static_cast<double>(model->bytes) / 1024));
    number_cell(page, fmt::format("{:.2f}", static_cast<double>(model->bytes) /
                                                static_cast<double>(report.expected.bytes)));
    number_cell(page, fmt::format("{:.3f}", model->milliseconds));
    number_cell(page, fmt::format("{:.2f}", model->milliseconds / report.expected.milliseconds));
    page.element("td", model->engine).raw("</tr>\n");
  }
  end_table(page);
}

void write_banner(HtmlWriter& page, const ComparisonReport& report) {
  if (report.thresholds.is_empty()) return;
  const std::vector<std::string> missed = missed_thresholds(report);
  if (missed.empty()) {
    page.raw("<div class=\"banner good\">Every threshold is met</div>\n");
    return;
  }
  page.raw("<div class=\"banner bad\">Thresholds are missed");
  for (const std::string& sentence : missed) page.element("p", sentence);
  page.raw("</div>\n");
}

void write_outputs(HtmlWriter& page, const ComparisonReport& report) {
  page.raw("<h2>Outputs</h2>\n<p>")
      .text(fmt::format("Real values of B against those of A, over {} {}.",
                        report.comparison.samples,
                        report.comparison.samples == 1 ? "sample" : "samples"))
      .raw("</p>\n");
  start_table(page, {{"output", false},
                     {"shape", false},
                     {"SQNR", true},
                     {"L2", true},
                     {"largest error", true},
                     {"cosine", true},
                     {"top-1", true},
                     {"top-5", true},
                     {"not comparable", true}});
  for (const OutputComparison& output : report.comparison.outputs) {
    const graph::Tensor& tensor = expected_tensor(report, output.tensor);
    page.raw("<tr><td>").element("code", tensor.name).raw("</td>");
    page.element("td", graph::shape_to_string(tensor.shape));
    write_error_cells(page, output.tensor.error);
    number_cell(page, top1_text(output));
    number_cell(page, top5_text(output));
    const uint64_t incomparable = output.tensor.error.incomparable();
    number_cell(page, incomparable == 0 ? "" : fmt::format("{}", incomparable));
    page.raw("</tr>\n");
  }
  end_table(page);
}

std::string layer_tooltip(const ComparisonReport& report, const LayerComparison& layer) {
  std::string text = fmt::format("{} {}\n{}", layer.operator_name,
                                 graph::printable(expected_tensor(report, layer.tensor).name),
                                 decibels(layer.tensor.error.sqnr()));
  if (layer.sqnr_drop() > 0) text += fmt::format(", {:.1f} dB lost here", layer.sqnr_drop());
  return text;
}

void write_layers(HtmlWriter& page, const ComparisonReport& report) {
  const quantization::ModelComparison& comparison = report.comparison;
  const auto largest = comparison.largest_drop();
  page.raw("<h2>Layers</h2>\n<p>");
  if (largest) {
    const LayerComparison& layer = comparison.layers[*largest];
    page.text(fmt::format("Most is lost in {} ", layer.operator_name))
        .element("code", graph::printable(expected_tensor(report, layer.tensor).name))
        .text(fmt::format(": {:.1f} dB, from {} to {}.", layer.sqnr_drop(),
                          decibels(layer.input_sqnr), decibels(layer.tensor.error.sqnr())));
  } else {
    page.raw("No layer loses more than 8 bits cost by nature.");
  }
  page.raw("</p>\n");
  std::vector<LayerMark> marks;
  for (const LayerComparison& layer : comparison.layers) {
    marks.push_back({.sqnr = layer.tensor.error.sqnr(), .tooltip = layer_tooltip(report, layer)});
  }
  page.raw(layer_plot(marks, largest));
  page.raw("<details><summary>All layers</summary>\n");
  start_table(page, {{"layer", false},
                     {"operator", false},
                     {"matched by", false},
                     {"SQNR", true},
                     {"lost here", true},
                     {"L2", true},
                     {"largest error", true},
                     {"cosine", true}});
  for (size_t i = 0; i < comparison.layers.size(); ++i) {
    const LayerComparison& layer = comparison.layers[i];
    page.raw(largest == i ? "<tr class=\"drop\"><td>" : "<tr><td>")
        .element("code", expected_tensor(report, layer.tensor).name)
        .raw("</td>")
        .element("td", layer.operator_name)
        .element("td", quantization::match_kind_name(layer.tensor.match.kind));
    number_cell(page, decibels(layer.tensor.error.sqnr()));
    number_cell(page, layer.sqnr_drop() > 0 ? fmt::format("{:.1f} dB", layer.sqnr_drop()) : "");
    number_cell(page, fmt::format("{:.4g}", layer.tensor.error.l2()));
    number_cell(page, fmt::format("{:.4g}", layer.tensor.error.largest_error()));
    number_cell(page, fmt::format("{:.6f}", layer.tensor.error.cosine()));
    page.raw("</tr>\n");
  }
  end_table(page);
  page.raw("</details>\n");
}

void write_only_in(HtmlWriter& page, const char* label, const graph::Graph& graph,
                   const std::vector<int32_t>& tensors) {
  if (tensors.empty()) return;
  page.raw("<details><summary>")
      .text(fmt::format("Only in {}: {} {}", label, tensors.size(),
                        tensors.size() == 1 ? "tensor" : "tensors"))
      .raw("</summary>");
  for (const int32_t tensor : tensors) {
    page.raw("<div>")
        .element("code", graph.tensors[static_cast<size_t>(tensor)].name)
        .raw("</div>");
  }
  page.raw("</details>\n");
}

void write_histogram(HtmlWriter& page, const std::string& caption,
                     const quantization::Histogram& differences) {
  page.raw("<figure>").raw(histogram_plot(differences)).raw("<figcaption>").text(caption);
  page.text(fmt::format(": {} of {} are equal", differences.zeros(), differences.count()))
      .raw("</figcaption></figure>\n");
}

void write_histograms(HtmlWriter& page, const ComparisonReport& report) {
  page.raw(
      "<h2>Differences</h2>\n<p>How often each difference occurred; every line is ten times "
      "as often as the one below.</p>\n<div class=\"plots\">\n");
  for (const OutputComparison& output : report.comparison.outputs) {
    write_histogram(page, "output " + graph::printable(expected_tensor(report, output.tensor).name),
                    output.tensor.differences);
  }
  if (const auto largest = report.comparison.largest_drop()) {
    const LayerComparison& layer = report.comparison.layers[*largest];
    write_histogram(
        page, "where most is lost: " + graph::printable(expected_tensor(report, layer.tensor).name),
        layer.tensor.differences);
  }
  page.raw("</div>\n");
}

void write_worst_samples(HtmlWriter& page, const ComparisonReport& report) {
  page.raw("<h2>Worst samples</h2>\n");
  for (const OutputComparison& output : report.comparison.outputs) {
    page.raw("<h3>").element("code", expected_tensor(report, output.tensor).name).raw("</h3>\n");
    const std::vector<SampleComparison> worst = worst_samples(output, kWorstSamples);
    if (worst.empty()) {
      page.raw("<p>No sample differs.</p>\n");
      continue;
    }
    start_table(page, {{"sample", false},
                       {"SQNR", true},
                       {"L2", true},
                       {"largest error", true},
                       {"class A", true},
                       {"class B", true}});
    for (const SampleComparison& sample : worst) {
      page.raw("<tr><td>").element("code", report.sample_names[sample.sample]).raw("</td>");
      number_cell(page, decibels(sample.sqnr));
      number_cell(page, fmt::format("{:.4g}", sample.l2));
      number_cell(page, fmt::format("{:.4g}", sample.largest_error));
      const auto class_text = [](const std::optional<size_t>& index) {
        return index ? fmt::format("{}", *index) : std::string();
      };
      number_cell(page, class_text(sample.expected_class));
      page.element("td", class_text(sample.actual_class),
                   sample.actual_class == sample.expected_class ? "number" : "number worse");
      page.raw("</tr>\n");
    }
    end_table(page);
  }
}

}  // namespace

std::string comparison_html(const ComparisonReport& report) {
  HtmlWriter page;
  page.raw(
          "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
          "<meta name=\"viewport\" content=\"width=device-width\"/>"
          "<title>Lockstep comparison</title><style>")
      .raw(conformance::kReportStyle)
      .raw(kStyle)
      .raw("</style></head><body><main>\n");
  write_head(page, report);
  write_banner(page, report);
  write_outputs(page, report);
  write_layers(page, report);
  write_only_in(page, "A", report.expected.graph, report.comparison.matching.only_expected);
  write_only_in(page, "B", report.actual.graph, report.comparison.matching.only_actual);
  write_histograms(page, report);
  write_worst_samples(page, report);
  page.raw("</main></body></html>\n");
  return page.take();
}

}  // namespace lockstep::tools
