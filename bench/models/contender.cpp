#include "bench/models/contender.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "backend/registry.h"
#include "bench/layers/layer_shape.h"
#include "bench/temporary_folder.h"
#include "delegate_api/engine.h"
#include "graph/tflite_reader.h"
#include "host_ref/tflite_runtime.h"

namespace lockstep::bench {
namespace {

class EngineRunner final : public ModelRunner {
 public:
  EngineRunner(std::unique_ptr<graph::Graph> graph, std::unique_ptr<delegate::Engine> engine)
      : graph_(std::move(graph)), engine_(std::move(engine)) {}

  Status set_input(size_t index, std::span<const std::byte> bytes) override {
    return engine_->set_input(index, bytes);
  }
  Status run() override { return engine_->run(); }
  size_t output_count() const override { return graph_->outputs.size(); }
  std::vector<std::byte> output(size_t index) const override {
    const auto bytes = engine_->output(index);
    return bytes ? std::vector<std::byte>(bytes->begin(), bytes->end()) : std::vector<std::byte>();
  }
  int64_t device_bytes() const override {
    const backend::ProgramStatistics statistics = engine_->statistics().device;
    return statistics.constant_bytes + statistics.arena_bytes;
  }

 private:
  std::unique_ptr<graph::Graph> graph_;
  std::unique_ptr<delegate::Engine> engine_;
};

class TfliteRunner final : public ModelRunner {
 public:
  explicit TfliteRunner(std::unique_ptr<host_ref::TfliteInterpreter> interpreter)
      : interpreter_(std::move(interpreter)) {}

  Status set_input(size_t index, std::span<const std::byte> bytes) override {
    return interpreter_->set_input(index, bytes);
  }
  Status run() override { return interpreter_->invoke(); }
  size_t output_count() const override { return interpreter_->output_count(); }
  std::vector<std::byte> output(size_t index) const override {
    const auto data = interpreter_->output(index).data;
    return {data.begin(), data.end()};
  }

 private:
  std::unique_ptr<host_ref::TfliteInterpreter> interpreter_;
};

// The device of one of our engines.
Result<std::shared_ptr<backend::Device>> open_device_of(const Contender& contender,
                                                        const ContenderSettings& settings) {
  backend::DeviceOptions options = settings.device_options;
  switch (contender.kind) {
    case ContenderKind::kCpu:
      options.threads = contender.threads;
      // A mask of another device has no meaning here.
      if (settings.device != "cpu") options.mask.clear();
      return backend::open_device("cpu", options);
    case ContenderKind::kReference:
      return backend::open_device("ref", {});
    default:
      return backend::open_device(settings.device, options);
  }
}

Result<std::unique_ptr<ModelRunner>> create_engine(const Contender& contender,
                                                   const graph::Graph& graph,
                                                   const ContenderSettings& settings) {
  const auto device = open_device_of(contender, settings);
  if (!device) return tl::unexpected(device.error());
  auto kept = std::make_unique<graph::Graph>(graph);
  delegate::EngineOptions options;
  options.partition.contract = contender.contract;
  options.host_threads = contender.threads;
  auto engine = delegate::Engine::create(*kept, *device, options);
  if (!engine) return tl::unexpected(engine.error());
  if ((*engine)->statistics().device_operators == 0) {
    return make_error(ErrorCode::kUnsupported, "the device takes no operator of it");
  }
  return std::make_unique<EngineRunner>(std::move(kept), std::move(*engine));
}

// The report that our plugin writes says whether it took anything; TFLite itself does not tell.
Status check_delegation(const std::filesystem::path& report) {
  std::ifstream file(report);
  const auto json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return make_error(ErrorCode::kUnsupported,
                      "the delegate plugin left no report of what it took");
  }
  if (const std::string problem = json.value("problem", ""); !problem.empty()) {
    return make_error(ErrorCode::kUnsupported, "{}", problem);
  }
  return {};
}

Result<std::unique_ptr<ModelRunner>> create_tflite(const Contender& contender,
                                                   std::span<const std::byte> model,
                                                   const graph::Graph& graph,
                                                   const ContenderSettings& settings) {
  if (settings.tflite_library.empty()) {
    return make_error(ErrorCode::kNotFound, "there is no TensorFlow Lite library");
  }
  host_ref::TfliteOptions options;
  options.threads = contender.threads;
  const TemporaryFolder folder;
  const std::filesystem::path report = folder.path() / "placement.json";
  if (contender.kind == ContenderKind::kXnnpack) {
    if (quantization_of(graph) == LayerQuantization::kUint8PerTensor) {
      return make_error(ErrorCode::kUnsupported, "this XNNPACK has no uint8 kernels");
    }
    options.use_xnnpack = true;
  }
  if (contender.kind == ContenderKind::kDelegate) {
    if (settings.plugin_library.empty()) {
      return make_error(ErrorCode::kNotFound, "there is no delegate plugin");
    }
    options.plugin.library = settings.plugin_library;
    const std::pair<const char*, std::string> pairs[] = {
        {"device", settings.device},
        {"mask", settings.device_options.mask},
        {"cache_dir", settings.device_options.cache_dir},
        {"threads", std::to_string(settings.device_options.threads)},
        {"report", report.string()}};
    for (const auto& [key, value] : pairs) {
      if (!value.empty()) options.plugin.options.emplace_back(key, value);
    }
  }
  const auto library = host_ref::TfliteLibrary::load(settings.tflite_library);
  if (!library) return tl::unexpected(library.error());
  auto interpreter = host_ref::TfliteInterpreter::create(*library, model, options);
  if (!interpreter) return tl::unexpected(interpreter.error());
  if (contender.kind == ContenderKind::kDelegate) {
    if (Status status = check_delegation(report); !status) return tl::unexpected(status.error());
  }
  return std::make_unique<TfliteRunner>(std::move(*interpreter));
}

}  // namespace

std::span<const Contender> all_contenders() {
  static constexpr std::array kContenders = {
      Contender{"lockstep", "our engine on the device", ContenderKind::kEngine, 1},
      Contender{"delegate", "our delegate in TFLite", ContenderKind::kDelegate, 1},
      Contender{"cpu-1", "our engine on the processor, 1 thread", ContenderKind::kCpu, 1},
      Contender{"cpu-2", "our engine on the processor, 2 threads", ContenderKind::kCpu, 2},
      Contender{"cpu-1-litert", "the same with XNNPACK's rounding, 1 thread", ContenderKind::kCpu,
                1, /*by_default=*/true, numerics::Contract::kLitert},
      Contender{"cpu-2-litert", "the same with XNNPACK's rounding, 2 threads", ContenderKind::kCpu,
                2, /*by_default=*/false, numerics::Contract::kLitert},
      Contender{"builtin-1", "TFLite's own kernels, 1 thread", ContenderKind::kBuiltin, 1},
      Contender{"builtin-2", "TFLite's own kernels, 2 threads", ContenderKind::kBuiltin, 2},
      Contender{"xnnpack-1", "TFLite with XNNPACK, 1 thread", ContenderKind::kXnnpack, 1,
                /*by_default=*/true, numerics::Contract::kLitert},
      Contender{"xnnpack-2", "TFLite with XNNPACK, 2 threads", ContenderKind::kXnnpack, 2,
                /*by_default=*/true, numerics::Contract::kLitert},
      Contender{"reference", "our engine on host_ref, 1 thread", ContenderKind::kReference, 1,
                /*by_default=*/false}};
  return kContenders;
}

const Contender* find_contender(std::string_view name) {
  const auto contenders = all_contenders();
  const auto found = std::ranges::find(contenders, name, &Contender::name);
  return found == contenders.end() ? nullptr : &*found;
}

Result<std::unique_ptr<ModelRunner>> create_runner(const Contender& contender,
                                                   const std::filesystem::path& model,
                                                   const ContenderSettings& settings) {
  const auto bytes = graph::read_file_bytes(model);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto graph = graph::read_tflite(*bytes, model.string());
  if (!graph) return tl::unexpected(graph.error());
  switch (contender.kind) {
    case ContenderKind::kEngine:
    case ContenderKind::kCpu:
    case ContenderKind::kReference:
      return create_engine(contender, *graph, settings);
    case ContenderKind::kDelegate:
    case ContenderKind::kBuiltin:
    case ContenderKind::kXnnpack:
      break;
  }
  return create_tflite(contender, *bytes, *graph, settings);
}

Result<std::vector<std::vector<std::byte>>> random_inputs(const graph::Graph& graph) {
  std::mt19937 random(11);
  std::vector<std::vector<std::byte>> inputs;
  for (const int32_t input : graph.inputs) {
    const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(input)];
    const auto elements = graph::element_count(tensor.shape);
    const bool is_byte =
        tensor.type == graph::DataType::kInt8 || tensor.type == graph::DataType::kUint8;
    if (!elements || !(is_byte || tensor.type == graph::DataType::kFloat32)) {
      return make_error(ErrorCode::kUnsupported,
                        "'{}': input '{}' is {} {}; 8-bit integers or "
                        "float32 of a known size are needed",
                        graph.name, graph::printable(tensor.name),
                        graph::data_type_name(tensor.type), graph::shape_to_string(tensor.shape));
    }
    const auto count = static_cast<size_t>(*elements);
    std::vector<std::byte>& bytes = inputs.emplace_back(count * graph::data_type_size(tensor.type));
    if (is_byte) {
      std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random()); });
    } else {
      std::vector<float> values(count);
      std::ranges::generate(values,
                            [&] { return static_cast<float>(random() % 2001) / 1000.0f - 1.0f; });
      std::memcpy(bytes.data(), values.data(), bytes.size());
    }
  }
  return inputs;
}

}  // namespace lockstep::bench
