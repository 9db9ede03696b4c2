// What a conformance run puts to the test: a device of any backend, or a whole inference engine.
// Subjects compute; they do not judge: runner.h compares what they give with the expectation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/device.h"
#include "conformance/case.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"
#include "numerics/contract.h"

namespace lockstep::conformance {

// Who was tested, for reports.
struct SubjectDescription {
  std::string selector;  // how a user names it: "0", "ref", "tflite"
  backend::DeviceDescription device;
  // Name and digest (hex) of every shader the subject may run; empty for subjects without shaders.
  std::vector<std::pair<std::string, std::string>> shaders;
  bool operator==(const SubjectDescription&) const = default;
};

// One way in which a subject can compute a case.
struct Configuration {
  std::string mask;    // capabilities hidden from the kernels, see backend/vulkan/capabilities.h
  std::string kernel;  // the kernel used wherever it can be; empty: the subject's own choice
  // "default", or "mask=int-dot kernel=convolution_direct".
  std::string name() const;
  bool operator==(const Configuration&) const = default;
};

// A configuration, and others that come down to the very same commands.
struct ConfigurationGroup {
  Configuration configuration;
  std::vector<Configuration> equivalent;
};

// A case lowered under one contract.
struct LoweredCase {
  const Case* source = nullptr;  // must outlive it
  numerics::Contract contract = numerics::Contract::kTflite;
  // Its outputs are source->graph.outputs, then one int32 tensor for each CONV_2D,
  // DEPTHWISE_CONV_2D and FULLY_CONNECTED operator: the operator's raw accumulators, computed by a
  // second copy of it right behind it that stores them (graph::OutputStage::stores_accumulators).
  graph::LoweredGraph graph;
  size_t output_count = 0;  // of graph.outputs; the rest are accumulators
};
// Fails as graph::lower() does; kInvalidArgument where an input has no contents.
Result<LoweredCase> lower_case(const Case& source, numerics::Contract contract);

// Dense bytes of LoweredCase::graph.outputs[i], or of the first output_count of them from a subject
// that cannot show accumulators.
struct Observation {
  std::vector<std::vector<std::byte>> outputs;
  std::string kernels;  // comma-separated, each once
};

// Used by one thread. A subject may crash, hang or end the process: see supervisor.h.
class Subject {
 public:
  virtual ~Subject() = default;

  virtual const SubjectDescription& description() const = 0;

  // Every configuration in which the subject can compute the case, its own choice first, those with
  // the same commands together. kUnsupported with the reason when it computes it in none.
  virtual Result<std::vector<ConfigurationGroup>> configurations(const LoweredCase& lowered) = 0;

  // Runs the case `repetitions` (at least 1) times and gives what each run computed. A subject
  // makes its repetitions as different as it can: other programs, other memory contents before
  // them. kUnsupported where the configuration turns out not to be possible; any other error is a
  // failure of the subject.
  virtual Result<std::vector<Observation>> run(const LoweredCase& lowered,
                                               const Configuration& configuration,
                                               int32_t repetitions) = 0;
};

// Backends register themselves in backend/registry.h; engines that are no devices do in
// subject.cpp. `selector`: as for backend::open_device(). kDeviceUnavailable lists what there is.
Result<std::unique_ptr<Subject>> open_subject(std::string_view selector);

// Every device there is, "ref" included, as selectors for open_subject().
std::vector<std::string> list_subjects();

}  // namespace lockstep::conformance
