// What an accelerator is. A backend is one folder beside vulkan/ that implements Device and Program
// and registers itself in registry.h; everything above (engine, delegate, conformance) sees only
// this.
//
// Threading: a Device may be used from several threads at once. A Program runs one inference at a
// time; concurrent calls of run() on one Program are serialised inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::backend {

enum class DeviceKind : uint8_t { kDiscreteGpu, kIntegratedGpu, kVirtualGpu, kCpu, kOther };
std::string_view device_kind_name(DeviceKind kind);

struct DeviceDescription {
  std::string backend;  // "vulkan", "ref"
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
};

class Program {
 public:
  virtual ~Program() = default;

  // One inference. inputs[i] are the dense bytes (NHWC, as the host sees them: uint8 stays uint8)
  // of LoweredGraph::inputs[i]; outputs[i] likewise, written before return. Sizes must match
  // exactly (kInvalidArgument). After kDeviceLost the program is dead and keeps saying so.
  virtual Status run(std::span<const std::span<const std::byte>> inputs,
                     std::span<const std::span<std::byte>> outputs) = 0;

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
};

// How a device is opened.
struct DeviceOptions {
  // Capabilities to hide, comma-separated: see vulkan/capabilities.h. Makes any machine stand in
  // for a smaller device.
  std::string mask;
  // Folder for pipeline caches; empty: no files are written.
  std::string cache_dir;
};

}  // namespace lockstep::backend
