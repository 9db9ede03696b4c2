// lockstep weights list MODEL: every constant, with type, shape, quantization, range and size.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/constant_summary.h"
#include "tools/json_output.h"
#include "tools/table.h"
#include "tools/weights_commands.h"

namespace lockstep::tools {
namespace {

struct ListOptions {
  std::filesystem::path model;
  bool json = false;
};

std::string describe_type(const ConstantSummary& constant) {
  return constant.is_sparse ? constant.type + " sparse" : constant.type;
}

std::string describe_scale(const graph::Quantization& quantization) {
  if (!quantization.is_quantized()) return "";
  if (!quantization.is_per_axis()) return fmt::format("{:g}", quantization.scales[0]);
  const auto [least, most] = std::ranges::minmax(quantization.scales);
  return fmt::format("{:g} to {:g} (axis {})", least, most, quantization.axis);
}

std::string describe_zero_point(const graph::Quantization& quantization) {
  if (!quantization.is_quantized()) return "";
  const auto [least, most] = std::ranges::minmax(quantization.zero_points);
  return least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most);
}

std::string describe_range(const ConstantSummary& constant) {
  if (!constant.range) return "";
  const std::string range =
      fmt::format("{:g} to {:g}", constant.range->minimum, constant.range->maximum);
  return constant.range->nans == 0 ? range : fmt::format("{}, {} NaN", range, constant.range->nans);
}

std::string describe_consumers(const ConstantSummary& constant) {
  if (constant.consumers.empty()) return "nobody";
  if (constant.consumers.size() == 1) return constant.consumers[0];
  return fmt::format("{} and {} more", constant.consumers[0], constant.consumers.size() - 1);
}

void print_table(const std::vector<ConstantSummary>& constants, bool has_subgraphs) {
  Table table({{.title = "tensor", .align = Align::kRight},
               {.title = "name"},
               {.title = "type"},
               {.title = "shape"},
               {.title = "scale"},
               {.title = "zero point", .align = Align::kRight},
               {.title = "range"},
               {.title = "zeros", .align = Align::kRight},
               {.title = "bytes", .align = Align::kRight},
               {.title = "read by"}});
  size_t bytes = 0;
  for (const ConstantSummary& constant : constants) {
    table.add_row({has_subgraphs ? fmt::format("{}.{}", constant.subgraph, constant.tensor)
                                 : fmt::format("{}", constant.tensor),
                   constant.name, describe_type(constant), graph::shape_to_string(constant.shape),
                   describe_scale(constant.quantization),
                   describe_zero_point(constant.quantization), describe_range(constant),
                   constant.zeros ? fmt::format("{:.1f} %", 100 * *constant.zeros) : "",
                   fmt::format("{}", constant.bytes), describe_consumers(constant)});
    bytes += constant.bytes;
  }
  if (!table.empty()) fmt::print("{}\n", table.to_string());
  fmt::print("{} constants, {} bytes\n", constants.size(), bytes);
}

Result<int> run_list(const ListOptions& options) {
  const auto model = graph::read_editable_model_file(options.model);
  if (!model) return tl::unexpected(model.error());
  const auto constants = summarize_constants(*model);
  if (!constants) {
    return make_error(constants.error().code, "{}: {}", options.model.string(),
                      constants.error().message);
  }
  if (!options.json) {
    print_table(*constants, model->tree.subgraphs.size() > 1);
    return kSuccess;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const ConstantSummary& constant : *constants) list.push_back(to_json(constant));
  print_json({{"model", options.model.string()}, {"constants", std::move(list)}});
  return kSuccess;
}

}  // namespace

void add_weights_list_command(CLI::App& weights, int& exit_code) {
  auto options = std::make_shared<ListOptions>();
  CLI::App& command = *weights.add_subcommand(
      "list", "Type, shape, quantization, range, zeros and bytes of every constant");
  command.add_option("MODEL", options->model, ".tflite file")->required()->check(CLI::ExistingFile);
  command.add_flag("--json", options->json, "Print JSON, with all scales");
  command.callback(
      [options, &exit_code] { exit_code = finish("weights list", run_list(*options)); });
}

}  // namespace lockstep::tools
