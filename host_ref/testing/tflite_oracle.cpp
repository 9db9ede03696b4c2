#include "host_ref/testing/tflite_oracle.h"

#include <cstdlib>

namespace lockstep::host_ref::testing {
namespace {

Error refused(const Error& error) { return {ErrorCode::kUnsupported, error.message}; }

}  // namespace

Result<std::shared_ptr<const TfliteOracle>> TfliteOracle::from_environment() {
  static const Result<std::shared_ptr<const TfliteOracle>> oracle =
      []() -> Result<std::shared_ptr<const TfliteOracle>> {
    const char* path = std::getenv("LOCKSTEP_TFLITE_LIBRARY");
    if (path == nullptr || *path == '\0') {
      return nullptr;
    }
    auto library = TfliteLibrary::load(path);
    if (!library) {
      return tl::unexpected(library.error());
    }
    return std::shared_ptr<const TfliteOracle>(new TfliteOracle(*std::move(library)));
  }();
  return oracle;
}

Result<std::vector<EngineTensor>> TfliteOracle::run(std::span<const std::byte> model,
                                                    std::span<const std::vector<std::byte>> inputs,
                                                    Kernels kernels) const {
  TfliteOptions options;
  options.use_xnnpack = kernels == Kernels::kXnnpack;
  const auto interpreter = TfliteInterpreter::create(library_, model, options);
  if (!interpreter) {
    return tl::unexpected(refused(interpreter.error()));
  }
  TfliteInterpreter& engine = **interpreter;
  if (engine.input_count() != inputs.size()) {
    return make_error(ErrorCode::kInvalidArgument, "the model has {} inputs, given were {}",
                      engine.input_count(), inputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (const Status status = engine.set_input(i, inputs[i]); !status) {
      return tl::unexpected(status.error());
    }
  }
  if (const Status status = engine.invoke(); !status) {
    return tl::unexpected(refused(status.error()));
  }
  std::vector<EngineTensor> outputs;
  for (size_t i = 0; i < engine.output_count(); ++i) {
    const TfliteTensorView view = engine.output(i);
    outputs.push_back({view.name, view.shape, {view.data.begin(), view.data.end()}});
  }
  return outputs;
}

}  // namespace lockstep::host_ref::testing
