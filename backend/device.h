// What an accelerator is. A backend is one folder beside vulkan/ that implements Device and Program
// and registers itself in registry.h; everything above (engine, delegate, conformance) sees only
// this.
//
// Threading: a Device and a Program may be used from several threads at once. A Program has
// CompileOptions::runs_in_flight inferences under way at a time, one unless asked for more; calls
// beyond that wait inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/program_plan.h"
#include "backend/run_profile.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::backend {

enum class DeviceKind : uint8_t { kDiscreteGpu, kIntegratedGpu, kVirtualGpu, kCpu, kOther };
std::string_view device_kind_name(DeviceKind kind);

struct DeviceDescription {
  std::string backend;  // "vulkan", "cpu", "ref"
  std::string name;     // as the driver gives it
  DeviceKind kind = DeviceKind::kOther;
  std::string driver;       // driver name and version, for people
  std::string api_version;  // "1.3.230"
  uint32_t vendor_id = 0;
  uint32_t device_id = 0;
  uint32_t driver_version = 0;
  std::string device_uuid;  // hex; empty where there is none
  std::string driver_uuid;
  std::vector<std::pair<std::string, std::string>> capabilities;  // in display order
  bool operator==(const DeviceDescription&) const = default;
};

// Sizes a compiled program is made of, for reports.
struct ProgramStatistics {
  int64_t dispatches = 0;
  int64_t pipelines = 0;
  int64_t constant_bytes = 0;     // weights and parameters on the device
  int64_t arena_bytes = 0;        // activations as planned
  int64_t arena_lower_bound = 0;  // largest sum of simultaneously live tensors
};

// Which kernel computes an operator, in the order of LoweredGraph::operators.
struct OperatorPlacement {
  int32_t source_operator = 0;
  std::string variant;  // "convolution 1x1 int-dot"
};

// How a graph is compiled. The defaults are what everybody wants who does not test the device.
struct CompileOptions {
  // Computes every operator that has a kernel of this name (see Device::kernels()); the device
  // chooses for the others. Empty: it chooses for all of them.
  std::string kernel{};
  // Surrounds everything the program keeps on the device by guard bytes and checks them, and the
  // constants, after every run: run() fails with kInternal, naming tensor and byte, where a kernel
  // wrote what it must not. Devices that cannot are free to ignore it.
  bool guard_memory = false;
  // With guard_memory: what every byte holds that nothing has been written to yet. A result that
  // depends on it depends on memory left behind.
  uint8_t fill = 0;
  // Turns around the order of commands between two barriers, which says nothing to a device that
  // may overlap them. One that runs them one after another, as drivers on a processor do, so shows
  // where a barrier is missing. Devices without barriers are free to ignore it.
  bool reverse_unordered = false;
  // The program can say where the time of a run goes: Program::profile(). Costs nothing when false.
  bool profile = false;
  // Measures, before anything else, the kernels of every operator whose fastest one is not known on
  // this device yet, and keeps the answers: for the life of the device, and in DeviceOptions::
  // cache_dir where there is one. Takes seconds. Answers that are known are used without it, too.
  // Devices with one kernel an operator are free to ignore it.
  bool tune = false;
  // How many runs may be under way at once, 1 to 64: each gets activations of its own, constants
  // are shared. Devices that compute nothing in the background are free to ignore it.
  int32_t runs_in_flight = 1;
  // Hands the work of a run over in as many pieces as it can be cut into, as is otherwise done only
  // with work of which one piece might outlast a device's patience. Devices that do not cut are
  // free to ignore it.
  bool split_everywhere = false;
  // Computes several operators at once where that gives the same bits and saves time; tensors
  // between them, unless they are outputs of the graph, then exist nowhere. Devices that do not are
  // free to ignore it.
  bool fuse = true;
};

// A run that was started. Any thread may poll or wait, several at once too.
class PendingRun {
 public:
  // Waits, so that the buffers of the run may go afterwards.
  virtual ~PendingRun() = default;

  // Whether the run is over, without waiting for the device. Once it says so, outputs are written
  // and wait() returns at once with what became of the run.
  virtual bool poll() = 0;

  // Waits for the end of the run; what Program::run() would have said of it. Every further call
  // says the same.
  virtual Status wait() = 0;
};

class Program {
 public:
  virtual ~Program() = default;

  // One inference. inputs[i] are the dense bytes (NHWC, as the host sees them: uint8 stays uint8)
  // of LoweredGraph::inputs[i]; outputs[i] likewise, written before return. Sizes must match
  // exactly (kInvalidArgument). After kDeviceLost the program is dead and keeps saying so.
  // The same as submit() and wait().
  virtual Status run(std::span<const std::span<const std::byte>> inputs,
                     std::span<const std::span<std::byte>> outputs) = 0;

  // Starts a run and returns while the device computes. Inputs are read before return; the memory
  // of the outputs must stay until wait() returned (or poll() said that the run is over, or the
  // PendingRun was destroyed), and is written at any time until then. When as many runs are under
  // way as the program was compiled for, waits for the oldest one and completes it. Runs complete
  // in any order, and may outlive the program. A device that is lost fails all runs that are under
  // way with kDeviceLost. The default, for devices that compute nothing in the background: runs,
  // then returns.
  virtual Result<std::unique_ptr<PendingRun>> submit(
      std::span<const std::span<const std::byte>> inputs,
      std::span<const std::span<std::byte>> outputs);

  // One inference as run(), that also says where its time went. kUnsupported unless the program was
  // compiled with CompileOptions::profile and its device can tell.
  virtual Result<RunProfile> profile(std::span<const std::span<const std::byte>> inputs,
                                     std::span<const std::span<std::byte>> outputs);

  virtual ProgramStatistics statistics() const = 0;
  virtual std::vector<OperatorPlacement> placements() const = 0;
};

class Device {
 public:
  virtual ~Device() = default;

  virtual const DeviceDescription& description() const = 0;

  // Success, or the reason why this device does not compute the operator (kUnsupported).
  virtual Status supports(const graph::LoweredGraph& graph,
                          const graph::LoweredOperator& op) const = 0;

  // Names of all kernels that could compute the operator, the device's own choice first; never
  // empty. Fails as supports() does.
  virtual Result<std::vector<std::string>> kernels(const graph::LoweredGraph& graph,
                                                   const graph::LoweredOperator& op) const = 0;

  // Every operator must be a supported one. The program keeps the device alive and nothing else:
  // `graph` may be destroyed afterwards.
  virtual Result<std::unique_ptr<Program>> compile(const graph::LoweredGraph& graph,
                                                   const CompileOptions& options = {}) = 0;

  // What compile() would record, as a text. Compilations of one graph on one device, opened with
  // whichever masks and with whichever options, have the same text if and only if they come down to
  // the same commands on the same memory, so that running one of them says all about the other.
  // Fails as compile() does, but does not touch the device.
  virtual Result<std::string> fingerprint(const graph::LoweredGraph& graph,
                                          const CompileOptions& options = {}) const = 0;

  // What compile() would make, as data: kernels and memory. Fails as fingerprint() does. The
  // default, for devices that decide nothing in advance, is kUnsupported.
  virtual Result<ProgramPlan> plan(const graph::LoweredGraph& graph,
                                   const CompileOptions& options = {}) const;
};

// Where a device tells a person what it is doing (tuning takes seconds) and what went wrong without
// harm (a cache that cannot be written). May be called from any thread; nobody is told where it is
// empty.
enum class LogSeverity : uint8_t { kInfo, kWarning };
using Log = std::function<void(LogSeverity severity, const std::string& message)>;

// How a device is opened.
struct DeviceOptions {
  // Capabilities to hide, comma-separated: see vulkan/capabilities.h and cpu/cpu_device.h. Makes
  // any machine stand in for a smaller device.
  std::string mask{};
  // Folder for compiled pipelines and measured choices of kernels, made where it is missing; empty:
  // no files are read or written. What lies there is checked, and bound to device, driver and
  // build. A folder that cannot be written is a warning in the log.
  std::string cache_dir{};
  // Threads that a device on this processor computes with, the caller's included; 0: one for each
  // physical core. Other devices have no use for them.
  int32_t threads = 0;
  Log log{};
};

}  // namespace lockstep::backend
