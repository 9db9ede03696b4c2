#include "bench/profile/network_profile.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <span>

#include "backend/registry.h"
#include "bench/models/contender.h"

namespace lockstep::bench {
namespace {

using Clock = std::chrono::steady_clock;

std::string operator_title(const graph::Graph& graph, const graph::Operator& op) {
  if (op.outputs.empty() || op.outputs[0] == graph::kAbsentTensor) return op.name;
  return fmt::format("{} '{}'", op.name,
                     graph::printable(graph.tensors[static_cast<size_t>(op.outputs[0])].name));
}

// An engine with its inputs set, after one run.
Result<std::unique_ptr<delegate::Engine>> run_engine(
    const graph::Graph& graph, std::shared_ptr<backend::Device> device,
    const delegate::EngineOptions& options, const std::vector<std::vector<std::byte>>& inputs) {
  auto engine = delegate::Engine::create(graph, std::move(device), options);
  if (!engine) return engine;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (Status status = (*engine)->set_input(i, inputs[i]); !status) {
      return tl::unexpected(status.error());
    }
  }
  if (Status status = (*engine)->run(); !status) return tl::unexpected(status.error());
  return engine;
}

// A partition that was compiled to be profiled, with what it reads and writes.
struct ProfiledPartition {
  std::unique_ptr<backend::Program> program;
  std::vector<int32_t> source_operators;  // of the lowered operators
  std::vector<backend::OperatorPlacement> placements;
  std::vector<std::vector<std::byte>> inputs;
  std::vector<std::vector<std::byte>> outputs;
  std::vector<std::span<const std::byte>> input_spans;
  std::vector<std::span<std::byte>> output_spans;
  size_t trace_program = 0;
};

Result<ProfiledPartition> prepare(const graph::Graph& graph, backend::Device& device,
                                  const delegate::Partition& partition,
                                  const delegate::Engine& reference,
                                  const ProfileOptions& options) {
  const auto lowered = delegate::lower_partition(graph, partition, options.partition.contract);
  if (!lowered) return tl::unexpected(lowered.error());
  ProfiledPartition profiled;
  backend::CompileOptions compile = options.compile;
  compile.profile = true;
  auto program = device.compile(*lowered, compile);
  if (!program) return tl::unexpected(program.error());
  profiled.program = std::move(*program);
  profiled.placements = profiled.program->placements();
  for (const graph::LoweredOperator& op : lowered->operators) {
    profiled.source_operators.push_back(op.source_operator);
  }
  for (const int32_t input : lowered->inputs) {
    const auto contents = reference.tensor(input);
    if (!contents) return tl::unexpected(contents.error());
    profiled.inputs.emplace_back(contents->begin(), contents->end());
  }
  for (const int32_t output : lowered->outputs) {
    const graph::LoweredTensor& tensor = lowered->tensors[static_cast<size_t>(output)];
    profiled.outputs.emplace_back(static_cast<size_t>(*graph::element_count(tensor.shape)) *
                                  graph::data_type_size(tensor.type));
  }
  for (const auto& each : profiled.inputs) profiled.input_spans.emplace_back(each);
  for (auto& each : profiled.outputs) profiled.output_spans.emplace_back(each);
  return profiled;
}

// What a run adds up to for each operator.
struct OperatorSum {
  double seconds = 0;
  int64_t bytes = 0;
  int64_t dispatches = 0;
  std::string kernel;
};

// Seconds of each run, by what they were spent on.
struct Series {
  std::map<int32_t, std::vector<double>> operators;  // by Graph::operators
  std::vector<double> copies;
  std::vector<double> device;
  std::vector<double> host;
};

void add_run(const ProfiledPartition& partition, const backend::RunProfile& run, Series& series,
             std::map<int32_t, OperatorSum>& sums) {
  std::map<int32_t, OperatorSum> operators;
  double copies = 0;
  double device = 0;
  for (const backend::DispatchTime& dispatch : run.dispatches) {
    const double seconds = (dispatch.end_us - dispatch.begin_us) * 1e-6;
    device += seconds;
    if (dispatch.operator_index < 0) {
      copies += seconds;
      continue;
    }
    OperatorSum& sum = operators[dispatch.source_operator];
    sum.seconds += seconds;
    sum.bytes += dispatch.bytes_read + dispatch.bytes_written;
    ++sum.dispatches;
    sum.kernel = dispatch.kernel;
  }
  for (size_t i = 0; i < partition.source_operators.size(); ++i) {
    const int32_t source = partition.source_operators[i];
    OperatorSum& sum = operators[source];
    // Without a dispatch of its own: "fused into CONV_2D #12".
    if (sum.dispatches == 0) sum.kernel = partition.placements[i].variant;
    series.operators[source].push_back(sum.seconds);
    sums[source] = sum;
  }
  series.copies.push_back(copies);
  series.device.push_back(device);
  series.host.push_back(run.host_us * 1e-6);
}

Status profile_partition(ProfiledPartition& partition, const ProfileOptions& options,
                         NetworkProfile& profile) {
  // The first run may compile, and finds caches cold.
  if (const auto warm = partition.program->profile(partition.input_spans, partition.output_spans);
      !warm) {
    return make_error(warm.error().code, "'{}': {}", profile.device.name, warm.error().message);
  }
  Series series;
  std::map<int32_t, OperatorSum> sums;
  for (int i = 0; i < options.runs; ++i) {
    const Clock::time_point began = Clock::now();
    const auto run = partition.program->profile(partition.input_spans, partition.output_spans);
    if (!run) return tl::unexpected(run.error());
    profile.clock = run->clock;
    add_run(partition, *run, series, sums);
    if (options.trace != nullptr) options.trace->add_run(partition.trace_program, began, *run);
  }
  for (const auto& [source, seconds] : series.operators) {
    OperatorProfile& op = profile.operators[static_cast<size_t>(source)];
    const OperatorSum& sum = sums[source];
    op.median_seconds = median(seconds);
    op.p95_seconds = quantile(seconds, 0.95);
    op.dispatches = sum.dispatches;
    op.kernel = sum.kernel;
    op.work.bytes = sum.bytes;
  }
  profile.copies_seconds += median(series.copies);
  profile.device_seconds += median(series.device);
  profile.host_seconds += median(series.host);
  return {};
}

}  // namespace

Result<NetworkProfile> profile_network(const graph::Graph& graph,
                                       const std::shared_ptr<backend::Device>& device,
                                       const ProfileOptions& options) {
  const auto inputs = random_inputs(graph);
  if (!inputs) return tl::unexpected(inputs.error());
  delegate::EngineOptions engine_options;
  engine_options.partition = options.partition;
  engine_options.compile = options.compile;
  const auto engine = run_engine(graph, device, engine_options, *inputs);
  if (!engine) return tl::unexpected(engine.error());
  const auto host = backend::open_device("ref", {});
  if (!host) return tl::unexpected(host.error());
  delegate::EngineOptions reference_options;
  reference_options.partition.contract = options.partition.contract;
  reference_options.keep_all_tensors = true;
  const auto reference = run_engine(graph, *host, reference_options, *inputs);
  if (!reference) return tl::unexpected(reference.error());

  NetworkProfile profile;
  profile.device = device->description();
  profile.roofline = options.roofline;
  profile.runs = static_cast<size_t>(options.runs);
  const delegate::Partitioning partitioning =
      delegate::partition_graph(graph, *device, options.partition);
  profile.partitions = partitioning.partitions.size();
  if (partitioning.partitions.empty()) {
    return make_error(ErrorCode::kUnsupported, "'{}' takes no operator of '{}'",
                      profile.device.name, graph.name);
  }
  std::vector<std::string> titles;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const graph::Operator& op = graph.operators[i];
    OperatorProfile entry;
    entry.index = i;
    entry.name = op.name;
    if (!op.outputs.empty() && op.outputs[0] != graph::kAbsentTensor) {
      entry.output_name = graph.tensors[static_cast<size_t>(op.outputs[0])].name;
    }
    entry.partition = partitioning.decisions[i].partition;
    entry.reason = partitioning.decisions[i].reason;
    entry.work.multiply_accumulates = graph::multiply_accumulates(graph, op);
    profile.operators.push_back(std::move(entry));
    titles.push_back(operator_title(graph, op));
  }

  for (size_t i = 0; i < partitioning.partitions.size(); ++i) {
    auto partition = prepare(graph, *device, partitioning.partitions[i], **reference, options);
    if (!partition) return tl::unexpected(partition.error());
    if (options.trace != nullptr) {
      partition->trace_program = options.trace->add_program(
          fmt::format("{}, partition {} of {}", graph.name, i + 1, profile.partitions), titles);
    }
    if (Status status = profile_partition(*partition, options, profile); !status) {
      return tl::unexpected(status.error());
    }
  }
  std::vector<double> run_seconds;
  for (int i = 0; i < options.runs; ++i) {
    const Clock::time_point began = Clock::now();
    if (Status status = (*engine)->run(); !status) return tl::unexpected(status.error());
    run_seconds.push_back(std::chrono::duration<double>(Clock::now() - began).count());
  }
  profile.run_seconds = median(run_seconds);

  double all = profile.copies_seconds;
  for (const OperatorProfile& op : profile.operators) all += op.median_seconds;
  for (OperatorProfile& op : profile.operators) {
    op.share = all > 0 ? op.median_seconds / all : 0;
    op.gops = op.work.gops(op.median_seconds);
    op.percent_of_roofline = op.work.percent_of(options.roofline, op.median_seconds);
  }
  return profile;
}

}  // namespace lockstep::bench
