// Who takes part in the comparison of whole networks, and how each of them runs one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/device.h"
#include "graph/graph.h"
#include "graph/status.h"
#include "numerics/contract.h"

namespace lockstep::bench {

enum class ContenderKind : uint8_t {
  kEngine,     // our engine on the device
  kDelegate,   // our delegate in TFLite
  kCpu,        // our engine on this processor
  kReference,  // our engine on host_ref
  kBuiltin,    // TFLite's own kernels
  kXnnpack,    // TFLite with XNNPACK
};

struct Contender {
  std::string_view name;  // "xnnpack-2"
  std::string_view meaning;
  ContenderKind kind = ContenderKind::kEngine;
  int32_t threads = 1;  // of what this processor computes
  bool by_default = true;
  // Whose rounding it computes with: kTflite has the bits of builtin-1, kLitert of xnnpack-1.
  numerics::Contract contract = numerics::Contract::kTflite;

  std::string_view has_bits_of() const {
    return contract == numerics::Contract::kLitert ? "xnnpack-1" : "builtin-1";
  }
};

// All there are: lockstep, delegate, cpu-1, cpu-2, cpu-1-litert, cpu-2-litert, builtin-1,
// builtin-2, xnnpack-1, xnnpack-2, reference.
std::span<const Contender> all_contenders();
// Null where there is none of that name.
const Contender* find_contender(std::string_view name);

// Where the parts are that a contender needs; empty paths: not there.
struct ContenderSettings {
  std::filesystem::path tflite_library;
  std::filesystem::path plugin_library;
  std::string device;  // as of backend::open_device
  backend::DeviceOptions device_options;
};

// One contender with one network, ready to run. Not thread-safe.
class ModelRunner {
 public:
  virtual ~ModelRunner() = default;
  virtual Status set_input(size_t index, std::span<const std::byte> bytes) = 0;
  virtual Status run() = 0;
  virtual size_t output_count() const = 0;
  // Of the last run; empty where this contender does not compute the output.
  virtual std::vector<std::byte> output(size_t index) const = 0;
  // What the program keeps on the device; 0 where there is none, or nobody can tell.
  virtual int64_t device_bytes() const { return 0; }
};

// Reads the model from its file, as every start of a program does. kUnsupported or kNotFound with
// the reason where the contender cannot run it: a library is missing, XNNPACK has no such kernels,
// the delegate took no operator.
Result<std::unique_ptr<ModelRunner>> create_runner(const Contender& contender,
                                                   const std::filesystem::path& model,
                                                   const ContenderSettings& settings);

// Random contents for every input of a network, the same for the same network: integers over their
// whole range, float32 between -1 and 1. kUnsupported for inputs of other types or without a size.
Result<std::vector<std::vector<std::byte>>> random_inputs(const graph::Graph& graph);

}  // namespace lockstep::bench
