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

  // Every operator must be a supported one. The program keeps the device alive and nothing else:
  // `graph` may be destroyed afterwards.
  virtual Result<std::unique_ptr<Program>> compile(const graph::LoweredGraph& graph) = 0;
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
