// What a network's outputs say, for people: boxes of a detector or classes of a classifier.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/status.h"
#include "host_ref/tflite_runtime.h"
#include "tools/image.h"

namespace lockstep::tools {

// An output tensor with the quantization its model gives it.
struct OutputValues {
  graph::Shape shape;
  std::vector<float> values;  // real values
};
// Quantized outputs are dequantized; kUnsupported for other types than 8-bit and float32.
Result<OutputValues> output_values(const graph::Tensor& tensor, std::span<const std::byte> bytes);

// One label a line. "12  cat" and "cat" are both understood; ids missing from the file have no
// name.
class Labels {
 public:
  static Result<Labels> read(const std::filesystem::path& path);
  static Labels of(std::vector<std::string> names);  // of the classes 0, 1, 2, ...
  std::string name(int32_t id) const;  // "class 12" when the file has none
  size_t size() const { return names_.size(); }

 private:
  std::vector<std::string> names_;
};

// Corners are fractions of the image's extents.
struct Detection {
  float top = 0;
  float left = 0;
  float bottom = 0;
  float right = 0;
  float score = 0;
  int32_t class_id = 0;
};

// The outputs of TFLite's detection post-processing: boxes [1, n, 4], classes [1, n], scores [1,
// n], count [1]. nullopt when the outputs are not of that form. Best first, only those with at
// least `minimum_score`.
std::optional<std::vector<Detection>> detections_of(std::span<const OutputValues> outputs,
                                                    float minimum_score);

struct Classification {
  int32_t class_id = 0;
  float score = 0;
};
// The `count` largest values of a [1, classes] output, best first; nullopt for another form.
std::optional<std::vector<Classification>> classifications_of(std::span<const OutputValues> outputs,
                                                              size_t count);

void draw_detections(Image& image, std::span<const Detection> detections, const Labels& labels);
void draw_classifications(Image& image, std::span<const Classification> classifications,
                          const Labels& labels);

}  // namespace lockstep::tools
