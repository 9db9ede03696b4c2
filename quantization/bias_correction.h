// Takes away the average error of an int8 layer, channel by channel.
//
// Rounding weights shifts what a layer makes by about the same amount on every input, and clipping
// does so too. On the calibration samples the mean of each output channel is compared with that of
// the float network, and the difference goes into the bias, one layer after the other, so that each
// is corrected behind layers that are. With d the differences of the n samples and e^2 their
// variance / n, the error of their mean:
//
//   bias += mean(d) * max(0, 1 - e^2 / mean(d)^2)
//
// so that what may be chance is left alone. A fused activation hides a part of what the bias moves:
// a second round takes what the first has left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "graph/status.h"
#include "host_ref/tflite_runtime.h"
#include "quantization/model_editing.h"
#include "quantization/samples.h"

namespace lockstep::quantization {

struct BiasCorrectionOptions {
  int32_t threads = 1;  // of TFLite
  size_t memory_limit =
      size_t{1} << 30;  // bytes of activations; fewer samples where they do not fit
  std::function<void(size_t done, size_t count)> progress = {};  // called after every layer
};

struct BiasCorrectionReport {
  size_t layers = 0;   // whose bias changed
  size_t samples = 0;  // that were used
};

// `quantized` is what quantize_to_int8() made of the plain float network in `float_file`.
Result<BiasCorrectionReport> correct_biases(
    schema::ModelT& quantized, std::span<const std::byte> float_file,
    const std::shared_ptr<const host_ref::TfliteLibrary>& library, const SampleSource& samples,
    const BiasCorrectionOptions& options);

}  // namespace lockstep::quantization
