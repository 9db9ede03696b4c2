// The real TensorFlow Lite, loaded at run time and asked what it computes. Only tests that compare
// our specification with an engine need it; they are skipped where no library is named.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graph/status.h"
#include "graph/tensor.h"
#include "host_ref/tflite_runtime.h"

namespace lockstep::host_ref::testing {

enum class Kernels { kBuiltin, kXnnpack };

// One output tensor of the engine.
struct EngineTensor {
  std::string name;
  graph::Shape shape;
  std::vector<std::byte> bytes;
};

// Immutable; run() may be called from several threads. Beware: the engine aborts the
// process on some models that it does not like.
class TfliteOracle {
 public:
  // The library that the environment variable LOCKSTEP_TFLITE_LIBRARY names, loaded once; null
  // where it names none. kNotFound where it names one that cannot be loaded.
  static Result<std::shared_ptr<const TfliteOracle>> from_environment();

  // One inference of a .tflite file, with one thread; the model's outputs in their order. With
  // kXnnpack, operators that XNNPACK refuses are computed by builtin kernels. kUnsupported where
  // the engine refuses the model or, asked for XNNPACK, cannot build what it took.
  Result<std::vector<EngineTensor>> run(std::span<const std::byte> model,
                                        std::span<const std::vector<std::byte>> inputs,
                                        Kernels kernels) const;

 private:
  explicit TfliteOracle(std::shared_ptr<const TfliteLibrary> library)
      : library_(std::move(library)) {}

  std::shared_ptr<const TfliteLibrary> library_;
};

}  // namespace lockstep::host_ref::testing
