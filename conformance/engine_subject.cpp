#include "conformance/inference_engine.h"
#include "graph/tflite_writer.h"

namespace lockstep::conformance {
namespace {

constexpr std::string_view kTfliteSelector = "tflite";
constexpr std::string_view kXnnpackSelector = "xnnpack";
constexpr std::string_view kExternalPrefix = "engine:";

class EngineSubject final : public Subject {
 public:
  explicit EngineSubject(std::unique_ptr<InferenceEngine> engine) : engine_(std::move(engine)) {}

  const SubjectDescription& description() const override { return engine_->description(); }

  Result<std::vector<ConfigurationGroup>> configurations(const LoweredCase& lowered) override {
    if (lowered.contract != engine_->contract()) {
      return make_error(ErrorCode::kUnsupported, "{} computes the contract {}",
                        description().device.name, numerics::contract_name(engine_->contract()));
    }
    if (Status status = engine_->accepts(*lowered.source); !status) {
      return tl::unexpected(status.error());
    }
    return std::vector<ConfigurationGroup>{{}};
  }

  Result<std::vector<Observation>> run(const LoweredCase& lowered, const Configuration&,
                                       int32_t repetitions) override {
    const auto model = graph::write_tflite(lowered.source->graph);
    if (!model) return tl::unexpected(model.error());
    std::vector<Observation> observations;
    for (int32_t i = 0; i < repetitions; ++i) {
      auto outputs = engine_->run(*model, lowered.source->inputs);
      if (!outputs) return tl::unexpected(outputs.error());
      observations.push_back({std::move(*outputs), description().device.name});
    }
    return observations;
  }

 private:
  std::unique_ptr<InferenceEngine> engine_;
};

Result<std::unique_ptr<InferenceEngine>> open_engine(std::string_view selector) {
  if (selector == kTfliteSelector) return open_tflite_engine(false);
  if (selector == kXnnpackSelector) return open_tflite_engine(true);
  return open_external_engine(selector.substr(kExternalPrefix.size()));
}

}  // namespace

bool is_engine_selector(std::string_view selector) {
  return selector == kTfliteSelector || selector == kXnnpackSelector ||
         selector.starts_with(kExternalPrefix);
}

Result<std::unique_ptr<Subject>> open_engine_subject(std::string_view selector) {
  auto engine = open_engine(selector);
  if (!engine) return tl::unexpected(engine.error());
  return std::make_unique<EngineSubject>(std::move(*engine));
}

}  // namespace lockstep::conformance
