// lockstep verify MODEL: is every tensor bit-equal to what TFLite computes by itself?
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "graph/graph.h"
#include "tools/command.h"
#include "tools/json_output.h"
#include "tools/network_inputs.h"
#include "tools/placement.h"
#include "tools/table.h"
#include "tools/verification.h"

namespace lockstep::tools {
namespace {

struct VerifyOptions {
  std::filesystem::path model;
  EngineSettings engine;
  std::string numerics = "tflite";
  InputSource inputs;
  uint32_t samples = 1;
  bool json = false;
};

const graph::Tensor& tensor_of(const VerifiedModel& model, const VerifiedTensor& tensor) {
  return model.graph.tensors[static_cast<size_t>(tensor.tensor)];
}

void print_differences(const VerifiedModel& model, const Verification& verification) {
  Table table({{.title = "tensor", .align = Align::kRight},
               {.title = "name"},
               {.title = "operator"},
               {.title = "elements", .align = Align::kRight},
               {.title = "differing", .align = Align::kRight},
               {.title = "largest", .align = Align::kRight},
               {.title = "first at", .align = Align::kRight}});
  for (const VerifiedTensor& tensor : verification.tensors) {
    if (tensor.comparison.is_equal()) continue;
    table.add_row({fmt::format("{}", tensor.tensor), tensor_of(model, tensor).name,
                   model.graph.operators[tensor.source_operator].name,
                   fmt::format("{}", tensor.comparison.elements),
                   fmt::format("{}", tensor.comparison.differing),
                   fmt::format("{:g}", tensor.comparison.largest_difference),
                   fmt::format("{}", tensor.comparison.first_differing)});
  }
  if (table.empty()) return;
  fmt::print("\n{}", table.to_string());
  for (const VerifiedTensor& tensor : verification.tensors) {
    if (tensor.comparison.is_equal()) continue;
    fmt::print("\nThe first that is off: {}\n",
               graph::describe_operator(model.graph, tensor.source_operator));
    return;
  }
}

nlohmann::json to_json(const VerifyOptions& options, const VerifiedModel& model,
                       const Verification& verification) {
  nlohmann::json tensors = nlohmann::json::array();
  for (const VerifiedTensor& tensor : verification.tensors) {
    tensors.push_back({{"tensor", tensor.tensor},
                       {"name", tensor_of(model, tensor).name},
                       {"operator", tensor.source_operator},
                       {"elements", tensor.comparison.elements},
                       {"differing", tensor.comparison.differing},
                       {"largest_difference", tensor.comparison.largest_difference},
                       {"first_differing", tensor.comparison.first_differing}});
  }
  return {{"model", options.model.string()},
          {"numerics", options.numerics},
          {"samples", options.samples},
          {"tensors_compared", verification.tensors.size()},
          {"tensors_equal", verification.equal_tensors()},
          {"outputs_compared", verification.outputs_compared},
          {"outputs_equal", verification.outputs_equal},
          {"exact", verification.is_exact()},
          {"placement", verification.placement},
          {"tensors", std::move(tensors)}};
}

Result<int> run_verify(VerifyOptions& options) {
  const auto contract = numerics::parse_contract(options.numerics);
  if (!contract) {
    return make_error(ErrorCode::kInvalidArgument, "unknown numerics '{}'", options.numerics);
  }
  options.engine.contract = *contract;
  if (Status status = options.engine.find_libraries(); !status) {
    return tl::unexpected(status.error());
  }

  const auto model = read_model_for_verification(options.model);
  if (!model) return tl::unexpected(model.error());
  std::vector<Sample> samples;
  for (uint32_t i = 0; i < options.samples; ++i) {
    auto inputs = make_inputs(model->graph, options.inputs, i);
    if (!inputs) return tl::unexpected(inputs.error());
    samples.push_back(std::move(*inputs));
  }
  const auto verification = verify(*model, options.engine, samples);
  if (!verification) return tl::unexpected(verification.error());

  if (options.json) {
    print_json(to_json(options, *model, *verification));
  } else {
    print_placement(verification->placement);
    print_differences(*model, *verification);
    fmt::print("\n{} of {} tensors bit-exact ({} against {}, {} {})\n",
               verification->equal_tensors(), verification->tensors.size(), options.numerics,
               *contract == numerics::Contract::kLitert ? "XNNPACK" : "TFLite's builtin kernels",
               options.samples, options.samples == 1 ? "input" : "inputs");
    if (verification->outputs_equal != verification->outputs_compared) {
      fmt::print("Only {} of {} outputs of the unchanged model are equal\n",
                 verification->outputs_equal, verification->outputs_compared);
    }
  }
  return verification->is_exact() ? kSuccess : kDifferent;
}

}  // namespace

void add_verify_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App& command = *app.add_subcommand(
      "verify", "Compare every tensor with the real TFLite, with and without the delegate");
  command.footer("Exit code: 0 all tensors bit-equal, 1 some differ, 2 error.");
  command.add_option("MODEL", options->model, ".tflite file")->required()->check(CLI::ExistingFile);
  command
      .add_option("--numerics", options->numerics,
                  "tflite: against the builtin kernels; litert: against XNNPACK")
      ->check(CLI::IsMember({"tflite", "litert"}))
      ->capture_default_str();
  command.add_option("--samples", options->samples, "How many inputs to compare on")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  options->engine.add_options(command);
  options->inputs.add_options(command);
  command.add_flag("--json", options->json, "Print JSON");
  command.callback([options, &exit_code] { exit_code = finish("verify", run_verify(*options)); });
}

}  // namespace lockstep::tools
