// lockstep weights symmetrize MODEL: int8 weights without zero points.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "graph/tensor.h"
#include "quantization/symmetrize.h"
#include "quantization/symmetry_check.h"
#include "tools/command.h"
#include "tools/json_output.h"
#include "tools/network_file.h"
#include "tools/output_error.h"
#include "tools/table.h"
#include "tools/weights_commands.h"

namespace lockstep::tools {
namespace {

using quantization::OperatorNote;
using quantization::SymmetrizedWeights;
using quantization::SymmetrizeReport;

struct Options {
  std::filesystem::path model;
  std::filesystem::path output;
  std::string io = "uint8";
  bool per_channel = false;
  bool check = false;
  bool json = false;
  OutputErrorOptions output_error;
};

// ---- --check ----

int check(const Options& options, const NetworkToEdit& network) {
  const auto asymmetries = quantization::find_asymmetries(network.model.tree);
  if (options.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& each : asymmetries) {
      list.push_back({{"tensor", each.name}, {"operator", each.op}, {"problem", each.problem}});
    }
    print_json({{"model", options.model.string()},
                {"symmetric", asymmetries.empty()},
                {"asymmetries", std::move(list)}});
  } else {
    Table table({{.title = "tensor"}, {.title = "operator"}, {.title = "problem"}});
    for (const auto& each : asymmetries) table.add_row({each.name, each.op, each.problem});
    if (!table.empty()) fmt::print("{}\n", table.to_string());
    fmt::print(
        "{} tensors are not what an accelerator wants: int8, weights in [-127, 127] with "
        "zero point 0\n",
        asymmetries.size());
  }
  return asymmetries.empty() ? kSuccess : kDifferent;
}

// ---- Reports ----

std::string scales_of(const SymmetrizedWeights& weights) {
  const auto [least, largest] = std::minmax_element(weights.scales.begin(), weights.scales.end());
  return weights.scales.size() == 1 ? fmt::format("{:.6g}", *least)
                                    : fmt::format("{:.4g} to {:.4g}", *least, *largest);
}

double decibels(double ratio) { return 10.0 * std::log10(ratio); }

void print_weights(const SymmetrizeReport& report) {
  Table table({{.title = "weights", .maximum_width = 44},
               {.title = "operator"},
               {.title = "zero point", .align = Align::kRight},
               {.title = "scale", .align = Align::kRight},
               {.title = "new scale", .align = Align::kRight},
               {.title = "exact", .align = Align::kRight},
               {.title = "largest error", .align = Align::kRight},
               {.title = "mean error", .align = Align::kRight},
               {.title = "SQNR dB", .align = Align::kRight}});
  for (const SymmetrizedWeights& weights : report.weights) {
    table.add_row({weights.name, weights.op, fmt::format("{}", weights.old_zero_point),
                   fmt::format("{:.6g}", weights.old_scale), scales_of(weights),
                   fmt::format("{}/{}", weights.exact_channels, weights.channels),
                   fmt::format("{:.3g}", weights.largest_error),
                   fmt::format("{:.3g}", weights.mean_error),
                   fmt::format("{:.2f}", decibels(weights.signal_to_noise))});
  }
  if (!table.empty()) fmt::print("{}", table.to_string());
  for (const SymmetrizedWeights& weights : report.weights) {
    if (!weights.was_read_as_symmetric) continue;
    fmt::print(
        "\nEngines ignored the zero point of '{}': they compute what the file says now, and "
        "did not before\n",
        graph::printable(weights.name));
  }
}

// One line for each operator and reason.
void print_notes(const std::vector<OperatorNote>& notes, const char* what) {
  std::map<std::pair<std::string, std::string>, size_t> counts;
  for (const OperatorNote& note : notes) ++counts[{note.name, note.text}];
  for (const auto& [key, count] : counts) {
    fmt::print("{}: {} {}: {}\n", what, count, key.first, key.second);
  }
}

void print_report(const SymmetrizeReport& report) {
  print_weights(report);
  fmt::print("\n{} tensors made symmetric, {} moved from uint8 to int8, {} QUANTIZE added\n",
             report.weights.size(), report.signed_domain.signed_tensors,
             report.signed_domain.added_operators);
  print_notes(report.signed_domain.kept, "stays uint8");
  print_notes(report.kept, "keeps its weights");
  print_notes(report.signed_domain.other_rounding, "may answer one step beside");
}

nlohmann::json to_json(const std::vector<OperatorNote>& notes) {
  nlohmann::json list = nlohmann::json::array();
  for (const OperatorNote& note : notes) {
    list.push_back({{"subgraph", note.subgraph},
                    {"operator", note.op},
                    {"name", note.name},
                    {"output", note.output},
                    {"reason", note.text}});
  }
  return list;
}

nlohmann::json to_json(const Options& options, const SymmetrizeReport& report,
                       const OutputErrorReport& errors) {
  nlohmann::json weights = nlohmann::json::array();
  for (const SymmetrizedWeights& each : report.weights) {
    const double sqnr = decibels(each.signal_to_noise);
    weights.push_back({{"tensor", each.name},
                       {"operator", each.op},
                       {"elements", each.elements},
                       {"zero_point", each.old_zero_point},
                       {"scale", each.old_scale},
                       {"new_scales", each.scales},
                       {"channels", each.channels},
                       {"exact_channels", each.exact_channels},
                       {"largest_error", each.largest_error},
                       {"mean_error", each.mean_error},
                       {"sqnr", std::isfinite(sqnr) ? nlohmann::json(sqnr) : nlohmann::json()},
                       {"engines_ignored_the_zero_point", each.was_read_as_symmetric}});
  }
  return {{"model", options.model.string()},
          {"output", options.output.string()},
          {"io", options.io},
          {"per_channel", options.per_channel},
          {"weights", std::move(weights)},
          {"tensors_moved_to_int8", report.signed_domain.signed_tensors},
          {"quantize_operators_added", report.signed_domain.added_operators},
          {"stays_uint8", to_json(report.signed_domain.kept)},
          {"keeps_its_weights", to_json(report.kept)},
          {"other_rounding", to_json(report.signed_domain.other_rounding)},
          {"output_error", errors.to_json()}};
}

Result<int> run(const Options& options) {
  auto network = read_network_to_edit(options.model);
  if (!network) return tl::unexpected(network.error());
  if (options.check) return check(options, *network);
  if (options.output.empty()) {
    return make_error(ErrorCode::kInvalidArgument, "--output or --check is needed");
  }
  const auto report = quantization::symmetrize(
      network->model.tree,
      {.per_channel = options.per_channel,
       .borders = options.io == "int8" ? quantization::UnsignedBorders::kInt8
                                       : quantization::UnsignedBorders::kKept});
  if (!report) {
    return make_error(report.error().code, "{}: {}", options.model.string(),
                      report.error().message);
  }
  const auto written =
      write_and_measure(options.output_error, {options.model.string(), network->bytes},
                        network->model, options.output);
  if (!written) return tl::unexpected(written.error());
  if (options.json) {
    print_json(to_json(options, *report, written->errors));
  } else {
    print_report(*report);
    written->errors.print();
  }
  return kSuccess;
}

}  // namespace

void add_weights_symmetrize_command(CLI::App& weights, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App& command = *weights.add_subcommand(
      "symmetrize", "Make weights int8 in [-127, 127] with zero point 0, and uint8 networks int8");
  command.footer("Exit code: 0 done; 1 --check found something; 2 error.");
  command.add_option("MODEL", options->model, ".tflite file")->required()->check(CLI::ExistingFile);
  command.add_option("-o,--output", options->output, "The .tflite file to write");
  command.add_flag("--per-channel", options->per_channel,
                   "A scale for each output channel of a convolution");
  command
      .add_option("--io", options->io,
                  "uint8 inputs and outputs of the network: 'uint8' keeps them, behind a QUANTIZE; "
                  "'int8' changes them")
      ->check(CLI::IsMember({"uint8", "int8"}))
      ->capture_default_str();
  command.add_flag("--check", options->check,
                   "Write nothing: list the tensors that are not as an accelerator wants them");
  options->output_error.add_options(command);
  command.add_flag("--json", options->json, "Print JSON");
  command.callback(
      [options, &exit_code] { exit_code = finish("weights symmetrize", run(*options)); });
}

}  // namespace lockstep::tools
