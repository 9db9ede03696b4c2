// lockstep inspect MODEL: what a network consists of, what each device would take of it, with which
// kernels, and where it would keep what in memory.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "backend/registry.h"
#include "delegate_api/partitioner.h"
#include "graph/tflite_reader.h"
#include "tools/command.h"
#include "tools/engine_options.h"
#include "tools/json_output.h"
#include "tools/plan_report.h"
#include "tools/table.h"

namespace lockstep::tools {
namespace {

struct InspectOptions {
  std::filesystem::path model;
  DeviceSelection device;
  bool json = false;
};

// What one device takes of the network.
struct DevicePlan {
  std::string device;
  delegate::Partitioning partitioning;
  // By partition: what becomes of it; an error says why the device cannot tell.
  std::vector<Result<backend::ProgramPlan>> programs;
  std::string problem;  // not empty: the device could not be opened, and nothing else is known
};

std::string describe_quantization(const graph::Quantization& quantization) {
  if (!quantization.is_quantized()) return "";
  if (quantization.is_per_axis()) {
    return fmt::format("per axis {} ({} scales)", quantization.axis, quantization.scales.size());
  }
  return fmt::format("{:g} zp {}", quantization.scales[0], quantization.zero_points[0]);
}

std::string describe_tensor(const graph::Graph& graph, int32_t index) {
  if (index == graph::kAbsentTensor) return "-";
  const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(index)];
  return fmt::format("{} {}", graph::data_type_name(tensor.type),
                     graph::shape_to_string(tensor.shape));
}

DevicePlan plan_device(const graph::Graph& graph, const backend::Device& device,
                       const delegate::PartitionOptions& options) {
  DevicePlan plan{.device = device.description().name,
                  .partitioning = delegate::partition_graph(graph, device, options),
                  .programs = {},
                  .problem = {}};
  for (const delegate::Partition& partition : plan.partitioning.partitions) {
    plan.programs.push_back(
        delegate::lower_partition(graph, partition, options.contract)
            .and_then([&](const graph::LoweredGraph& lowered) { return device.plan(lowered); }));
  }
  return plan;
}

Result<std::vector<DevicePlan>> plan_devices(const InspectOptions& options,
                                             const graph::Graph& graph) {
  const auto contract = options.device.contract();
  if (!contract) return tl::unexpected(contract.error());
  delegate::PartitionOptions partition_options;
  partition_options.contract = *contract;
  if (!options.device.device.empty()) {
    const auto device = options.device.open();
    if (!device) return tl::unexpected(device.error());
    return std::vector{plan_device(graph, **device, partition_options)};
  }
  std::vector<DevicePlan> plans;
  const std::vector<backend::DeviceDescription> devices = backend::list_devices();
  std::optional<Error> misunderstood;
  bool is_understood = false;
  for (size_t i = 0; i < devices.size(); ++i) {
    const auto device = backend::open_device(fmt::format("{}", i), options.device.device_options());
    if (!device && device.error().code == ErrorCode::kInvalidArgument) {
      if (!misunderstood) misunderstood = device.error();
    } else if (devices[i].backend != "ref") {  // which takes any option
      is_understood = true;
    }
    // One device that is broken says nothing about the others.
    plans.push_back(device ? plan_device(graph, **device, partition_options)
                           : DevicePlan{.device = devices[i].name,
                                        .partitioning = {},
                                        .programs = {},
                                        .problem = device.error().message});
  }
  // An option that is another kind of device's is one of the others' problems; one of no device's a
  // mistake.
  if (misunderstood && !is_understood) return tl::unexpected(*misunderstood);
  return plans;
}

nlohmann::json to_json(const graph::Graph& graph, const std::vector<DevicePlan>& plans) {
  nlohmann::json tensors = nlohmann::json::array();
  for (const graph::Tensor& tensor : graph.tensors) {
    tensors.push_back({{"name", tensor.name},
                       {"type", graph::data_type_name(tensor.type)},
                       {"shape", tensor.shape},
                       {"shape_signature", tensor.shape_signature},
                       {"constant_bytes", tensor.data.size()},
                       {"scales", tensor.quantization.scales},
                       {"zero_points", tensor.quantization.zero_points},
                       {"axis", tensor.quantization.axis}});
  }
  nlohmann::json operators = nlohmann::json::array();
  for (const graph::Operator& op : graph.operators) {
    operators.push_back({{"name", op.name},
                         {"version", op.version},
                         {"inputs", op.inputs},
                         {"outputs", op.outputs},
                         {"multiply_accumulates", graph::multiply_accumulates(graph, op)}});
  }
  nlohmann::json devices = nlohmann::json::array();
  for (const DevicePlan& plan : plans) {
    nlohmann::json decisions = nlohmann::json::array();
    for (const delegate::OperatorDecision& decision : plan.partitioning.decisions) {
      decisions.push_back({{"partition", decision.partition}, {"reason", decision.reason}});
    }
    nlohmann::json programs = nlohmann::json::array();
    for (const Result<backend::ProgramPlan>& program : plan.programs) {
      programs.push_back(program ? plan_json(*program)
                                 : nlohmann::json{{"problem", program.error().message}});
    }
    devices.push_back({{"name", plan.device},
                       {"problem", plan.problem},
                       {"partitions", plan.partitioning.partitions.size()},
                       {"programs", std::move(programs)},
                       {"operators", std::move(decisions)}});
  }
  return {{"model", graph.name},
          {"inputs", graph.inputs},
          {"outputs", graph.outputs},
          {"tensors", std::move(tensors)},
          {"operators", std::move(operators)},
          {"devices", std::move(devices)}};
}

void print_borders(const graph::Graph& graph, std::string_view title,
                   const std::vector<int32_t>& tensors) {
  for (const int32_t index : tensors) {
    const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(index)];
    fmt::print("{:<9} '{}' {} {}\n", title, graph::printable(tensor.name),
               describe_tensor(graph, index), describe_quantization(tensor.quantization));
  }
}

void print_operators(const graph::Graph& graph) {
  Table table({{.title = "#", .align = Align::kRight},
               {.title = "operator"},
               {.title = "input"},
               {.title = "weights"},
               {.title = "output"},
               {.title = "output scale"},
               {.title = "MACs", .align = Align::kRight}});
  int64_t total = 0;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const graph::Operator& op = graph.operators[i];
    const int64_t count = graph::multiply_accumulates(graph, op);
    total += count;
    const int32_t output = op.outputs.empty() ? graph::kAbsentTensor : op.outputs[0];
    table.add_row(
        {fmt::format("{}", i), op.name,
         op.inputs.empty() ? "-" : describe_tensor(graph, op.inputs[0]),
         count > 0 && op.inputs.size() > 1 ? describe_tensor(graph, op.inputs[1]) : "",
         describe_tensor(graph, output),
         output == graph::kAbsentTensor
             ? ""
             : describe_quantization(graph.tensors[static_cast<size_t>(output)].quantization),
         count > 0 ? fmt::format("{}", count) : ""});
  }
  fmt::print("\n{}\n{} operators, {} tensors, {:.1f} million multiply-accumulates\n",
             table.to_string(), graph.operators.size(), graph.tensors.size(),
             static_cast<double>(total) / 1e6);
}

void print_program(const graph::Graph& graph, size_t partition,
                   const Result<backend::ProgramPlan>& program) {
  constexpr size_t kPictureRows = 16;
  constexpr size_t kPictureColumns = 100;
  if (!program) {
    if (program.error().code != ErrorCode::kUnsupported) {  // some devices plan nothing
      fmt::print("\npartition {}: {}\n", partition, program.error().message);
    }
    return;
  }
  const std::string picture = arena_picture(*program, kPictureRows, kPictureColumns);
  fmt::print("\npartition {}\n{}\n{}{}{}", partition, kernel_table(graph, *program),
             memory_table(graph, *program), picture.empty() ? "" : "\n", picture);
}

void print_plan(const graph::Graph& graph, const DevicePlan& plan) {
  if (!plan.problem.empty()) {
    fmt::print("\n{}: cannot be opened: {}\n", plan.device, plan.problem);
    return;
  }
  size_t taken = 0;
  for (const auto& decision : plan.partitioning.decisions) taken += decision.partition >= 0;
  fmt::print("\n{}: {} of {} operators in {} {}\n", plan.device, taken, graph.operators.size(),
             plan.partitioning.partitions.size(),
             plan.partitioning.partitions.size() == 1 ? "partition" : "partitions");
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const delegate::OperatorDecision& decision = plan.partitioning.decisions[i];
    if (decision.partition >= 0) continue;
    fmt::print("  stays with the host: {}: {}\n", graph::describe_operator(graph, i),
               decision.reason);
  }
  for (size_t i = 0; i < plan.programs.size(); ++i) print_program(graph, i, plan.programs[i]);
}

Result<int> run_inspect(const InspectOptions& options) {
  const auto graph = graph::read_tflite_file(options.model);
  if (!graph) return tl::unexpected(graph.error());
  const auto plans = plan_devices(options, *graph);
  if (!plans) return tl::unexpected(plans.error());
  if (options.json) {
    print_json(to_json(*graph, *plans));
    return kSuccess;
  }
  fmt::print("{}\n", graph->name);
  print_borders(*graph, "input", graph->inputs);
  print_borders(*graph, "output", graph->outputs);
  print_operators(*graph);
  for (const DevicePlan& plan : *plans) print_plan(*graph, plan);
  return kSuccess;
}

}  // namespace

void add_inspect_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App& command = *app.add_subcommand(
      "inspect",
      "Show operators, shapes and quantization, and for each device what it would take, with "
      "which kernels, and the memory plan");
  command.add_option("MODEL", options->model, ".tflite file")->required()->check(CLI::ExistingFile);
  options->device.add_options(command, "every device of this machine");
  command.add_flag("--json", options->json, "Print JSON");
  command.callback([options, &exit_code] { exit_code = finish("inspect", run_inspect(*options)); });
}

}  // namespace lockstep::tools
