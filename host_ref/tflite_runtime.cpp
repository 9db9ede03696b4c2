#include "host_ref/tflite_runtime.h"

#include <dlfcn.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <type_traits>

namespace lockstep::host_ref {
namespace {

// Opaque to us: only ever passed back to the library.
struct Model;
struct Options;
struct Interpreter;
struct TensorHandle;
struct DelegateHandle;

constexpr int kOk = 0;

// Numbers of TfLiteType (c_api_types.h).
graph::DataType data_type_of(int tflite_type) {
  switch (tflite_type) {
    case 1:
      return graph::DataType::kFloat32;
    case 2:
      return graph::DataType::kInt32;
    case 3:
      return graph::DataType::kUint8;
    case 4:
      return graph::DataType::kInt64;
    case 6:
      return graph::DataType::kBool;
    case 7:
      return graph::DataType::kInt16;
    case 9:
      return graph::DataType::kInt8;
    case 10:
      return graph::DataType::kFloat16;
    default:
      return graph::DataType::kOther;
  }
}

// The leading fields of TfLiteXNNPackDelegateOptions; later versions append more, zero by default.
struct XnnpackOptions {
  int32_t num_threads;
  uint32_t flags;
  std::array<uint64_t, 15> reserved;
};
// Only the signed flag: with the unsigned one, TFLite 2.9 claims uint8 operators that its XNNPACK
// was built without, fails, and runs the whole network on builtin kernels.
constexpr uint32_t kXnnpackSigned8 = 1;

// The entry points every external delegate exports.
using PluginCreate = DelegateHandle* (*)(char** keys, char** values, size_t count,
                                         void (*report_error)(const char*));
using PluginDestroy = void (*)(DelegateHandle*);

struct LibraryCloser {
  void operator()(void* handle) const { dlclose(handle); }
};
using LibraryHandle = std::unique_ptr<void, LibraryCloser>;

Result<LibraryHandle> open_library(const std::filesystem::path& path) {
  LibraryHandle handle(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!handle) {
    const char* reason = dlerror();
    return make_error(ErrorCode::kNotFound, "cannot load '{}': {}", path.string(),
                      reason != nullptr ? reason : "unknown reason");
  }
  return handle;
}

template <typename Function>
bool find_symbol(void* handle, const char* name, Function& function) {
  static_assert(std::is_pointer_v<Function>);
  function = reinterpret_cast<Function>(dlsym(handle, name));
  return function != nullptr;
}

class LoadedLibrary final : public TfliteLibrary {
 public:
  std::string version() const override { return tflite_version(); }

  LibraryHandle handle;
  const char* (*tflite_version)() = nullptr;
  Model* (*model_create)(const void*, size_t) = nullptr;
  void (*model_delete)(Model*) = nullptr;
  Options* (*options_create)() = nullptr;
  void (*options_delete)(Options*) = nullptr;
  void (*set_threads)(Options*, int32_t) = nullptr;
  void (*add_delegate)(Options*, DelegateHandle*) = nullptr;
  void (*set_error_reporter)(Options*, void (*)(void*, const char*, va_list), void*) = nullptr;
  Interpreter* (*interpreter_create)(const Model*, const Options*) = nullptr;
  void (*interpreter_delete)(Interpreter*) = nullptr;
  int32_t (*input_count)(const Interpreter*) = nullptr;
  TensorHandle* (*input_tensor)(const Interpreter*, int32_t) = nullptr;
  int (*resize_input)(Interpreter*, int32_t, const int*, int32_t) = nullptr;
  int (*allocate_tensors)(Interpreter*) = nullptr;
  int (*invoke)(Interpreter*) = nullptr;
  int32_t (*output_count)(const Interpreter*) = nullptr;
  const TensorHandle* (*output_tensor)(const Interpreter*, int32_t) = nullptr;
  int (*tensor_type)(const TensorHandle*) = nullptr;
  int32_t (*tensor_rank)(const TensorHandle*) = nullptr;
  int32_t (*tensor_extent)(const TensorHandle*, int32_t) = nullptr;
  size_t (*tensor_bytes)(const TensorHandle*) = nullptr;
  void* (*tensor_data)(const TensorHandle*) = nullptr;
  const char* (*tensor_name)(const TensorHandle*) = nullptr;
  int (*copy_from_buffer)(TensorHandle*, const void*, size_t) = nullptr;
  // Absent in old or slim builds.
  DelegateHandle* (*xnnpack_create)(const XnnpackOptions*) = nullptr;
  void (*xnnpack_delete)(DelegateHandle*) = nullptr;

  // The name of the first missing entry point, or null.
  const char* bind() {
    void* library = handle.get();
    const auto bind_one = [library](const char* name, auto& function) -> const char* {
      return find_symbol(library, name, function) ? nullptr : name;
    };
    for (const char* missing : {
             bind_one("TfLiteVersion", tflite_version),
             bind_one("TfLiteModelCreate", model_create),
             bind_one("TfLiteModelDelete", model_delete),
             bind_one("TfLiteInterpreterOptionsCreate", options_create),
             bind_one("TfLiteInterpreterOptionsDelete", options_delete),
             bind_one("TfLiteInterpreterOptionsSetNumThreads", set_threads),
             bind_one("TfLiteInterpreterOptionsAddDelegate", add_delegate),
             bind_one("TfLiteInterpreterOptionsSetErrorReporter", set_error_reporter),
             bind_one("TfLiteInterpreterCreate", interpreter_create),
             bind_one("TfLiteInterpreterDelete", interpreter_delete),
             bind_one("TfLiteInterpreterGetInputTensorCount", input_count),
             bind_one("TfLiteInterpreterGetInputTensor", input_tensor),
             bind_one("TfLiteInterpreterResizeInputTensor", resize_input),
             bind_one("TfLiteInterpreterAllocateTensors", allocate_tensors),
             bind_one("TfLiteInterpreterInvoke", invoke),
             bind_one("TfLiteInterpreterGetOutputTensorCount", output_count),
             bind_one("TfLiteInterpreterGetOutputTensor", output_tensor),
             bind_one("TfLiteTensorType", tensor_type),
             bind_one("TfLiteTensorNumDims", tensor_rank),
             bind_one("TfLiteTensorDim", tensor_extent),
             bind_one("TfLiteTensorByteSize", tensor_bytes),
             bind_one("TfLiteTensorData", tensor_data),
             bind_one("TfLiteTensorName", tensor_name),
             bind_one("TfLiteTensorCopyFromBuffer", copy_from_buffer),
         }) {
      if (missing != nullptr) return missing;
    }
    find_symbol(library, "TfLiteXNNPackDelegateCreate", xnnpack_create);
    find_symbol(library, "TfLiteXNNPackDelegateDelete", xnnpack_delete);
    return nullptr;
  }
};

// What the runtime said, newest last, for error messages.
void collect_message(void* user_data, const char* format, va_list arguments) {
  std::array<char, 1024> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  auto& messages = *static_cast<std::string*>(user_data);
  if (!messages.empty()) messages += "; ";
  messages += text.data();
}

void print_plugin_error(const char* message) { std::fprintf(stderr, "%s\n", message); }

// Members are declared in the order in which they must outlive each other: the interpreter goes
// first, then the delegate, then the model and its bytes, then the libraries.
class LoadedInterpreter final : public TfliteInterpreter {
 public:
  explicit LoadedInterpreter(std::shared_ptr<const LoadedLibrary> library)
      : library_(std::move(library)) {}
  LoadedInterpreter(const LoadedInterpreter&) = delete;
  LoadedInterpreter& operator=(const LoadedInterpreter&) = delete;

  ~LoadedInterpreter() override {
    if (interpreter_ != nullptr) library_->interpreter_delete(interpreter_);
    if (delegate_ != nullptr) destroy_delegate_(delegate_);
    if (options_ != nullptr) library_->options_delete(options_);
    if (model_ != nullptr) library_->model_delete(model_);
  }

  Status initialise(std::span<const std::byte> model, const TfliteOptions& options) {
    bytes_.assign(model.begin(), model.end());
    model_ = library_->model_create(bytes_.data(), bytes_.size());
    if (model_ == nullptr) return failure("cannot read the model");
    options_ = library_->options_create();
    library_->set_threads(options_, options.threads);
    library_->set_error_reporter(options_, collect_message, &messages_);
    if (Status delegate = create_delegate(options); !delegate) return delegate;
    if (delegate_ != nullptr) library_->add_delegate(options_, delegate_);
    interpreter_ = library_->interpreter_create(model_, options_);
    if (interpreter_ == nullptr) return failure("cannot create an interpreter");
    return allocate();
  }

  size_t input_count() const override {
    return static_cast<size_t>(library_->input_count(interpreter_));
  }
  size_t output_count() const override {
    return static_cast<size_t>(library_->output_count(interpreter_));
  }
  TfliteTensorView input(size_t index) const override {
    return view(library_->input_tensor(interpreter_, static_cast<int32_t>(index)));
  }
  TfliteTensorView output(size_t index) const override {
    return view(library_->output_tensor(interpreter_, static_cast<int32_t>(index)));
  }

  Status set_input(size_t index, std::span<const std::byte> bytes) override {
    if (Status status = check_input(index); !status) return status;
    TensorHandle* tensor = library_->input_tensor(interpreter_, static_cast<int32_t>(index));
    if (library_->tensor_bytes(tensor) != bytes.size()) {
      return make_error(ErrorCode::kInvalidArgument, "input {} has {} bytes, given were {}", index,
                        library_->tensor_bytes(tensor), bytes.size());
    }
    if (library_->copy_from_buffer(tensor, bytes.data(), bytes.size()) != kOk) {
      return failure("cannot set an input");
    }
    return {};
  }

  Status resize_input(size_t index, std::span<const int32_t> shape) override {
    if (Status status = check_input(index); !status) return status;
    if (library_->resize_input(interpreter_, static_cast<int32_t>(index), shape.data(),
                               static_cast<int32_t>(shape.size())) != kOk) {
      return failure("cannot resize an input");
    }
    return allocate();
  }

  Status invoke() override {
    if (library_->invoke(interpreter_) != kOk) return failure("cannot run the model");
    return {};
  }

 private:
  // The library itself does not look whether an index is one of its inputs'.
  Status check_input(size_t index) const {
    if (index < input_count()) return {};
    return make_error(ErrorCode::kInvalidArgument, "the model has no input {}: it has {}", index,
                      input_count());
  }

  Status create_delegate(const TfliteOptions& options) {
    if (options.use_xnnpack) {
      if (library_->xnnpack_create == nullptr || library_->xnnpack_delete == nullptr) {
        return make_error(ErrorCode::kUnsupported, "TFLite {} was built without XNNPACK",
                          library_->version());
      }
      const XnnpackOptions xnnpack{
          .num_threads = options.threads, .flags = kXnnpackSigned8, .reserved = {}};
      delegate_ = library_->xnnpack_create(&xnnpack);
      destroy_delegate_ = library_->xnnpack_delete;
      if (delegate_ == nullptr) return failure("cannot create the XNNPACK delegate");
    } else if (!options.plugin.library.empty()) {
      return create_plugin_delegate(options.plugin);
    }
    return {};
  }

  Status create_plugin_delegate(const PluginSettings& settings) {
    Result<LibraryHandle> plugin = open_library(settings.library);
    if (!plugin) return tl::unexpected(plugin.error());
    plugin_ = std::move(*plugin);
    PluginCreate create = nullptr;
    if (!find_symbol(plugin_.get(), "tflite_plugin_create_delegate", create) ||
        !find_symbol(plugin_.get(), "tflite_plugin_destroy_delegate", destroy_delegate_)) {
      return make_error(ErrorCode::kInvalidArgument, "'{}' is not a TFLite delegate plugin",
                        settings.library.string());
    }
    // The entry point takes pointers to non-const characters but only reads them.
    std::vector<char*> keys;
    std::vector<char*> values;
    for (const auto& [key, value] : settings.options) {
      keys.push_back(const_cast<char*>(key.c_str()));
      values.push_back(const_cast<char*>(value.c_str()));
    }
    delegate_ = create(keys.data(), values.data(), keys.size(), print_plugin_error);
    if (delegate_ == nullptr) {
      return make_error(ErrorCode::kInvalidArgument, "the plugin '{}' refused its options",
                        settings.library.string());
    }
    return {};
  }

  Status allocate() {
    if (library_->allocate_tensors(interpreter_) != kOk) return failure("cannot prepare the model");
    return {};
  }

  tl::unexpected<Error> failure(std::string_view what) {
    std::string said = std::exchange(messages_, {});
    return make_error(ErrorCode::kInvalidModel, "TFLite {} {}: {}", library_->version(), what,
                      said.empty() ? "it gave no reason" : said);
  }

  TfliteTensorView view(const TensorHandle* tensor) const {
    TfliteTensorView result;
    const char* name = library_->tensor_name(tensor);
    result.name = name != nullptr ? name : "";
    result.type = data_type_of(library_->tensor_type(tensor));
    for (int32_t i = 0; i < library_->tensor_rank(tensor); ++i) {
      result.shape.push_back(library_->tensor_extent(tensor, i));
    }
    const auto* data = static_cast<const std::byte*>(library_->tensor_data(tensor));
    if (data != nullptr) result.data = {data, library_->tensor_bytes(tensor)};
    return result;
  }

  std::shared_ptr<const LoadedLibrary> library_;
  LibraryHandle plugin_;
  std::string messages_;
  std::vector<std::byte> bytes_;
  Model* model_ = nullptr;
  Options* options_ = nullptr;
  DelegateHandle* delegate_ = nullptr;
  PluginDestroy destroy_delegate_ = nullptr;
  Interpreter* interpreter_ = nullptr;
};

}  // namespace

Result<std::shared_ptr<const TfliteLibrary>> TfliteLibrary::load(
    const std::filesystem::path& path) {
  Result<LibraryHandle> handle = open_library(path);
  if (!handle) return tl::unexpected(handle.error());
  auto library = std::make_shared<LoadedLibrary>();
  library->handle = std::move(*handle);
  if (const char* missing = library->bind(); missing != nullptr) {
    return make_error(ErrorCode::kNotFound, "'{}' lacks {}: not a TFLite C library", path.string(),
                      missing);
  }
  return library;
}

Result<std::unique_ptr<TfliteInterpreter>> TfliteInterpreter::create(
    std::shared_ptr<const TfliteLibrary> library, std::span<const std::byte> model,
    const TfliteOptions& options) {
  // Only load() makes libraries.
  auto loaded = std::static_pointer_cast<const LoadedLibrary>(std::move(library));
  auto interpreter = std::make_unique<LoadedInterpreter>(std::move(loaded));
  if (Status status = interpreter->initialise(model, options); !status) {
    return tl::unexpected(status.error());
  }
  return interpreter;
}

}  // namespace lockstep::host_ref
