// Runs a float network in the real TFLite on representative inputs and observes every activation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>

#include "graph/status.h"
#include "host_ref/tflite_runtime.h"
#include "quantization/affine.h"
#include "quantization/range_selection.h"
#include "quantization/samples.h"
#include "quantization/tensor_observer.h"

namespace lockstep::quantization {

struct CalibrationOptions {
  int32_t threads = 1;  // of TFLite
  // Called after every sample.
  std::function<void(size_t done, size_t count)> progress = {};
};

struct Calibration {
  size_t samples = 0;
  // One for every float32 input of the first subgraph and every float32 tensor that an operator of
  // it produces, by tensor index. Whichever method chooses the ranges afterwards, one pass is
  // enough: the histograms grow with what they see.
  std::map<int32_t, TensorObserver> tensors;
};

// `model` is a .tflite file. Channels (the last dimension) are told apart where there are at most
// 65,536 of them. kInvalidArgument where there are no samples, or where a tensor is NaN
// or infinite on one of them: the message names both.
Result<Calibration> calibrate(std::span<const std::byte> model,
                              const std::shared_ptr<const host_ref::TfliteLibrary>& library,
                              const SampleSource& samples, const CalibrationOptions& options);

// Of every observed tensor; see choose_range().
Ranges choose_ranges(const Calibration& calibration, const RangeOptions& options);

}  // namespace lockstep::quantization
