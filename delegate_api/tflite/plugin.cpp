// liblockstep_tflite.so: what a TFLite host loads as an external delegate. This file is the border:
// nothing behind it knows the host's calling conventions, and no exception passes it.
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backend/registry.h"
#include "delegate_api/partitioner.h"
#include "delegate_api/profile_trace.h"
#include "delegate_api/tflite/host_graph.h"
#include "delegate_api/tflite/partition_kernel.h"
#include "delegate_api/tflite/placement_report.h"
#include "delegate_api/tflite/plugin_options.h"
#include "delegate_api/tflite/tflite_abi.h"
#include "numerics/contract.h"

namespace lockstep::delegate {
namespace {

using ErrorCallback = void (*)(const char* message);

// What init() of the kernels needs while Prepare() hands partitions over to the host.
struct Handover {
  HostGraph host;
  std::map<int32_t, size_t> operator_of_node;
  int32_t kernels = 0;  // made so far; the host decides how many it takes
};

// Shared by the delegate and its kernels, which may outlive it and run on other threads.
struct PluginState {
  PluginOptions options;
  std::shared_ptr<spdlog::logger> log;
  std::shared_ptr<backend::Device> device;  // null: every node stays with the host
  std::shared_ptr<ProfileFile> profile;     // null unless asked for; the last user writes the file

  std::mutex mutex;  // guards what follows
  PlacementReport report;
  std::map<const abi::Context*, std::shared_ptr<Handover>> handovers;
};

struct PluginDelegate {
  abi::Delegate interface {};  // what the host sees; its `data` points to this struct
  std::shared_ptr<PluginState> state;
  std::string option_error;  // empty: the options are good
};

// A partition as the host holds it (Node::user_data).
struct HostKernel {
  std::shared_ptr<PluginState> state;
  PartitionKernel kernel;
  const abi::Context* context;
  std::vector<int32_t> nodes;  // the host's number of each operator
  // Of the run at hand; kept so that runs need not allocate.
  struct Memory {
    std::vector<std::span<const std::byte>> inputs;
    std::vector<std::span<std::byte>> outputs;
  };
  Memory memory{};
};

std::shared_ptr<spdlog::logger> make_logger(LogLevel level) {
  auto logger = std::make_shared<spdlog::logger>("lockstep",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  switch (level) {
    case LogLevel::kOff:
      logger->set_level(spdlog::level::off);
      break;
    case LogLevel::kError:
      logger->set_level(spdlog::level::err);
      break;
    case LogLevel::kWarn:
      logger->set_level(spdlog::level::warn);
      break;
    case LogLevel::kInfo:
      logger->set_level(spdlog::level::info);
      break;
    case LogLevel::kDebug:
      logger->set_level(spdlog::level::debug);
      break;
  }
  logger->set_pattern("%n %l: %v");
  return logger;
}

void tell_host(abi::Context* context, const char* message) {
  if (context != nullptr && context->report_error != nullptr) {
    context->report_error(context, "lockstep: %s", message);
  }
}

abi::Status fail(abi::Context* context, const std::string& message) {
  tell_host(context, message.c_str());
  return abi::Status::kError;
}

// Runs `body`; an exception, such as memory running out, becomes `on_exception`.
template <typename Value, typename Body>
Value guarded(abi::Context* context, Value on_exception, Body body) noexcept {
  try {
    return body();
  } catch (const std::exception& exception) {
    tell_host(context, exception.what());
  } catch (...) {
    tell_host(context, "unknown exception");
  }
  return on_exception;
}

// `state.mutex` is held.
void publish_report(PluginState& state) {
  if (state.options.report.empty()) {
    return;
  }
  if (const Status written = write_report(state.report, state.options.report); !written) {
    state.log->warn("{}", written.error().message);
  }
}

backend::CompileOptions compile_options(const PluginOptions& options) {
  backend::CompileOptions compile;
  compile.tune = options.tune;
  return compile;
}

// ---- Kernels ------------------------------------------------------------------------------------

void* initialise_kernel(abi::Context* context, const char* buffer, size_t /*length*/) noexcept {
  return guarded(context, static_cast<void*>(nullptr), [&]() -> void* {
    const auto& params = *reinterpret_cast<const abi::DelegateParams*>(buffer);
    const auto& plugin = *static_cast<const PluginDelegate*>(params.delegate->data);
    std::shared_ptr<Handover> handover;
    {
      const std::lock_guard lock(plugin.state->mutex);
      const auto found = plugin.state->handovers.find(context);
      handover = found != plugin.state->handovers.end() ? found->second : nullptr;
    }
    if (handover == nullptr) {
      tell_host(context, "the host initialises a kernel outside of Prepare");
      return nullptr;
    }
    const graph::Graph& graph = handover->host.graph;
    std::vector<size_t> operators;
    for (int32_t position = 0; position < params.nodes_to_replace->size; ++position) {
      operators.push_back(handover->operator_of_node.at(params.nodes_to_replace->data()[position]));
    }
    std::sort(operators.begin(), operators.end());
    std::vector<int32_t> nodes;
    for (const size_t index : operators) {
      nodes.push_back(handover->host.nodes[index]);
    }
    const abi::IntArray& outputs = *params.output_tensors;
    graph::Graph part = extract_subgraph(graph, operators, make_partition(graph, operators).inputs,
                                         {outputs.data(), outputs.data() + outputs.size});
    ++handover->kernels;
    return new HostKernel{
        plugin.state,
        PartitionKernel(std::move(part), plugin.state->device,
                        plugin.state->options.partition.contract,
                        compile_options(plugin.state->options), plugin.state->profile),
        context, std::move(nodes)};
  });
}

void free_kernel(abi::Context* /*context*/, void* kernel) noexcept {
  delete static_cast<HostKernel*>(kernel);
}

// Enters which kernel computes each node, and a device that gave up, into the report.
void report_kernel(const HostKernel& host) {
  PluginState& state = *host.state;
  const std::lock_guard lock(state.mutex);
  SubgraphPlacement& subgraph = state.report.subgraph(host.context);
  const auto placement_of = [&](int32_t node) -> NodePlacement* {
    const auto found =
        std::find_if(subgraph.nodes.begin(), subgraph.nodes.end(),
                     [&](const NodePlacement& placement) { return placement.node == node; });
    return found != subgraph.nodes.end() ? &*found : nullptr;
  };
  for (const backend::OperatorPlacement& placed : host.kernel.placements()) {
    NodePlacement* placement =
        placement_of(host.nodes[static_cast<size_t>(placed.source_operator)]);
    if (placement != nullptr) {
      placement->variant = placed.variant;
      placement->reason = host.kernel.device_failure();
    }
  }
  publish_report(state);
}

// Runs `step` of a kernel; when the device gives up in it, says so once.
template <typename Step>
Status watch_device(const HostKernel& host, Step step) {
  const bool had_device = host.kernel.device_failure().empty();
  const Status done = step();
  if (had_device && !host.kernel.device_failure().empty()) {
    host.state->log->warn(
        "{}; its partition runs on the host's CPU from now on, with the same results",
        host.kernel.device_failure());
    report_kernel(host);
  }
  return done;
}

abi::IntArray* make_int_array(std::span<const int32_t> numbers) {
  auto* array = static_cast<abi::IntArray*>(
      std::malloc(sizeof(abi::IntArray) + numbers.size() * sizeof(int32_t)));
  if (array == nullptr) {
    throw std::bad_alloc();
  }
  array->size = static_cast<int32_t>(numbers.size());
  std::copy(numbers.begin(), numbers.end(), array->data());
  return array;
}

abi::Status prepare_kernel(abi::Context* context, abi::Node* node) noexcept {
  return guarded(context, abi::Status::kError, [&] {
    if (node->user_data == nullptr) {
      return fail(context, "a partition could not be initialised");
    }
    auto& host = *static_cast<HostKernel*>(node->user_data);
    const graph::Graph& graph = host.kernel.graph();
    std::vector<graph::Shape> shapes;
    for (const int32_t input : graph.inputs) {
      auto shape = host_shape(context->tensors[input]);
      if (!shape) {
        return fail(context, fmt::format("'{}' has no shape yet",
                                         graph.tensors[static_cast<size_t>(input)].name));
      }
      shapes.push_back(*std::move(shape));
    }
    const Status prepared = watch_device(host, [&] { return host.kernel.prepare(shapes); });
    if (!prepared) {
      return fail(context, prepared.error().message);
    }
    for (const int32_t output : graph.outputs) {
      const graph::Shape& shape = graph.tensors[static_cast<size_t>(output)].shape;
      if (host_shape(context->tensors[output]) == shape) {
        continue;
      }
      const abi::Status resized =
          context->resize_tensor(context, &context->tensors[output], make_int_array(shape));
      if (resized != abi::Status::kOk) {
        return resized;
      }
    }
    report_kernel(host);
    return abi::Status::kOk;
  });
}

// The tensor's memory, or an empty span when it is not what the kernel was prepared for.
std::span<std::byte> tensor_memory(const abi::Context& context, const graph::Graph& graph,
                                   int32_t index) {
  const abi::Tensor& tensor = context.tensors[index];
  const graph::Tensor& expected = graph.tensors[static_cast<size_t>(index)];
  const auto count = graph::element_count(expected.shape);
  if (tensor.data == nullptr || !count ||
      tensor.bytes != static_cast<size_t>(*count) * graph::data_type_size(expected.type)) {
    return {};
  }
  return {static_cast<std::byte*>(tensor.data), tensor.bytes};
}

abi::Status invoke_kernel(abi::Context* context, abi::Node* node) noexcept {
  return guarded(context, abi::Status::kError, [&] {
    if (node->user_data == nullptr) {
      return fail(context, "a partition could not be initialised");
    }
    auto& host = *static_cast<HostKernel*>(node->user_data);
    const graph::Graph& graph = host.kernel.graph();
    auto& [inputs, outputs] = host.memory;
    inputs.clear();
    outputs.clear();
    for (const int32_t input : graph.inputs) {
      inputs.push_back(tensor_memory(*context, graph, input));
    }
    for (const int32_t output : graph.outputs) {
      outputs.push_back(tensor_memory(*context, graph, output));
    }
    const auto is_missing = [](const auto& memory) { return memory.empty(); };
    if (std::any_of(inputs.begin(), inputs.end(), is_missing) ||
        std::any_of(outputs.begin(), outputs.end(), is_missing)) {
      return fail(context,
                  "the host gives no memory, or of another size, for a tensor at the "
                  "border of a partition");
    }
    const Status done = watch_device(host, [&] { return host.kernel.run(inputs, outputs); });
    return done ? abi::Status::kOk : fail(context, done.error().message);
  });
}

abi::Registration kernel_registration() {
  abi::Registration registration{};
  registration.init = initialise_kernel;
  registration.free = free_kernel;
  registration.prepare = prepare_kernel;
  registration.invoke = invoke_kernel;
  registration.builtin_code = abi::kBuiltinDelegate;
  registration.custom_name = "lockstep";
  registration.version = 1;
  return registration;
}

// ---- The delegate -------------------------------------------------------------------------------

// Enters what will run where into the report and the log.
void report_partitioning(PluginState& state, const abi::Context* context, const HostGraph& host,
                         const Partitioning& partitioning) {
  const std::lock_guard lock(state.mutex);
  SubgraphPlacement& subgraph = state.report.subgraph(context);
  subgraph.partitions = static_cast<int32_t>(partitioning.partitions.size());
  subgraph.nodes.clear();
  size_t taken = 0;
  for (size_t index = 0; index < host.graph.operators.size(); ++index) {
    const graph::Operator& op = host.graph.operators[index];
    const OperatorDecision& decision = partitioning.decisions[index];
    taken += decision.partition >= 0 ? 1 : 0;
    NodePlacement node{.node = host.nodes[index],
                       .name = op.name,
                       .output = {},
                       .partition = decision.partition,
                       .variant = {},
                       .reason = decision.reason};
    if (!op.outputs.empty() && op.outputs.front() != graph::kAbsentTensor) {
      node.output = host.graph.tensors[static_cast<size_t>(op.outputs.front())].name;
    }
    state.log->info("node {} {} '{}': {}", node.node, node.name, node.output,
                    decision.partition >= 0 ? fmt::format("partition {}", decision.partition)
                                            : "host, " + decision.reason);
    subgraph.nodes.push_back(std::move(node));
  }
  state.log->info("{} of {} nodes go to '{}' in {} partitions, numerics {}", taken,
                  host.graph.operators.size(), state.report.device.name,
                  partitioning.partitions.size(), state.report.numerics);
  publish_report(state);
}

// Every node stays with the host.
Partitioning leave_everything(const HostGraph& host, const std::string& reason) {
  Partitioning partitioning;
  partitioning.decisions.assign(host.graph.operators.size(), {-1, reason});
  return partitioning;
}

abi::Status hand_over(abi::Context* context, abi::Delegate* delegate, PluginState& state,
                      HostGraph host, const Partitioning& partitioning) {
  auto handover = std::make_shared<Handover>();
  for (size_t index = 0; index < host.nodes.size(); ++index) {
    handover->operator_of_node[host.nodes[index]] = index;
  }
  handover->host = std::move(host);
  // All in one call, of which the host makes the partitions again: TFLite 2.2 writes outside its
  // memory when it is called a second time.
  std::vector<int32_t> nodes;
  for (const Partition& partition : partitioning.partitions) {
    for (const size_t index : partition.operators) {
      nodes.push_back(handover->host.nodes[index]);
    }
  }
  const std::unique_ptr<abi::IntArray, decltype(&std::free)> array(make_int_array(nodes),
                                                                   &std::free);
  {
    const std::lock_guard lock(state.mutex);
    state.handovers[context] = handover;
  }
  const abi::Status status = context->replace_node_subsets_with_delegate_kernels(
      context, kernel_registration(), array.get(), delegate);
  const std::lock_guard lock(state.mutex);
  state.handovers.erase(context);
  state.report.subgraph(context).partitions = handover->kernels;
  publish_report(state);
  return status;
}

abi::Status prepare_delegate(abi::Context* context, abi::Delegate* delegate) noexcept {
  return guarded(context, abi::Status::kError, [&] {
    auto& plugin = *static_cast<PluginDelegate*>(delegate->data);
    if (!plugin.option_error.empty()) {
      return fail(context, plugin.option_error);
    }
    PluginState& state = *plugin.state;
    auto host = read_host_graph(context);
    if (!host) {
      state.log->warn("every node stays with the host: {}", host.error().message);
      const std::lock_guard lock(state.mutex);
      state.report.problem = host.error().message;
      publish_report(state);
      return abi::Status::kOk;
    }
    if (state.device == nullptr) {
      report_partitioning(state, context, *host, leave_everything(*host, state.report.problem));
      return abi::Status::kOk;
    }
    if (const Status checked = check_partition_options(host->graph, state.options.partition);
        !checked) {
      return fail(context, checked.error().message);
    }
    const Partitioning partitioning =
        partition_graph(host->graph, *state.device, state.options.partition);
    report_partitioning(state, context, *host, partitioning);
    if (partitioning.partitions.empty()) {
      return abi::Status::kOk;
    }
    return hand_over(context, delegate, state, *std::move(host), partitioning);
  });
}

// Reads the options and opens the device. What is wrong with the options is in option_error.
std::unique_ptr<PluginDelegate> make_plugin_delegate(char** keys, char** values, size_t count) {
  auto plugin = std::make_unique<PluginDelegate>();
  plugin->interface.data = plugin.get();
  plugin->interface.prepare = prepare_delegate;
  plugin->interface.flags = abi::Delegate::kAllowDynamicTensors;
  plugin->state = std::make_shared<PluginState>();
  PluginState& state = *plugin->state;
  state.log = make_logger(LogLevel::kWarn);

  std::vector<std::pair<std::string_view, std::string_view>> given;
  for (size_t index = 0; index < count; ++index) {
    if (keys == nullptr || values == nullptr || keys[index] == nullptr ||
        values[index] == nullptr) {
      plugin->option_error = "an option's key or value is missing";
      return plugin;
    }
    given.emplace_back(keys[index], values[index]);
  }
  auto options = parse_plugin_options(given);
  if (!options) {
    plugin->option_error = options.error().message;
    return plugin;
  }
  state.options = *std::move(options);
  state.log = make_logger(state.options.log_level);
  state.report.numerics = numerics::contract_name(state.options.partition.contract);

  state.options.device_options.log = [log = state.log](backend::LogSeverity severity,
                                                       const std::string& message) {
    log->log(severity == backend::LogSeverity::kWarning ? spdlog::level::warn : spdlog::level::info,
             "{}", message);
  };
  if (!state.options.profile.empty()) {
    auto profile = ProfileFile::create(state.options.profile);
    if (!profile) {
      plugin->option_error = profile.error().message;
      return plugin;
    }
    state.profile = *std::move(profile);
  }
  auto device = backend::open_device(state.options.device, state.options.device_options);
  if (!device && device.error().code == ErrorCode::kInvalidArgument) {
    plugin->option_error = device.error().message;
  } else if (!device) {
    state.report.problem = device.error().message;
    state.log->warn("every node stays with the host: {}", device.error().message);
  } else {
    state.device = *std::move(device);
    state.report.device = state.device->description();
    state.log->info("device '{}' ({})", state.report.device.name, state.report.device.driver);
  }
  return plugin;
}

abi::Status prepare_without_memory(abi::Context* context, abi::Delegate* /*delegate*/) noexcept {
  return fail(context, "out of memory when the delegate was made");
}

// Stands in where not even a PluginDelegate could be made.
abi::Delegate& delegate_without_memory() {
  static abi::Delegate delegate = [] {
    abi::Delegate value{};
    value.prepare = prepare_without_memory;
    return value;
  }();
  return delegate;
}

}  // namespace
}  // namespace lockstep::delegate

using lockstep::delegate::abi::Delegate;

// A caller with an error callback gets the message there, and null. TFLite's own external delegate
// passes no callback and does not survive null: it gets a delegate that fails with the message as
// soon as it is applied.
extern "C" __attribute__((visibility("default"))) Delegate* tflite_plugin_create_delegate(
    char** keys, char** values, size_t count,
    lockstep::delegate::ErrorCallback report_error) noexcept {
  try {
    auto plugin = lockstep::delegate::make_plugin_delegate(keys, values, count);
    if (!plugin->option_error.empty()) {
      if (report_error != nullptr) {
        report_error(("lockstep: " + plugin->option_error).c_str());
        return nullptr;
      }
      plugin->state->log->error("{}", plugin->option_error);
    }
    return &plugin.release()->interface;
  } catch (const std::exception& exception) {
    if (report_error != nullptr) {
      report_error(exception.what());
      return nullptr;
    }
  } catch (...) {
    if (report_error != nullptr) {
      report_error("lockstep: unknown exception");
      return nullptr;
    }
  }
  return &lockstep::delegate::delegate_without_memory();
}

extern "C" __attribute__((visibility("default"))) void tflite_plugin_destroy_delegate(
    Delegate* delegate) noexcept {
  if (delegate != nullptr && delegate->data != nullptr) {
    delete static_cast<lockstep::delegate::PluginDelegate*>(delegate->data);
  }
}
