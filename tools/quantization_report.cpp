#include "tools/quantization_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>
#include <vector>

#include "tools/table.h"

namespace lockstep::tools {
namespace {

using quantization::Int8Report;
using quantization::LayerComparison;
using quantization::ModelComparison;
using quantization::OutputComparison;
using quantization::PostTrainingReport;
using quantization::QuantizedOperator;
using quantization::Storage;
using quantization::StoredConstant;
using quantization::TensorComparison;
using quantization::Treatment;
using quantization::WeightOnlyReport;

constexpr size_t kWorstLayers = 5;

std::string plural(size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string decibels(double sqnr) {
  return std::isinf(sqnr) && sqnr > 0 ? "exact" : fmt::format("{:.1f} dB", sqnr);
}

const std::string& name_of(const PostTrainingReport& report, const TensorComparison& tensor) {
  return report.tensor_names[static_cast<size_t>(tensor.match.expected)];
}

void print_network(const PostTrainingReport& report) {
  const quantization::FloatNetworkReport& network = report.float_network;
  std::string text;
  const auto add = [&](size_t count, const std::string& what) {
    if (count == 0) return;
    text += fmt::format("{}{}", text.empty() ? "" : ", ", what);
  };
  add(network.sparse_constants,
      plural(network.sparse_constants, "sparse constant") + " made dense");
  add(network.narrow_constants, plural(network.narrow_constants, "constant") + " made float32");
  add(network.trained_ranges, plural(network.trained_ranges, "range") + " from training");
  if (!text.empty()) fmt::print("network      {}\n", text);
}

void print_kept_operators(const Int8Report& report) {
  Table table(
      {{.title = "stays float"}, {.title = "output", .maximum_width = 48}, {.title = "why"}});
  for (const QuantizedOperator& op : report.operators) {
    if (op.treatment.treatment != Treatment::kFloat) continue;
    table.add_row({op.name, op.output, op.treatment.reason});
  }
  if (!table.empty()) fmt::print("\n{}\n", table.to_string());
}

void print_int8(const PostTrainingReport& report) {
  const Int8Report& int8 = *report.int8;
  const size_t untouched = int8.count(Treatment::kUntouched);
  fmt::print("operators    {} int8, {} float{}\n", int8.count(Treatment::kInt8),
             int8.count(Treatment::kFloat),
             untouched == 0 ? "" : fmt::format(", {} without float tensors", untouched));
  if (int8.fused_activations > 0) {
    fmt::print("             {} fused into the operators in front of them\n",
               plural(int8.fused_activations, "activation"));
  }
  if (int8.added_conversions > 0) {
    fmt::print("             {} of QUANTIZE and DEQUANTIZE added\n",
               plural(int8.added_conversions, "operator"));
  }
  if (report.equalization && !report.equalization->groups.empty()) {
    size_t channels = 0;
    for (const auto& group : report.equalization->groups) channels += group.channels;
    fmt::print("equalized    {} in {}\n", plural(channels, "channel"),
               plural(report.equalization->groups.size(), "group"));
  }
  if (report.biases) {
    fmt::print("biases       {} corrected on {}\n", plural(report.biases->layers, "layer"),
               plural(report.biases->samples, "sample"));
  }
  print_kept_operators(int8);
}

void print_weights(const WeightOnlyReport& report) {
  Table table({{.title = "constants", .align = Align::kRight},
               {.title = "elements", .align = Align::kRight},
               {.title = "stored as"}});
  for (const Storage storage :
       {Storage::kInt8ForHybrid, Storage::kInt8, Storage::kFloat16, Storage::kFloat32}) {
    size_t elements = 0;
    for (const StoredConstant& constant : report.constants) {
      if (constant.storage == storage) elements += constant.elements;
    }
    if (report.count(storage) == 0) continue;
    table.add_row({fmt::format("{}", report.count(storage)), fmt::format("{}", elements),
                   std::string(storage_name(storage))});
  }
  fmt::print("\n{}\n", table.to_string());
}

// The layers that lose the most, worst first.
std::vector<const LayerComparison*> worst_layers(const ModelComparison& comparison) {
  std::vector<const LayerComparison*> layers;
  for (const LayerComparison& layer : comparison.layers) {
    if (layer.sqnr_drop() > 0) layers.push_back(&layer);
  }
  std::stable_sort(layers.begin(), layers.end(),
                   [](const auto* a, const auto* b) { return a->sqnr_drop() > b->sqnr_drop(); });
  layers.resize(std::min(layers.size(), kWorstLayers));
  return layers;
}

void print_comparison(const PostTrainingReport& report) {
  const ModelComparison& comparison = *report.comparison;
  Table table({{.title = "loses the most"},
               {.title = "output", .maximum_width = 48},
               {.title = "loss", .align = Align::kRight},
               {.title = "SQNR", .align = Align::kRight}});
  for (const LayerComparison* layer : worst_layers(comparison)) {
    table.add_row({layer->operator_name, name_of(report, layer->tensor),
                   decibels(layer->sqnr_drop()), decibels(layer->tensor.error.sqnr())});
  }
  if (!table.empty()) fmt::print("\n{}\n", table.to_string());
  for (const OutputComparison& output : comparison.outputs) {
    fmt::print("output       '{}': {} from the float network's{}\n",
               shorten(name_of(report, output.tensor), 48), decibels(output.tensor.error.sqnr()),
               output.class_count > 0 ? fmt::format(", the same class on {:.1f} % of {}",
                                                    100 * output.agreement.top1(),
                                                    plural(comparison.samples, "sample"))
                                      : "");
  }
}

nlohmann::json finite_or_null(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

nlohmann::json operators_json(const Int8Report& report) {
  nlohmann::json operators = nlohmann::json::array();
  for (const QuantizedOperator& op : report.operators) {
    const char* treatment = op.treatment.treatment == Treatment::kInt8    ? "int8"
                            : op.treatment.treatment == Treatment::kFloat ? "float"
                                                                          : "untouched";
    operators.push_back({{"operator", op.name},
                         {"output", op.output},
                         {"treatment", treatment},
                         {"reason", op.treatment.reason}});
  }
  return operators;
}

nlohmann::json constants_json(const WeightOnlyReport& report) {
  nlohmann::json constants = nlohmann::json::array();
  for (const StoredConstant& constant : report.constants) {
    constants.push_back({{"name", constant.name},
                         {"elements", constant.elements},
                         {"storage", storage_name(constant.storage)},
                         {"reason", constant.reason}});
  }
  return constants;
}

nlohmann::json layers_json(const PostTrainingReport& report) {
  nlohmann::json layers = nlohmann::json::array();
  for (const LayerComparison& layer : report.comparison->layers) {
    layers.push_back({{"operator", layer.operator_name},
                      {"output", name_of(report, layer.tensor)},
                      {"sqnr_db", finite_or_null(layer.tensor.error.sqnr())},
                      {"loss_db", finite_or_null(layer.sqnr_drop())},
                      {"largest_error", finite_or_null(layer.tensor.error.largest_error())},
                      {"mean_error", finite_or_null(layer.tensor.error.mean_error())}});
  }
  return layers;
}

nlohmann::json groups_json(const quantization::EqualizationReport& report) {
  nlohmann::json groups = nlohmann::json::array();
  for (const quantization::EqualizedGroup& group : report.groups) {
    groups.push_back({{"tensor", group.tensor},
                      {"activations", group.activations},
                      {"channels", group.channels},
                      {"largest_factor", std::ldexp(1.0, group.largest_exponent)},
                      {"predicted_gain_db", finite_or_null(group.predicted_gain)}});
  }
  return groups;
}

nlohmann::json outputs_json(const PostTrainingReport& report) {
  nlohmann::json outputs = nlohmann::json::array();
  for (const OutputComparison& output : report.comparison->outputs) {
    nlohmann::json entry{{"output", name_of(report, output.tensor)},
                         {"sqnr_db", finite_or_null(output.tensor.error.sqnr())}};
    if (output.class_count > 0) entry["top1"] = output.agreement.top1();
    outputs.push_back(std::move(entry));
  }
  return outputs;
}

}  // namespace

void print_quantization(const QuantizationSummary& summary, const PostTrainingReport& report) {
  print_network(report);
  if (report.samples > 0) fmt::print("calibration  {}\n", plural(report.samples, "sample"));
  if (report.int8) print_int8(report);
  if (report.weights) print_weights(*report.weights);
  if (report.comparison) print_comparison(report);
  fmt::print("size         {} bytes, {:.3f} of {}\n", summary.new_size,
             static_cast<double>(summary.new_size) /
                 static_cast<double>(std::max(summary.old_size, uintmax_t{1})),
             summary.old_size);
  if (summary.tflite_version.empty()) {
    fmt::print("checked      read back; not run, since no TFLite was found\n");
  } else {
    fmt::print("checked      read back, and run in TFLite {}\n", summary.tflite_version);
  }
  fmt::print("written      {}\n", summary.output.string());
}

nlohmann::json quantization_json(const QuantizationSummary& summary,
                                 const PostTrainingReport& report) {
  nlohmann::json json{
      {"model", summary.model.string()},
      {"output", summary.output.string()},
      {"mode", quantization_mode_name(summary.mode)},
      {"old_bytes", summary.old_size},
      {"new_bytes", summary.new_size},
      {"tflite",
       summary.tflite_version.empty() ? nlohmann::json() : nlohmann::json(summary.tflite_version)},
      {"sparse_constants", report.float_network.sparse_constants},
      {"narrow_constants", report.float_network.narrow_constants},
      {"trained_ranges", report.float_network.trained_ranges},
      {"samples", report.samples}};
  if (report.int8) {
    json["fused_activations"] = report.int8->fused_activations;
    json["added_conversions"] = report.int8->added_conversions;
    json["operators"] = operators_json(*report.int8);
  }
  if (report.equalization) json["equalized_groups"] = groups_json(*report.equalization);
  if (report.biases) json["corrected_layers"] = report.biases->layers;
  if (report.weights) json["constants"] = constants_json(*report.weights);
  if (report.comparison) {
    json["compared_samples"] = report.comparison->samples;
    json["layers"] = layers_json(report);
    json["outputs"] = outputs_json(report);
  }
  return json;
}

}  // namespace lockstep::tools
