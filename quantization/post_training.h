// From any float-like network to a quantized one: the whole way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/editable_model.h"
#include "graph/status.h"
#include "host_ref/tflite_runtime.h"
#include "quantization/bias_correction.h"
#include "quantization/channel_equalization.h"
#include "quantization/float_network.h"
#include "quantization/int8_quantizer.h"
#include "quantization/model_comparison.h"
#include "quantization/range_selection.h"
#include "quantization/samples.h"
#include "quantization/weight_only.h"

namespace lockstep::quantization {

enum class QuantizationMode : uint8_t {
  kInt8,          // weights and activations
  kDynamicRange,  // int8 weights, float activations
  kFloat16,       // float16 constants, float activations
};
std::string_view quantization_mode_name(QuantizationMode mode);  // "int8", ...
std::optional<QuantizationMode> parse_quantization_mode(std::string_view name);

struct PostTrainingOptions {
  QuantizationMode mode = QuantizationMode::kInt8;
  Int8Options int8 = {};
  RangeOptions ranges = {};
  Equalization equalization = Equalization::kCautious;
  bool correct_biases = true;
  // On how many samples layers are compared with the float network's; 0: not at all.
  size_t compared_samples = 16;
  int32_t threads = 1;  // of TFLite
  // Called while something is under way: what, and how far.
  std::function<void(std::string_view step, size_t done, size_t count)> progress = {};
};

struct PostTrainingReport {
  FloatNetworkReport float_network;  // what had to be done to the network first
  size_t samples = 0;                // that calibration has seen
  std::optional<EqualizationReport> equalization;
  std::optional<Int8Report> int8;
  std::optional<BiasCorrectionReport> biases;
  std::optional<WeightOnlyReport> weights;
  // With the float network, on the first of the samples.
  std::optional<ModelComparison> comparison;
  std::vector<std::string> tensor_names;  // of the float network, which the comparison expects
};

struct PostTrainingResult {
  std::vector<std::byte> file;
  PostTrainingReport report;
};

// `library` and `samples` (those of the float network's inputs) may be absent for modes that need
// no calibration. Where there is a library, the file has been run in it; our own reader has taken
// it in any case.
Result<PostTrainingResult> quantize_after_training(
    graph::EditableModel model, const std::shared_ptr<const host_ref::TfliteLibrary>& library,
    const SampleSource& samples, const PostTrainingOptions& options);

}  // namespace lockstep::quantization
