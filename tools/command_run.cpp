// lockstep run MODEL: one network in our own engine.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "delegate_api/engine.h"
#include "graph/tflite_reader.h"
#include "tools/command.h"
#include "tools/engine_options.h"
#include "tools/json_output.h"
#include "tools/network_inputs.h"
#include "tools/predictions.h"
#include "tools/table.h"
#include "tools/timing.h"

namespace lockstep::tools {
namespace {

struct RunOptions {
  std::filesystem::path model;
  DeviceSelection device;
  InputSource inputs;
  std::filesystem::path labels;
  std::filesystem::path output;
  uint32_t runs = 1;
  int32_t batch = 0;
  bool all_tensors = false;
  bool json = false;
};

struct TensorDump {
  int32_t index = 0;
  std::string status;  // "ok", or why the tensor is not there
  std::string file;    // name in the output folder; empty when nothing was written
  uint64_t digest = 0;
};

// FNV-1a, 64 bit: lets two machines compare tensors by one number.
uint64_t digest_of(std::span<const std::byte> bytes) {
  uint64_t digest = 0xcbf29ce484222325ULL;
  for (const std::byte byte : bytes) {
    digest ^= static_cast<uint64_t>(byte);
    digest *= 0x100000001b3ULL;
  }
  return digest;
}

Status write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return make_error(ErrorCode::kInvalidArgument, "cannot write '{}'", path.string());
  return {};
}

// "0012_MobilenetV2_Conv.bin": names of tensors hold characters that names of files must not.
std::string file_name_of(int32_t tensor, const std::string& name) {
  constexpr size_t kLongestName = 100;
  std::string safe = name.substr(0, kLongestName);
  std::replace_if(
      safe.begin(), safe.end(),
      [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-'; }, '_');
  return fmt::format("{:04}_{}.bin", tensor, safe);
}

Result<std::vector<TensorDump>> dump_tensors(const delegate::Engine& engine,
                                             std::span<const int32_t> tensors,
                                             const std::filesystem::path& folder) {
  if (!folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      return make_error(ErrorCode::kInvalidArgument, "cannot make the folder '{}': {}",
                        folder.string(), error.message());
    }
  }
  std::vector<TensorDump> dumps;
  for (const int32_t index : tensors) {
    const std::string& name = engine.graph().tensors[static_cast<size_t>(index)].name;
    TensorDump dump{.index = index, .status = "ok", .file = {}, .digest = 0};
    const auto bytes = engine.tensor(index);
    if (!bytes) {
      dump.status = bytes.error().message;
    } else {
      dump.digest = digest_of(*bytes);
      if (!folder.empty()) {
        dump.file = file_name_of(index, name);
        if (Status status = write_file(folder / dump.file, *bytes); !status) {
          return tl::unexpected(status.error());
        }
      }
    }
    dumps.push_back(std::move(dump));
  }
  return dumps;
}

std::vector<int32_t> tensors_to_report(const graph::Graph& graph, bool all) {
  if (!all) return graph.outputs;
  std::vector<int32_t> tensors;
  for (const graph::Operator& op : graph.operators) {
    std::copy_if(op.outputs.begin(), op.outputs.end(), std::back_inserter(tensors),
                 [](int32_t output) { return output != graph::kAbsentTensor; });
  }
  return tensors;
}

// A class that a classifier thinks likely.
struct Prediction {
  std::string label;
  float score = 0;
};

// The likeliest classes, best first; none where the network is no classifier.
Result<std::vector<Prediction>> predictions_of(const delegate::Engine& engine,
                                               const std::filesystem::path& labels_path) {
  const auto labels = Labels::read(labels_path);
  if (!labels) return tl::unexpected(labels.error());
  std::vector<OutputValues> outputs;
  for (size_t i = 0; i < engine.graph().outputs.size(); ++i) {
    const auto bytes = engine.output(i);
    if (!bytes) return tl::unexpected(bytes.error());
    const auto tensor = static_cast<size_t>(engine.graph().outputs[i]);
    auto values = output_values(engine.graph().tensors[tensor], *bytes);
    if (!values) return tl::unexpected(values.error());
    outputs.push_back(std::move(*values));
  }
  constexpr size_t kShown = 5;
  std::vector<Prediction> predictions;
  if (const auto classes = classifications_of(outputs, kShown)) {
    for (const Classification& classification : *classes) {
      predictions.push_back({labels->name(classification.class_id), classification.score});
    }
  }
  return predictions;
}

nlohmann::json to_json(const RunOptions& options, const delegate::Engine& engine,
                       const std::string& device, const std::vector<double>& milliseconds,
                       const std::vector<TensorDump>& dumps,
                       const std::vector<Prediction>& predictions) {
  nlohmann::json operators = nlohmann::json::array();
  for (const delegate::OperatorReport& op : engine.operators()) {
    operators.push_back({{"name", op.name},
                         {"output", op.output_name},
                         {"executor", delegate::executor_name(op.executor)},
                         {"step", op.step},
                         {"variant", op.variant},
                         {"reason", op.reason}});
  }
  nlohmann::json tensors = nlohmann::json::array();
  for (const TensorDump& dump : dumps) {
    const graph::Tensor& tensor = engine.graph().tensors[static_cast<size_t>(dump.index)];
    tensors.push_back({{"tensor", dump.index},
                       {"name", tensor.name},
                       {"type", graph::data_type_name(tensor.type)},
                       {"shape", tensor.shape},
                       {"status", dump.status},
                       {"digest", fmt::format("{:016x}", dump.digest)},
                       {"file", dump.file}});
  }
  nlohmann::json classes = nlohmann::json::array();
  for (const Prediction& prediction : predictions) {
    classes.push_back({{"label", prediction.label}, {"score", prediction.score}});
  }
  const delegate::EngineStatistics statistics = engine.statistics();
  return {{"model", options.model.string()},
          {"device", device},
          {"numerics", options.device.numerics},
          {"runs", options.runs},
          {"median_milliseconds", median(milliseconds)},
          {"partitions", statistics.partitions},
          {"device_operators", statistics.device_operators},
          {"host_operators", statistics.host_operators},
          {"unavailable_operators", statistics.unavailable_operators},
          {"arena_bytes", statistics.device.arena_bytes},
          {"arena_lower_bound", statistics.device.arena_lower_bound},
          {"constant_bytes", statistics.device.constant_bytes},
          {"problems", engine.problems()},
          {"operators", std::move(operators)},
          {"tensors", std::move(tensors)},
          {"predictions", std::move(classes)}};
}

void print_report(const delegate::Engine& engine, const std::string& device,
                  const std::vector<double>& milliseconds, const std::vector<TensorDump>& dumps,
                  const std::vector<Prediction>& predictions) {
  const delegate::EngineStatistics statistics = engine.statistics();
  fmt::print("device      {}\n", device);
  fmt::print("operators   {} on the device in {} {}, {} on the host, {} not computed\n",
             statistics.device_operators, statistics.partitions,
             statistics.partitions == 1 ? "partition" : "partitions", statistics.host_operators,
             statistics.unavailable_operators);
  fmt::print("latency     {:.3f} ms (median of {})\n", median(milliseconds), milliseconds.size());
  for (const std::string& problem : engine.problems()) fmt::print("problem     {}\n", problem);

  Table table({{.title = "tensor", .align = Align::kRight},
               {.title = "name"},
               {.title = "type"},
               {.title = "shape"},
               {.title = "digest"}});
  for (const TensorDump& dump : dumps) {
    const graph::Tensor& tensor = engine.graph().tensors[static_cast<size_t>(dump.index)];
    table.add_row({fmt::format("{}", dump.index), tensor.name,
                   std::string(graph::data_type_name(tensor.type)),
                   graph::shape_to_string(tensor.shape),
                   dump.status == "ok" ? fmt::format("{:016x}", dump.digest) : dump.status});
  }
  fmt::print("\n{}{}", table.to_string(), predictions.empty() ? "" : "\n");
  for (const Prediction& prediction : predictions) {
    fmt::print("{:8.4f}  {}\n", prediction.score, prediction.label);
  }
}

Result<int> run_network(const RunOptions& options) {
  const auto contract = options.device.contract();
  if (!contract) return tl::unexpected(contract.error());
  auto graph = graph::read_tflite_file(options.model);
  if (!graph) return tl::unexpected(graph.error());
  if (options.batch > 0) {
    std::vector<graph::ResizedInput> resized;
    for (const int32_t input : graph->inputs) {
      graph::Shape shape = graph->tensors[static_cast<size_t>(input)].shape;
      if (shape.empty()) continue;
      shape[0] = options.batch;
      resized.push_back({input, std::move(shape)});
    }
    if (Status status = graph::resize_inputs(*graph, resized); !status) {
      return tl::unexpected(status.error());
    }
  }
  const auto device = options.device.open();
  if (!device) return tl::unexpected(device.error());
  delegate::EngineOptions engine_options;
  engine_options.partition.contract = *contract;
  engine_options.keep_all_tensors = options.all_tensors;
  engine_options.compile = options.device.compile_options();
  const auto engine = delegate::Engine::create(*graph, *device, engine_options);
  if (!engine) return tl::unexpected(engine.error());
  const auto inputs = make_inputs(*graph, options.inputs);
  if (!inputs) return tl::unexpected(inputs.error());
  for (size_t i = 0; i < inputs->size(); ++i) {
    if (Status status = (*engine)->set_input(i, (*inputs)[i]); !status) {
      return tl::unexpected(status.error());
    }
  }
  std::vector<double> milliseconds;
  for (uint32_t i = 0; i < options.runs; ++i) {
    Status status;
    milliseconds.push_back(milliseconds_of([&] { status = (*engine)->run(); }));
    if (!status) return tl::unexpected(status.error());
  }
  const auto dumps =
      dump_tensors(**engine, tensors_to_report(*graph, options.all_tensors), options.output);
  if (!dumps) return tl::unexpected(dumps.error());
  auto predictions = options.labels.empty() ? Result<std::vector<Prediction>>()
                                            : predictions_of(**engine, options.labels);
  if (!predictions) return tl::unexpected(predictions.error());
  const std::string device_name = (*device)->description().name;
  if (options.json) {
    print_json(to_json(options, **engine, device_name, milliseconds, *dumps, *predictions));
  } else {
    print_report(**engine, device_name, milliseconds, *dumps, *predictions);
  }
  return kSuccess;
}

}  // namespace

void add_run_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  CLI::App& command = *app.add_subcommand("run", "Run a network in Lockstep's own engine");
  command.add_option("MODEL", options->model, ".tflite file")->required()->check(CLI::ExistingFile);
  options->device.add_options(command, "LOCKSTEP_DEVICE, else the best");
  options->device.add_compile_options(command);
  options->inputs.add_options(command);
  command.add_option("--labels", options->labels, "Names of a classifier's classes, one a line")
      ->check(CLI::ExistingFile);
  command.add_option("--output", options->output, "Folder for the tensors' bytes");
  command.add_option("--runs", options->runs, "How often to run (the median latency is shown)")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command.add_option("--batch", options->batch, "Resize the inputs to this batch")
      ->check(CLI::Range(1, 65536));
  command.add_flag("--all-tensors", options->all_tensors,
                   "Report every tensor, not only the outputs");
  command.add_flag("--json", options->json, "Print JSON");
  command.callback([options, &exit_code] { exit_code = finish("run", run_network(*options)); });
}

}  // namespace lockstep::tools
