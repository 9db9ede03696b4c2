// Whole inference engines as subjects: they get a case as a .tflite file and give its outputs. The
// oracle, host_ref, is tested against them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "conformance/case.h"
#include "conformance/subject.h"
#include "graph/status.h"
#include "numerics/contract.h"

namespace lockstep::conformance {

// Used by one thread.
class InferenceEngine {
 public:
  virtual ~InferenceEngine() = default;

  virtual const SubjectDescription& description() const = 0;
  // The contract whose arithmetic the engine has.
  virtual numerics::Contract contract() const = 0;
  // kUnsupported with the reason where the engine is known to crash on the case, or to compute it
  // with other kernels than the contract's.
  virtual Status accepts(const Case& source) const = 0;
  // Dense bytes of the model's outputs. kUnsupported where the engine refuses the model.
  virtual Result<std::vector<std::vector<std::byte>>> run(
      std::span<const std::byte> model, std::span<const std::vector<std::byte>> inputs) = 0;
};

// Whether a selector of open_subject() names an engine:
//   tflite                     TFLite's builtin kernels
//   xnnpack                    its XNNPACK
//   engine:CONTRACT:COMMAND    any engine, see open_external_engine()
bool is_engine_selector(std::string_view selector);

// The engine as a subject: it computes cases under its own contract, in one configuration; other
// contracts are kUnsupported.
Result<std::unique_ptr<Subject>> open_engine_subject(std::string_view selector);

// TFLite's C library that the environment variable LOCKSTEP_TFLITE_LIBRARY names: its builtin
// kernels (contract tflite) or XNNPACK with its signed 8-bit kernels (contract litert).
Result<std::unique_ptr<InferenceEngine>> open_tflite_engine(bool use_xnnpack);

// Any engine behind a pipe. `specification` is CONTRACT:COMMAND, the command for /bin/sh ("exec
// COMMAND" leaves no shell in between, and an engine's signal is told as such). All numbers are
// uint32, little-endian:
//   to the engine     model bytes, model, inputs, then for each input: bytes, contents
//   from the engine   0, outputs, then for each output: bytes, contents
//                     or 1, bytes of a text, the text: why it refuses the model
// The engine answers one request after another until its standard input ends. Its first output is
// a greeting like a refusal's text, without the 1: bytes of its name and version, the name.
//
// An engine that ends, or sends anything else, fails the run (kDeviceLost) and is started again for
// the next one. It may take any time it likes: see supervisor.h.
Result<std::unique_ptr<InferenceEngine>> open_external_engine(std::string_view specification);

}  // namespace lockstep::conformance
