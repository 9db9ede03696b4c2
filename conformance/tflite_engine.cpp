#include <algorithm>
#include <cstdlib>

#include "conformance/inference_engine.h"
#include "host_ref/tflite_runtime.h"

namespace lockstep::conformance {
namespace {

bool has_uint8_tensors(const graph::Graph& graph) {
  return std::ranges::any_of(graph.tensors, [](const graph::Tensor& tensor) {
    return tensor.type == graph::DataType::kUint8;
  });
}

// The operator's input `index`; null where it is absent.
const graph::Tensor* input_of(const graph::Graph& graph, const graph::Operator& op, size_t index) {
  if (index >= op.inputs.size() || op.inputs[index] == graph::kAbsentTensor) return nullptr;
  return &graph.tensors[static_cast<size_t>(op.inputs[index])];
}

// What TFLite 2.9 takes without a word and does not compute; null for everything else.
const char* mistake_about(const graph::Graph& graph, const graph::Operator& op) {
  const graph::Tensor* second = input_of(graph, op, 1);
  if (std::holds_alternative<graph::DepthwiseConv2dAttributes>(op.attributes) &&
      input_of(graph, op, 2) == nullptr) {
    return "crashes on DEPTHWISE_CONV_2D without bias";
  }
  if (std::holds_alternative<graph::FullyConnectedAttributes>(op.attributes) &&
      second->quantization.is_per_axis()) {
    return "reads the first one only of FULLY_CONNECTED's scales for each output channel";
  }
  if (std::holds_alternative<graph::PadAttributes>(op.attributes) &&
      second->type == graph::DataType::kInt64) {
    return "reads PAD's int64 amounts as int32";
  }
  return nullptr;
}

class TfliteEngine final : public InferenceEngine {
 public:
  TfliteEngine(std::shared_ptr<const host_ref::TfliteLibrary> library, bool use_xnnpack)
      : library_(std::move(library)) {
    options_.use_xnnpack = use_xnnpack;
    description_.selector = use_xnnpack ? "xnnpack" : "tflite";
    description_.device.backend = "engine";
    description_.device.name = use_xnnpack ? "XNNPACK" : "TFLite builtin kernels";
    description_.device.driver = "TFLite " + library_->version();
    description_.device.kind = backend::DeviceKind::kCpu;
  }

  const SubjectDescription& description() const override { return description_; }
  numerics::Contract contract() const override {
    return options_.use_xnnpack ? numerics::Contract::kLitert : numerics::Contract::kTflite;
  }

  Status accepts(const Case& source) const override {
    if (options_.use_xnnpack && has_uint8_tensors(source.graph)) {
      return make_error(ErrorCode::kUnsupported,
                        "this XNNPACK has no uint8 kernels: builtin ones would compute the case");
    }
    for (const graph::Operator& op : source.graph.operators) {
      if (const char* mistake = mistake_about(source.graph, op); mistake != nullptr) {
        return make_error(ErrorCode::kUnsupported, "TFLite {} {}", library_->version(), mistake);
      }
    }
    return {};
  }

  Result<std::vector<std::vector<std::byte>>> run(
      std::span<const std::byte> model, std::span<const std::vector<std::byte>> inputs) override {
    const auto created = host_ref::TfliteInterpreter::create(library_, model, options_);
    if (!created) return refused(created.error());
    host_ref::TfliteInterpreter& interpreter = **created;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (Status status = interpreter.set_input(i, inputs[i]); !status) {
        return tl::unexpected(status.error());
      }
    }
    if (Status status = interpreter.invoke(); !status) return refused(status.error());
    std::vector<std::vector<std::byte>> outputs;
    for (size_t i = 0; i < interpreter.output_count(); ++i) {
      const auto data = interpreter.output(i).data;
      outputs.emplace_back(data.begin(), data.end());
    }
    return outputs;
  }

 private:
  static tl::unexpected<Error> refused(const Error& error) {
    return tl::unexpected(Error{ErrorCode::kUnsupported, error.message});
  }

  std::shared_ptr<const host_ref::TfliteLibrary> library_;
  host_ref::TfliteOptions options_;
  SubjectDescription description_;
};

}  // namespace

Result<std::unique_ptr<InferenceEngine>> open_tflite_engine(bool use_xnnpack) {
  const char* path = std::getenv("LOCKSTEP_TFLITE_LIBRARY");
  if (path == nullptr || *path == '\0') {
    return make_error(ErrorCode::kNotFound,
                      "the environment variable LOCKSTEP_TFLITE_LIBRARY names no TFLite library "
                      "(scripts/fetch.sh brings one: build/third_party/tflite-2.9/lib)");
  }
  auto library = host_ref::TfliteLibrary::load(path);
  if (!library) return tl::unexpected(library.error());
  return std::make_unique<TfliteEngine>(std::move(*library), use_xnnpack);
}

}  // namespace lockstep::conformance
