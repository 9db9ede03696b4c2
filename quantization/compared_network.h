// A network that is run to be compared with another one, whichever engine runs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "graph/graph.h"
#include "graph/status.h"
#include "host_ref/tflite_runtime.h"
#include "numerics/contract.h"
#include "quantization/samples.h"

namespace lockstep::quantization {

class ComparedNetwork {
 public:
  virtual ~ComparedNetwork() = default;

  virtual const graph::Graph& graph() const = 0;  // as the file says
  virtual std::string engine() const = 0;         // "TFLite 2.9.0"
  // One inference.
  virtual Status run(const Sample& sample) = 0;
  // The bytes of an input of the last run or of a tensor that it made; valid until the next one.
  virtual Result<std::span<const std::byte>> tensor(int32_t index) const = 0;
};

// Whether tensor() gives every activation, or inputs and outputs alone, as where it is deployed.
enum class Observed : uint8_t { kAllTensors, kOutputs };

// Both read a .tflite file, which messages call `name`.
Result<std::unique_ptr<ComparedNetwork>> open_in_tflite(
    std::span<const std::byte> model, const std::string& name,
    const std::shared_ptr<const host_ref::TfliteLibrary>& library, int32_t threads,
    Observed observed);

// kUnsupported, naming the operator, where our engine does not compute all of the network.
Result<std::unique_ptr<ComparedNetwork>> open_in_lockstep(std::span<const std::byte> model,
                                                          const std::string& name,
                                                          std::shared_ptr<backend::Device> device,
                                                          numerics::Contract contract,
                                                          Observed observed);

}  // namespace lockstep::quantization
