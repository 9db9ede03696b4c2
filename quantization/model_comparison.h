// Two versions of a network on the same data: how far outputs and layers are apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graph/status.h"
#include "quantization/class_agreement.h"
#include "quantization/compared_network.h"
#include "quantization/equalized_channels.h"
#include "quantization/error_statistics.h"
#include "quantization/histogram.h"
#include "quantization/samples.h"
#include "quantization/tensor_matching.h"

namespace lockstep::quantization {

// One pair of tensors over all samples, in real values.
struct TensorComparison {
  TensorMatch match;
  ErrorStatistics error;
  Histogram differences;  // of actual - expected
  // Where only one of both has equalized channels: their factors are undone.
  std::optional<EqualizedChannels> equalized = {};
};

struct LayerComparison {
  TensorComparison tensor;
  std::string operator_name;  // of the expected network: "CONV_2D"
  // The least SQNR of what the layer computes from, looking through layers that have no
  // counterpart; infinite where there is nothing.
  double input_sqnr = 0;

  // How much of the SQNR is lost in this layer, in decibels. What is better than 8 bits can be
  // (kEightBitSqnr) counts as that much: the first layers of a quantized network would otherwise
  // lose the most by nature.
  double sqnr_drop() const;
};

// One sample of an output.
struct SampleComparison {
  size_t sample = 0;
  double largest_error = 0;
  double l2 = 0;
  double sqnr = 0;
  // Classes the networks put first; absent where the output has no classes.
  std::optional<size_t> expected_class = {};
  std::optional<size_t> actual_class = {};
};

struct OutputComparison {
  TensorComparison tensor;
  // 0 but for outputs of one list of scores a sample (1x10, or 8x10 with a batch of 8).
  size_t class_count = 0;
  ClassAgreement agreement;
  std::vector<SampleComparison> samples;
};

struct ModelComparison {
  size_t samples = 0;
  TensorMatching matching;
  std::vector<TensorComparison> inputs;  // what quantizing the inputs costs
  std::vector<LayerComparison> layers;
  std::vector<OutputComparison> outputs;

  // The layer whose sqnr_drop() is the largest; nullopt where nothing is lost anywhere.
  std::optional<size_t> largest_drop() const;
};

// Which network the samples are made for. The other one gets the same real values, quantized by its
// own inputs' scales.
enum class SamplesFor : uint8_t { kExpected, kActual };

struct ComparisonOptions {
  SamplesFor samples_for = SamplesFor::kExpected;
  // Leaves the layers out, and so needs networks to observe nothing else.
  bool outputs_only = false;
  // Called after every sample.
  std::function<void(size_t done, size_t count)> progress = {};
};

// Sample by sample, keeping sums and counts alone. Both networks must observe what is compared.
Result<ModelComparison> compare_models(ComparedNetwork& expected, ComparedNetwork& actual,
                                       const SampleSource& samples,
                                       const ComparisonOptions& options);

// The sample of one network as the other one takes it.
Result<Sample> convert_sample(const Sample& sample, const graph::Graph& from,
                              const graph::Graph& to, const std::vector<TensorMatch>& inputs,
                              SamplesFor made_for);

}  // namespace lockstep::quantization
