// lockstep weights densify MODEL -o OUT: the network without the format's sparse encoding.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "quantization/sparse_storage.h"
#include "tools/command.h"
#include "tools/json_output.h"
#include "tools/network_file.h"
#include "tools/weights_commands.h"

namespace lockstep::tools {
namespace {

struct DensifyOptions {
  std::filesystem::path model;
  std::filesystem::path output;
  bool json = false;
};

size_t count_sparse_constants(const graph::schema::ModelT& model) {
  size_t count = 0;
  for (const auto& subgraph : model.subgraphs) {
    for (const auto& tensor : subgraph->tensors) count += tensor->sparsity != nullptr;
  }
  return count;
}

Result<int> run_densify(const DensifyOptions& options) {
  auto model = graph::read_editable_model_file(options.model);
  if (!model) return tl::unexpected(model.error());
  const size_t constants = count_sparse_constants(model->tree);
  const uintmax_t size_before = std::filesystem::file_size(options.model);
  if (constants > 0) {
    if (auto status = quantization::densify(model->tree); !status) {
      return make_error(status.error().code, "{}: {}", options.model.string(),
                        status.error().message);
    }
  }
  const auto size = write_network(*model, options.output);
  if (!size) return tl::unexpected(size.error());
  if (options.json) {
    print_json({{"model", options.model.string()},
                {"output", options.output.string()},
                {"sparse_constants", constants},
                {"bytes_before", size_before},
                {"bytes", *size}});
  } else {
    fmt::print("{}: {} sparse constants made dense, {} bytes instead of {}\n",
               options.output.string(), constants, *size, size_before);
  }
  return kSuccess;
}

}  // namespace

void add_weights_densify_command(CLI::App& weights, int& exit_code) {
  auto options = std::make_shared<DensifyOptions>();
  CLI::App& command = *weights.add_subcommand(
      "densify", "Store sparse constants densely, and leave out the operators that undo it");
  command.add_option("MODEL", options->model, ".tflite file")->required()->check(CLI::ExistingFile);
  command.add_option("-o,--output", options->output, "The .tflite file to write")->required();
  command.add_flag("--json", options->json, "Print JSON");
  command.callback(
      [options, &exit_code] { exit_code = finish("weights densify", run_densify(*options)); });
}

}  // namespace lockstep::tools
