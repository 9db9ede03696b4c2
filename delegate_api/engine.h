// Runs a whole network: the partitions a device takes as its programs, the rest on the host: this
// processor's device, backend::open_host_device().
//
// An operator that neither can compute (a custom operator, float arithmetic) makes everything after
// it unavailable, with the reason; whatever does not depend on it still runs.
//
// Threading: an Engine is used by one thread at a time, but for submit(), which several threads may
// call at once, also while another one uses the engine otherwise. Several engines may share a
// device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "delegate_api/partitioner.h"
#include "graph/graph.h"
#include "graph/status.h"

namespace lockstep::delegate {

struct EngineOptions {
  // The numerics contract is partition.contract.
  PartitionOptions partition;
  // How the device compiles its partitions; compile.runs_in_flight: how many submitted runs it may
  // work on at once.
  backend::CompileOptions compile{};
  // Makes tensor() work for every computed tensor; costs memory and transfers.
  bool keep_all_tensors = false;
  // Threads that compute what the device does not take; 0: one for each physical core.
  int32_t host_threads = 0;
  // File for a trace of where the time of run() goes on devices (profile_trace.h); empty: none.
  // Profiled runs are slower: nothing overlaps. create() fails when it cannot be written.
  std::string profile{};
};

enum class Executor : uint8_t {
  kDevice,
  kHost,    // backend::open_host_device()
  kNobody,  // its outputs are unavailable
};
std::string_view executor_name(Executor executor);  // "device", "host", "nobody"

// What became of one operator.
struct OperatorReport {
  std::string name;         // "CONV_2D"
  std::string output_name;  // of its first output tensor; empty where it has none
  Executor executor = Executor::kNobody;
  int32_t step = -1;    // index into Engine::steps(); -1: nobody runs it
  std::string variant;  // which kernel: "convolution 1x1 int-dot"; empty where nobody runs it
  std::string reason;   // why it is not on the device; empty when it is
};

// One program of the run, in execution order.
struct StepReport {
  Executor executor = Executor::kHost;
  std::vector<size_t> operators;  // indices into Graph::operators
  backend::ProgramStatistics statistics;
  int64_t last_run_nanoseconds = 0;  // wall time of the step in the last run()
};

struct EngineStatistics {
  int64_t device_operators = 0;
  int64_t host_operators = 0;
  int64_t unavailable_operators = 0;
  int64_t partitions = 0;             // device programs
  backend::ProgramStatistics device;  // summed over them
};

// A run that was started by Engine::submit(). May outlive its engine. Any thread may poll or wait,
// several at once too.
class EngineRun {
 public:
  // Waits, so that the memory of the outputs may go afterwards.
  virtual ~EngineRun() = default;

  // Takes the run as far as it goes without waiting for a device; true when it is over, its outputs
  // are written and wait() returns at once. What the host computes between two programs of the
  // device is computed in here, or in wait().
  virtual bool poll() = 0;

  // The end of the run and what became of it. Every further call says the same.
  virtual Status wait() = 0;
};

class Engine {
 public:
  // `graph` passed validate(); give it its final shapes first (graph::resize_input). Keeps what it
  // needs of it, constants by Graph::storage. `device` may be null: everything runs on the host.
  // A device that fails to compile a partition leaves it to the host, and the reports say why.
  // Fails on unusable options (a list that names no operator) and when the host cannot compile.
  static Result<std::unique_ptr<Engine>> create(const graph::Graph& graph,
                                                std::shared_ptr<backend::Device> device,
                                                const EngineOptions& options);

  virtual ~Engine() = default;

  virtual const graph::Graph& graph() const = 0;

  // Dense bytes of graph input `index` (NHWC, uint8 as uint8), copied. Inputs start as zeros and
  // keep their contents from run to run.
  virtual Status set_input(size_t index, std::span<const std::byte> bytes) = 0;

  // Where the contents of graph input `index` lie: writing there saves set_input() its copy. The
  // same memory for the life of the engine.
  virtual Result<std::span<std::byte>> input_memory(size_t index) = 0;

  // Starts an inference on inputs and memory of its own, without the engine's: dense bytes of every
  // graph input, read before return, and room for every graph output, which must stay until the run
  // is over and is written at any time until then. An empty span stands for an output that is not
  // wanted. Sizes must match exactly. Up to compile.runs_in_flight runs proceed at once on a
  // device; submitting more waits for the oldest, whose results are then there. Runs do not depend
  // on another and give the bits that run() gives, also when a device fails on the way.
  virtual Result<std::unique_ptr<EngineRun>> submit(
      std::span<const std::span<const std::byte>> inputs,
      std::span<const std::span<std::byte>> outputs) = 0;

  // One inference. A device that fails is given up for the partition at hand, which moves to
  // the host for good: the results stay the same bits, problems() tells.
  virtual Status run() = 0;

  // Graph output `index` of the last run; valid until the next run(). kUnsupported with the reason
  // where nobody computes it.
  virtual Result<std::span<const std::byte>> output(size_t index) const = 0;

  // Any tensor of the graph by its index, constants included. Without keep_all_tensors only
  // constants and what crosses a step's border are there; the others are kInvalidArgument.
  virtual Result<std::span<const std::byte>> tensor(int32_t tensor) const = 0;

  // Reports show what was decided so far; submitted runs that a device fails can change it.
  virtual std::vector<OperatorReport> operators() const = 0;  // one for each operator of the graph
  virtual std::vector<StepReport> steps() const = 0;
  virtual EngineStatistics statistics() const = 0;
  // What went wrong and was survived (a device lost, a partition that did not compile).
  virtual std::vector<std::string> problems() const = 0;
};

}  // namespace lockstep::delegate
