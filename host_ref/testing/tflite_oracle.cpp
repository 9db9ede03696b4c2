#include "host_ref/testing/tflite_oracle.h"

#include <dlfcn.h>

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace lockstep::host_ref::testing {
namespace {

// The C interface's opaque types; only pointers to them are handed around.
struct Model;
struct Options;
struct Engine;
struct Delegate;
struct EngineTensorHandle;

// Version 2.9's options of the XNNPACK delegate, and its flags for 8-bit networks.
struct XnnpackOptions {
  int32_t num_threads;
  uint32_t flags;
};
constexpr uint32_t kXnnpackSigned8Bit = 1;
constexpr uint32_t kXnnpackUnsigned8Bit = 2;

constexpr int kOk = 0;

// The engine's complaints, kept for our own message.
void append_message(void* messages, const char* format, va_list arguments) {
  char text[512];
  std::vsnprintf(text, sizeof text, format, arguments);
  auto& all = *static_cast<std::string*>(messages);
  all += all.empty() ? "" : "; ";
  all += text;
}

}  // namespace

struct TfliteOracle::Api {
  void* library = nullptr;
  Model* (*model_create)(const void*, size_t) = nullptr;
  void (*model_delete)(Model*) = nullptr;
  Options* (*options_create)() = nullptr;
  void (*options_delete)(Options*) = nullptr;
  void (*options_set_threads)(Options*, int32_t) = nullptr;
  void (*options_add_delegate)(Options*, Delegate*) = nullptr;
  void (*options_set_reporter)(Options*, void (*)(void*, const char*, va_list), void*) = nullptr;
  Engine* (*engine_create)(const Model*, const Options*) = nullptr;
  void (*engine_delete)(Engine*) = nullptr;
  int (*engine_allocate)(Engine*) = nullptr;
  int (*engine_invoke)(Engine*) = nullptr;
  int32_t (*input_count)(const Engine*) = nullptr;
  EngineTensorHandle* (*input)(const Engine*, int32_t) = nullptr;
  int32_t (*output_count)(const Engine*) = nullptr;
  const EngineTensorHandle* (*output)(const Engine*, int32_t) = nullptr;
  int32_t (*tensor_rank)(const EngineTensorHandle*) = nullptr;
  int32_t (*tensor_extent)(const EngineTensorHandle*, int32_t) = nullptr;
  size_t (*tensor_size)(const EngineTensorHandle*) = nullptr;
  const char* (*tensor_name)(const EngineTensorHandle*) = nullptr;
  int (*tensor_read_from)(EngineTensorHandle*, const void*, size_t) = nullptr;
  int (*tensor_write_to)(const EngineTensorHandle*, void*, size_t) = nullptr;
  Delegate* (*xnnpack_create)(const XnnpackOptions*) = nullptr;
  void (*xnnpack_delete)(Delegate*) = nullptr;

  ~Api() {
    if (library != nullptr) {
      dlclose(library);
    }
  }
};

namespace {

template <typename Function>
bool find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

TfliteOracle::TfliteOracle() : api_(std::make_unique<Api>()) {}
TfliteOracle::~TfliteOracle() = default;

Result<std::shared_ptr<const TfliteOracle>> TfliteOracle::from_environment() {
  static const Result<std::shared_ptr<const TfliteOracle>> oracle =
      []() -> Result<std::shared_ptr<const TfliteOracle>> {
    const char* library = std::getenv("LOCKSTEP_TFLITE_LIBRARY");
    if (library == nullptr || *library == '\0') {
      return nullptr;
    }
    return load(library);
  }();
  return oracle;
}

Result<std::shared_ptr<const TfliteOracle>> TfliteOracle::load(
    const std::filesystem::path& library) {
  std::shared_ptr<TfliteOracle> oracle(new TfliteOracle);
  Api& api = *oracle->api_;
  api.library = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (api.library == nullptr) {
    return make_error(ErrorCode::kNotFound, "{}", dlerror());
  }
  const bool complete =
      find(api.library, "TfLiteModelCreate", api.model_create) &&
      find(api.library, "TfLiteModelDelete", api.model_delete) &&
      find(api.library, "TfLiteInterpreterOptionsCreate", api.options_create) &&
      find(api.library, "TfLiteInterpreterOptionsDelete", api.options_delete) &&
      find(api.library, "TfLiteInterpreterOptionsSetNumThreads", api.options_set_threads) &&
      find(api.library, "TfLiteInterpreterOptionsAddDelegate", api.options_add_delegate) &&
      find(api.library, "TfLiteInterpreterOptionsSetErrorReporter", api.options_set_reporter) &&
      find(api.library, "TfLiteInterpreterCreate", api.engine_create) &&
      find(api.library, "TfLiteInterpreterDelete", api.engine_delete) &&
      find(api.library, "TfLiteInterpreterAllocateTensors", api.engine_allocate) &&
      find(api.library, "TfLiteInterpreterInvoke", api.engine_invoke) &&
      find(api.library, "TfLiteInterpreterGetInputTensorCount", api.input_count) &&
      find(api.library, "TfLiteInterpreterGetInputTensor", api.input) &&
      find(api.library, "TfLiteInterpreterGetOutputTensorCount", api.output_count) &&
      find(api.library, "TfLiteInterpreterGetOutputTensor", api.output) &&
      find(api.library, "TfLiteTensorNumDims", api.tensor_rank) &&
      find(api.library, "TfLiteTensorDim", api.tensor_extent) &&
      find(api.library, "TfLiteTensorByteSize", api.tensor_size) &&
      find(api.library, "TfLiteTensorName", api.tensor_name) &&
      find(api.library, "TfLiteTensorCopyFromBuffer", api.tensor_read_from) &&
      find(api.library, "TfLiteTensorCopyToBuffer", api.tensor_write_to) &&
      find(api.library, "TfLiteXNNPackDelegateCreate", api.xnnpack_create) &&
      find(api.library, "TfLiteXNNPackDelegateDelete", api.xnnpack_delete);
  if (!complete) {
    return make_error(ErrorCode::kNotFound, "{} lacks part of the C interface: {}",
                      library.string(), dlerror());
  }
  return oracle;
}

Result<std::vector<EngineTensor>> TfliteOracle::run(std::span<const std::byte> model,
                                                    std::span<const std::vector<std::byte>> inputs,
                                                    Kernels kernels) const {
  const Api& api = *api_;
  std::string messages;
  const auto failed = [&](std::string_view step) {
    return make_error(ErrorCode::kUnsupported, "the engine failed to {}: {}", step, messages);
  };
  // Destroyed in the reverse order: the interpreter before its delegate, options and model.
  const std::unique_ptr<Model, void (*)(Model*)> loaded(
      api.model_create(model.data(), model.size()), api.model_delete);
  const std::unique_ptr<Options, void (*)(Options*)> options(api.options_create(),
                                                             api.options_delete);
  const XnnpackOptions xnnpack{1, kXnnpackSigned8Bit | kXnnpackUnsigned8Bit};
  const std::unique_ptr<Delegate, void (*)(Delegate*)> delegate(
      kernels == Kernels::kXnnpack ? api.xnnpack_create(&xnnpack) : nullptr, api.xnnpack_delete);
  if (!loaded) {
    return failed("load the model");
  }
  api.options_set_threads(options.get(), 1);
  api.options_set_reporter(options.get(), append_message, &messages);
  if (delegate) {
    api.options_add_delegate(options.get(), delegate.get());
  }
  const std::unique_ptr<Engine, void (*)(Engine*)> engine(
      api.engine_create(loaded.get(), options.get()), api.engine_delete);
  if (!engine || api.engine_allocate(engine.get()) != kOk) {
    return failed("prepare the model");
  }
  if (static_cast<size_t>(api.input_count(engine.get())) != inputs.size()) {
    return failed("find as many inputs as were given");
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    EngineTensorHandle* input = api.input(engine.get(), static_cast<int32_t>(i));
    if (api.tensor_read_from(input, inputs[i].data(), inputs[i].size()) != kOk) {
      return failed("take an input of the given size");
    }
  }
  if (api.engine_invoke(engine.get()) != kOk) {
    return failed("run");
  }
  std::vector<EngineTensor> outputs;
  for (int32_t i = 0; i < api.output_count(engine.get()); ++i) {
    const EngineTensorHandle* output = api.output(engine.get(), i);
    EngineTensor& copy = outputs.emplace_back();
    copy.name = api.tensor_name(output);
    for (int32_t dimension = 0; dimension < api.tensor_rank(output); ++dimension) {
      copy.shape.push_back(api.tensor_extent(output, dimension));
    }
    copy.bytes.resize(api.tensor_size(output));
    if (api.tensor_write_to(output, copy.bytes.data(), copy.bytes.size()) != kOk) {
      return failed("give an output");
    }
  }
  return outputs;
}

}  // namespace lockstep::host_ref::testing
