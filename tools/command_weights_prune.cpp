// lockstep weights prune MODEL: small weights become zero, or whole channels go.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "quantization/channel_pruning.h"
#include "quantization/pruning.h"
#include "quantization/sparse_storage.h"
#include "quantization/weight_constants.h"
#include "quantization/weight_storage.h"
#include "tools/command.h"
#include "tools/json_output.h"
#include "tools/network_file.h"
#include "tools/output_error.h"
#include "tools/table.h"
#include "tools/weights_commands.h"

namespace lockstep::tools {
namespace {

using quantization::ChannelPruningReport;
using quantization::PrunedLayer;
using quantization::PrunedWeights;
using quantization::PruningBlock;
using quantization::PruningScope;
using quantization::StoredWeights;

struct Options {
  std::filesystem::path model;
  std::filesystem::path output;
  std::optional<double> sparsity;
  std::string block = "1x1";
  std::string scope = "layer";
  bool depthwise = false;
  bool dense = false;
  std::optional<double> channels;
  bool json = false;
  OutputErrorOptions output_error;
};

// "4x1": rows and columns.
Result<PruningBlock> parse_block(const std::string& text) {
  PruningBlock block;
  const char* const end = text.data() + text.size();
  const auto rows = std::from_chars(text.data(), end, block.rows);
  if (rows.ec == std::errc() && rows.ptr != end && *rows.ptr == 'x') {
    const auto columns = std::from_chars(rows.ptr + 1, end, block.columns);
    if (columns.ec == std::errc() && columns.ptr == end && block.rows > 0 && block.columns > 0) {
      return block;
    }
  }
  return make_error(ErrorCode::kInvalidArgument,
                    "--block is ROWSxCOLUMNS, such as 4x1, and not '{}'", text);
}

double percent(size_t part, size_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// What either kind of pruning did to a network, for people and for programs.
struct Outcome {
  std::string text;
  nlohmann::json json;
};

// ---- Small weights ----

Outcome describe(const std::vector<PrunedWeights>& weights,
                 const std::vector<StoredWeights>& stored) {
  Table table({{.title = "weights", .maximum_width = 44},
               {.title = "operator"},
               {.title = "elements", .align = Align::kRight},
               {.title = "zeros before", .align = Align::kRight},
               {.title = "zeros", .align = Align::kRight},
               {.title = "bytes before", .align = Align::kRight},
               {.title = "bytes", .align = Align::kRight},
               {.title = "stored"}});
  nlohmann::json list = nlohmann::json::array();
  size_t elements = 0;
  size_t zeros = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    elements += weights[i].elements;
    zeros += weights[i].zeros;
    const std::string how =
        stored[i].reason.empty() ? "sparse" : fmt::format("dense: {}", stored[i].reason);
    table.add_row({weights[i].name, weights[i].op, fmt::format("{}", weights[i].elements),
                   fmt::format("{:.1f} %", percent(weights[i].zeros_before, weights[i].elements)),
                   fmt::format("{:.1f} %", percent(weights[i].zeros, weights[i].elements)),
                   fmt::format("{}", stored[i].dense_bytes), fmt::format("{}", stored[i].bytes),
                   how});
    list.push_back({{"tensor", weights[i].name},
                    {"operator", weights[i].op},
                    {"elements", weights[i].elements},
                    {"zeros_before", weights[i].zeros_before},
                    {"zeros", weights[i].zeros},
                    {"dense_bytes", stored[i].dense_bytes},
                    {"bytes", stored[i].bytes},
                    {"dense_because", stored[i].reason}});
  }
  return {.text = fmt::format("{}\n{} of {} weights are zero ({:.1f} %)\n", table.to_string(),
                              zeros, elements, percent(zeros, elements)),
          .json = {{"elements", elements}, {"zeros", zeros}, {"weights", std::move(list)}}};
}

Result<Outcome> prune_weights(const Options& options, quantization::schema::ModelT& model) {
  const auto block = parse_block(options.block);
  if (!block) return tl::unexpected(block.error());
  if (auto status = quantization::densify(model); !status) return tl::unexpected(status.error());
  const auto weights = quantization::prune_weights(
      model, {.sparsity = *options.sparsity,
              .block = *block,
              .scope = options.scope == "network" ? PruningScope::kNetwork : PruningScope::kLayer,
              .depthwise = options.depthwise});
  if (!weights) return tl::unexpected(weights.error());
  std::vector<StoredWeights> stored;
  for (const PrunedWeights& each : *weights) {
    if (options.dense) {
      stored.push_back(quantization::weights_as_they_are(model, each.tensor, "asked for"));
      continue;
    }
    auto storage =
        quantization::store_weights_sparsely(model, each.tensor, each.channel_axis, *block);
    if (!storage) return tl::unexpected(storage.error());
    stored.push_back(std::move(*storage));
  }
  return describe(*weights, stored);
}

// ---- Channels ----

Outcome describe(const ChannelPruningReport& report) {
  Table table({{.title = "#", .align = Align::kRight},
               {.title = "operator"},
               {.title = "output", .maximum_width = 44},
               {.title = "channels", .align = Align::kRight},
               {.title = "left", .align = Align::kRight},
               {.title = "why it keeps them"}});
  nlohmann::json list = nlohmann::json::array();
  for (const PrunedLayer& layer : report.layers) {
    table.add_row({fmt::format("{}", layer.op), layer.name, layer.output,
                   fmt::format("{}", layer.channels_before), fmt::format("{}", layer.channels),
                   layer.reason});
    list.push_back({{"operator", layer.op},
                    {"name", layer.name},
                    {"output", layer.output},
                    {"channels_before", layer.channels_before},
                    {"channels", layer.channels},
                    {"kept_because", layer.reason}});
  }
  return {.text = fmt::format("{}\n{} of {} elements of constants are left ({:.1f} %)\n",
                              table.to_string(), report.weights, report.weights_before,
                              percent(report.weights, report.weights_before)),
          .json = {{"elements_before", report.weights_before},
                   {"elements", report.weights},
                   {"layers", std::move(list)}}};
}

bool has_sparse_constants(const quantization::schema::ModelT& model) {
  const auto& tensors = model.subgraphs.front()->tensors;
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const auto& tensor) { return tensor->sparsity != nullptr; });
}

Result<Outcome> prune_channels(const Options& options, quantization::schema::ModelT& model) {
  const bool was_sparse = has_sparse_constants(model);
  if (auto status = quantization::densify(model); !status) return tl::unexpected(status.error());
  const auto report = quantization::prune_channels(model, *options.channels);
  if (!report) return tl::unexpected(report.error());
  if (was_sparse) {
    for (const auto& weights :
         quantization::find_weight_constants(model, *model.subgraphs.front())) {
      const auto stored =
          quantization::store_weights_sparsely(model, weights.tensor, weights.channel_axis, {});
      if (!stored) return tl::unexpected(stored.error());
    }
  }
  return describe(*report);
}

// ---- The command ----

Result<int> run(const Options& options) {
  if (options.sparsity.has_value() == options.channels.has_value()) {
    return make_error(ErrorCode::kInvalidArgument, "either --sparsity or --channels is needed");
  }
  auto network = read_network_to_edit(options.model);
  if (!network) return tl::unexpected(network.error());
  const auto outcome = options.sparsity ? prune_weights(options, network->model.tree)
                                        : prune_channels(options, network->model.tree);
  if (!outcome) {
    return make_error(outcome.error().code, "{}: {}", options.model.string(),
                      outcome.error().message);
  }
  const auto written =
      write_and_measure(options.output_error, {options.model.string(), network->bytes},
                        network->model, options.output);
  if (!written) return tl::unexpected(written.error());
  if (options.json) {
    nlohmann::json report = outcome->json;
    report["model"] = options.model.string();
    report["output"] = options.output.string();
    report["file_bytes_before"] = network->bytes.size();
    report["file_bytes"] = written->bytes;
    report["output_error"] = written->errors.to_json();
    print_json(report);
  } else {
    fmt::print("{}The file has {} bytes, and had {}\n", outcome->text, written->bytes,
               network->bytes.size());
    written->errors.print();
  }
  return kSuccess;
}

}  // namespace

void add_weights_prune_command(CLI::App& weights, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App& command =
      *weights.add_subcommand("prune", "Set small weights to zero, or remove whole channels");
  command.add_option("MODEL", options->model, ".tflite file")->required()->check(CLI::ExistingFile);
  command.add_option("-o,--output", options->output, "The .tflite file to write")->required();
  CLI::Option& sparsity =
      *command.add_option("--sparsity", options->sparsity, "Share of the weights to set to zero");
  command.add_option("--block", options->block, "ROWSxCOLUMNS that become zero together")
      ->needs(&sparsity)
      ->capture_default_str();
  command
      .add_option("--scope", options->scope,
                  "Whose share it is: of each 'layer', or of the 'network' as a whole")
      ->check(CLI::IsMember({"layer", "network"}))
      ->needs(&sparsity)
      ->capture_default_str();
  command.add_flag("--depthwise", options->depthwise, "Depthwise convolutions, too")
      ->needs(&sparsity);
  command.add_flag("--dense", options->dense, "Store zeros like other weights, never sparsely")
      ->needs(&sparsity);
  command
      .add_option("--channels", options->channels,
                  "Share of the output channels to remove, and what hangs together with them")
      ->excludes(&sparsity);
  options->output_error.add_options(command);
  command.add_flag("--json", options->json, "Print JSON");
  command.callback([options, &exit_code] { exit_code = finish("weights prune", run(*options)); });
}

}  // namespace lockstep::tools
