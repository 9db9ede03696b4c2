#include "tools/comparison_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "conformance/text.h"
#include "tools/table.h"

namespace lockstep::tools {
namespace {

using quantization::LayerComparison;
using quantization::OutputComparison;
using quantization::SampleComparison;
using quantization::TensorComparison;

const graph::Tensor& expected_tensor(const ComparisonReport& report,
                                     const TensorComparison& comparison) {
  return report.expected.graph.tensors[static_cast<size_t>(comparison.match.expected)];
}
const graph::Tensor& actual_tensor(const ComparisonReport& report,
                                   const TensorComparison& comparison) {
  return report.actual.graph.tensors[static_cast<size_t>(comparison.match.actual)];
}

bool has_top1(const OutputComparison& output) { return output.class_count > 0; }
bool has_top5(const OutputComparison& output) {
  return output.class_count > quantization::ClassAgreement::kFew;
}

std::string percent(double share) { return fmt::format("{:.2f} %", 100 * share); }

// Both types, or the one that both have.
std::string types_of(const ComparisonReport& report, const TensorComparison& comparison) {
  const auto expected = graph::data_type_name(expected_tensor(report, comparison).type);
  const auto actual = graph::data_type_name(actual_tensor(report, comparison).type);
  return expected == actual ? std::string(expected) : fmt::format("{} / {}", expected, actual);
}

std::string model_line(const char* label, const ComparedModel& model) {
  return fmt::format("{}  {}  {:.1f} KiB  {:.3f} ms  {}\n", label,
                     conformance::one_line(model.path), static_cast<double>(model.bytes) / 1024,
                     model.milliseconds, model.engine);
}

std::string output_table(const ComparisonReport& report) {
  Table table({{.title = "output"},
               {.title = "type"},
               {.title = "shape"},
               {.title = "SQNR", .align = Align::kRight},
               {.title = "L2", .align = Align::kRight},
               {.title = "largest error", .align = Align::kRight},
               {.title = "cosine", .align = Align::kRight},
               {.title = "top-1", .align = Align::kRight},
               {.title = "top-5", .align = Align::kRight}});
  for (const OutputComparison& output : report.comparison.outputs) {
    const graph::Tensor& tensor = expected_tensor(report, output.tensor);
    const quantization::ErrorStatistics& error = output.tensor.error;
    table.add_row({tensor.name, types_of(report, output.tensor),
                   graph::shape_to_string(tensor.shape), decibels(error.sqnr()),
                   fmt::format("{:.4g}", error.l2()), fmt::format("{:.4g}", error.largest_error()),
                   fmt::format("{:.6f}", error.cosine()), top1_text(output), top5_text(output)});
  }
  return table.to_string();
}

std::string layer_table(const ComparisonReport& report) {
  Table table({{.title = "layer", .align = Align::kLeft, .maximum_width = 48},
               {.title = "operator"},
               {.title = "matched by"},
               {.title = "SQNR", .align = Align::kRight},
               {.title = "lost here", .align = Align::kRight},
               {.title = "L2", .align = Align::kRight},
               {.title = "largest error", .align = Align::kRight},
               {.title = "cosine", .align = Align::kRight}});
  for (const LayerComparison& layer : report.comparison.layers) {
    const quantization::ErrorStatistics& error = layer.tensor.error;
    table.add_row({expected_tensor(report, layer.tensor).name, layer.operator_name,
                   std::string(quantization::match_kind_name(layer.tensor.match.kind)),
                   decibels(error.sqnr()),
                   layer.sqnr_drop() > 0 ? fmt::format("{:.1f} dB", layer.sqnr_drop()) : "",
                   fmt::format("{:.4g}", error.l2()), fmt::format("{:.4g}", error.largest_error()),
                   fmt::format("{:.6f}", error.cosine())});
  }
  return table.to_string();
}

std::string only_line(const char* label, const graph::Graph& graph,
                      const std::vector<int32_t>& tensors) {
  if (tensors.empty()) return {};
  constexpr size_t kShown = 8;
  constexpr size_t kWidth = 40;
  std::string line = fmt::format("Only in {}: ", label);
  for (size_t i = 0; i < std::min(tensors.size(), kShown); ++i) {
    line +=
        (i == 0 ? "" : ", ") + shorten(graph.tensors[static_cast<size_t>(tensors[i])].name, kWidth);
  }
  if (tensors.size() > kShown) line += fmt::format(" and {} more", tensors.size() - kShown);
  return line + "\n";
}

nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

nlohmann::json model_json(const ComparedModel& model) {
  return {{"path", model.path},
          {"bytes", model.bytes},
          {"engine", model.engine},
          {"median_milliseconds", model.milliseconds}};
}

nlohmann::json tensor_json(const ComparisonReport& report, const TensorComparison& comparison) {
  const graph::Tensor& expected = expected_tensor(report, comparison);
  const graph::Tensor& actual = actual_tensor(report, comparison);
  const quantization::ErrorStatistics& error = comparison.error;
  return {{"name", expected.name},
          {"actual_name", actual.name},
          {"tensor", comparison.match.expected},
          {"actual_tensor", comparison.match.actual},
          {"matched_by", quantization::match_kind_name(comparison.match.kind)},
          {"shape", expected.shape},
          {"type", graph::data_type_name(expected.type)},
          {"actual_type", graph::data_type_name(actual.type)},
          {"elements", error.elements()},
          {"incomparable", error.incomparable()},
          {"sqnr", number(error.sqnr())},
          {"l2", number(error.l2())},
          {"largest_error", number(error.largest_error())},
          {"mean_error", number(error.mean_error())},
          {"cosine", number(error.cosine())}};
}

nlohmann::json output_json(const ComparisonReport& report, const OutputComparison& output) {
  nlohmann::json json = tensor_json(report, output.tensor);
  json["classes"] = output.class_count;
  json["top1"] = has_top1(output) ? nlohmann::json(output.agreement.top1()) : nullptr;
  json["top5"] = has_top5(output) ? nlohmann::json(output.agreement.top5()) : nullptr;
  json["samples"] = nlohmann::json::array();
  for (const SampleComparison& sample : output.samples) {
    nlohmann::json row = {{"name", report.sample_names[sample.sample]},
                          {"sqnr", number(sample.sqnr)},
                          {"l2", number(sample.l2)},
                          {"largest_error", number(sample.largest_error)}};
    if (sample.expected_class) row["class"] = *sample.expected_class;
    if (sample.actual_class) row["actual_class"] = *sample.actual_class;
    json["samples"].push_back(std::move(row));
  }
  return json;
}

nlohmann::json names_json(const graph::Graph& graph, const std::vector<int32_t>& tensors) {
  nlohmann::json names = nlohmann::json::array();
  for (const int32_t tensor : tensors) {
    names.push_back(graph.tensors[static_cast<size_t>(tensor)].name);
  }
  return names;
}

}  // namespace

std::string decibels(double sqnr) {
  if (std::isinf(sqnr)) return sqnr > 0 ? "exact" : "none";
  return fmt::format("{:.1f} dB", sqnr);
}

std::string top1_text(const OutputComparison& output) {
  return has_top1(output) ? percent(output.agreement.top1()) : "";
}

std::string top5_text(const OutputComparison& output) {
  return has_top5(output) ? percent(output.agreement.top5()) : "";
}

std::vector<std::string> missed_thresholds(const ComparisonReport& report) {
  std::vector<std::string> missed;
  const ComparisonThresholds& thresholds = report.thresholds;
  if (thresholds.is_empty()) return missed;
  bool has_classes = false;
  for (const OutputComparison& output : report.comparison.outputs) {
    const std::string name = graph::printable(expected_tensor(report, output.tensor).name);
    const quantization::ErrorStatistics& error = output.tensor.error;
    if (error.incomparable() > 0) {
      missed.push_back(fmt::format("output '{}': {} values are NaN or infinite on one side", name,
                                   error.incomparable()));
    }
    if (thresholds.minimum_sqnr && !(error.sqnr() >= *thresholds.minimum_sqnr)) {
      missed.push_back(fmt::format("output '{}': the SQNR is {}, at least {} dB were asked for",
                                   name, decibels(error.sqnr()), *thresholds.minimum_sqnr));
    }
    if (thresholds.maximum_l2 && !(error.l2() <= *thresholds.maximum_l2)) {
      missed.push_back(fmt::format("output '{}': L2 is {:.6g}, at most {} was asked for", name,
                                   error.l2(), *thresholds.maximum_l2));
    }
    if (!has_top1(output)) continue;
    has_classes = true;
    if (thresholds.minimum_top1 && !(100 * output.agreement.top1() >= *thresholds.minimum_top1)) {
      missed.push_back(fmt::format("output '{}': top-1 agrees in {}, at least {} % was asked for",
                                   name, percent(output.agreement.top1()),
                                   *thresholds.minimum_top1));
    }
  }
  if (thresholds.minimum_top1 && !has_classes) {
    missed.emplace_back("no output has classes whose top-1 could agree");
  }
  return missed;
}

std::vector<SampleComparison> worst_samples(const OutputComparison& output, size_t count) {
  std::vector<SampleComparison> worst;
  std::copy_if(output.samples.begin(), output.samples.end(), std::back_inserter(worst),
               [](const SampleComparison& sample) { return sample.largest_error > 0; });
  std::stable_sort(
      worst.begin(), worst.end(),
      [](const SampleComparison& a, const SampleComparison& b) { return a.sqnr < b.sqnr; });
  worst.resize(std::min(worst.size(), count));
  return worst;
}

std::string comparison_text(const ComparisonReport& report) {
  const quantization::ModelComparison& comparison = report.comparison;
  std::string text = model_line("A", report.expected) + model_line("B", report.actual);
  text += fmt::format(
      "B has {:.2f} of the size and takes {:.2f} of the time\n\n",
      static_cast<double>(report.actual.bytes) / static_cast<double>(report.expected.bytes),
      report.actual.milliseconds / report.expected.milliseconds);
  text += layer_table(report);
  text += only_line("A", report.expected.graph, comparison.matching.only_expected);
  text += only_line("B", report.actual.graph, comparison.matching.only_actual);
  if (const auto largest = comparison.largest_drop()) {
    const LayerComparison& layer = comparison.layers[*largest];
    text +=
        fmt::format("\nMost is lost in {} '{}': {:.1f} dB, from {} to {}\n", layer.operator_name,
                    shorten(expected_tensor(report, layer.tensor).name, 80), layer.sqnr_drop(),
                    decibels(layer.input_sqnr), decibels(layer.tensor.error.sqnr()));
  }
  text += fmt::format("\n{}\n{} {}\n", output_table(report), comparison.samples,
                      comparison.samples == 1 ? "sample" : "samples");
  for (const std::string& missed : missed_thresholds(report)) text += "Missed: " + missed + "\n";
  return text;
}

nlohmann::json comparison_json(const ComparisonReport& report) {
  const quantization::ModelComparison& comparison = report.comparison;
  nlohmann::json layers = nlohmann::json::array();
  for (const LayerComparison& layer : comparison.layers) {
    nlohmann::json json = tensor_json(report, layer.tensor);
    json["operator"] = layer.operator_name;
    json["input_sqnr"] = number(layer.input_sqnr);
    json["sqnr_drop"] = number(layer.sqnr_drop());
    layers.push_back(std::move(json));
  }
  nlohmann::json inputs = nlohmann::json::array();
  for (const TensorComparison& input : comparison.inputs) {
    inputs.push_back(tensor_json(report, input));
  }
  nlohmann::json outputs = nlohmann::json::array();
  for (const OutputComparison& output : comparison.outputs) {
    outputs.push_back(output_json(report, output));
  }
  const auto largest = comparison.largest_drop();
  return {
      {"expected", model_json(report.expected)},
      {"actual", model_json(report.actual)},
      {"samples", comparison.samples},
      {"inputs", std::move(inputs)},
      {"outputs", std::move(outputs)},
      {"layers", std::move(layers)},
      {"largest_drop", largest ? nlohmann::json(*largest) : nlohmann::json(nullptr)},
      {"only_in_expected", names_json(report.expected.graph, comparison.matching.only_expected)},
      {"only_in_actual", names_json(report.actual.graph, comparison.matching.only_actual)},
      {"missed_thresholds", missed_thresholds(report)}};
}

}  // namespace lockstep::tools
