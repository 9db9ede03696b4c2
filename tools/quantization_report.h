// What `lockstep quantize` tells about its result.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "quantization/post_training.h"

namespace lockstep::tools {

struct QuantizationSummary {
  std::filesystem::path model;
  std::filesystem::path output;
  quantization::QuantizationMode mode = quantization::QuantizationMode::kInt8;
  uintmax_t old_size = 0;
  uintmax_t new_size = 0;
  std::string tflite_version;  // of the runtime that has run the result; empty: none has
};

void print_quantization(const QuantizationSummary& summary,
                        const quantization::PostTrainingReport& report);

nlohmann::json quantization_json(const QuantizationSummary& summary,
                                 const quantization::PostTrainingReport& report);

}  // namespace lockstep::tools
