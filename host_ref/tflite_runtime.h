// Drives a real TensorFlow Lite runtime through its C API, loaded at run time: the engine our
// results are compared with, and the host our delegate plugs into. Nothing of TFLite is needed to
// build.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graph/status.h"
#include "graph/tensor.h"

namespace lockstep::host_ref {

// The function table of a loaded libtensorflowlite_c.so. Stays loaded as long as someone holds it.
class TfliteLibrary {
 public:
  // kNotFound when the file does not load or lacks the C API.
  static Result<std::shared_ptr<const TfliteLibrary>> load(const std::filesystem::path& path);

  virtual ~TfliteLibrary() = default;
  virtual std::string version() const = 0;  // "2.9.0"
};

// A delegate plugin and its options, as benchmark_model's --external_delegate_path and
// --external_delegate_options give them.
struct PluginSettings {
  std::filesystem::path library;
  std::vector<std::pair<std::string, std::string>> options;
};

struct TfliteOptions {
  int32_t threads = 1;
  // XNNPACK with its signed 8-bit operators; not together with a plugin.
  bool use_xnnpack = false;
  // Empty library: no plugin.
  PluginSettings plugin;
};

// What the runtime says of one of its tensors. `data` is valid until the next invoke() or
// resize_input().
struct TfliteTensorView {
  std::string name;
  graph::DataType type = graph::DataType::kOther;
  graph::Shape shape;
  std::span<const std::byte> data;
};

// One interpreter with its model and delegate. Not thread-safe.
class TfliteInterpreter {
 public:
  // Copies `model`. The error carries what TFLite reported.
  static Result<std::unique_ptr<TfliteInterpreter>> create(
      std::shared_ptr<const TfliteLibrary> library, std::span<const std::byte> model,
      const TfliteOptions& options);

  virtual ~TfliteInterpreter() = default;

  virtual size_t input_count() const = 0;
  virtual size_t output_count() const = 0;
  // Precondition of both: the index is below the count.
  virtual TfliteTensorView input(size_t index) const = 0;
  virtual TfliteTensorView output(size_t index) const = 0;

  // Sizes must match exactly. kInvalidArgument where they do not, or there is no such input.
  virtual Status set_input(size_t index, std::span<const std::byte> bytes) = 0;
  // Gives input `index` a new shape and allocates again. kInvalidArgument where there is no such
  // input, kInvalidModel where the network cannot follow.
  virtual Status resize_input(size_t index, std::span<const int32_t> shape) = 0;
  virtual Status invoke() = 0;
};

}  // namespace lockstep::host_ref
