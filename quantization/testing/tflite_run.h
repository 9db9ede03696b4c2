// Networks of tests, run in the real TFLite.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host_ref/tflite_runtime.h"
#include "quantization/affine.h"
#include "quantization/model_editing.h"

namespace lockstep::quantization::testing {

// The library that LOCKSTEP_TFLITE_LIBRARY names; null where it names none, and the test is to be
// skipped. Throws std::runtime_error where it does not load.
std::shared_ptr<const host_ref::TfliteLibrary> tflite_library();

// A tensor after a run, its values as real numbers.
struct RealTensor {
  std::string name;
  graph::Tensor tensor;  // type, shape and quantization
  std::vector<float> values;
};

// The outputs of one inference. Inputs are given as real numbers and quantized as the network's
// inputs say. Throws std::runtime_error with TFLite's words where it refuses the network.
std::vector<RealTensor> run_in_tflite(const schema::ModelT& model,
                                      std::span<const std::vector<float>> inputs);

// The range of every float tensor that has one: inputs, and whatever operators make.
Ranges observe_ranges(const schema::ModelT& model,
                      std::span<const std::vector<std::vector<float>>> samples);

// Inputs for the network's inputs, between `minimum` and `maximum`.
std::vector<std::vector<float>> scattered_inputs(const schema::ModelT& model, float minimum,
                                                 float maximum, uint32_t seed = 1);

}  // namespace lockstep::quantization::testing
