#include "tools/predictions.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <numeric>
#include <utility>

namespace lockstep::tools {
namespace {

constexpr std::array<Color, 8> kPalette{{{200, 40, 40},
                                         {30, 110, 190},
                                         {30, 140, 60},
                                         {190, 100, 10},
                                         {130, 60, 170},
                                         {10, 130, 130},
                                         {170, 40, 110},
                                         {90, 90, 90}}};

Color color_of(int32_t class_id) {
  return kPalette[static_cast<size_t>(class_id) % kPalette.size()];
}

int32_t line_thickness(const Image& image) {
  return std::max(2, std::max(image.width, image.height) / 300);
}

int32_t text_scale(const Image& image) {
  return std::max(1, std::max(image.width, image.height) / 450);
}

template <typename T>
void dequantize(const graph::Quantization& quantization, std::span<const std::byte> bytes,
                std::vector<float>& values) {
  const bool is_quantized = quantization.is_quantized();
  const float scale = is_quantized ? quantization.scales[0] : 1.0f;
  const int32_t zero_point = is_quantized ? quantization.zero_points[0] : 0;
  for (const std::byte byte : bytes) {
    values.push_back(scale * static_cast<float>(static_cast<T>(byte) - zero_point));
  }
}

bool has_extents(const OutputValues& output, std::initializer_list<int32_t> shape) {
  return std::equal(output.shape.begin(), output.shape.end(), shape.begin(), shape.end());
}

}  // namespace

Result<OutputValues> output_values(const graph::Tensor& tensor, std::span<const std::byte> bytes) {
  OutputValues output{.shape = tensor.shape, .values = {}};
  switch (tensor.type) {
    case graph::DataType::kInt8:
      dequantize<int8_t>(tensor.quantization, bytes, output.values);
      return output;
    case graph::DataType::kUint8:
      dequantize<uint8_t>(tensor.quantization, bytes, output.values);
      return output;
    case graph::DataType::kFloat32:
      output.values.resize(bytes.size() / sizeof(float));
      std::memcpy(output.values.data(), bytes.data(), output.values.size() * sizeof(float));
      return output;
    default:
      return make_error(ErrorCode::kUnsupported, "output '{}' is {}, not a quantity", tensor.name,
                        graph::data_type_name(tensor.type));
  }
}

Result<Labels> Labels::read(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) {
    return make_error(ErrorCode::kNotFound, "cannot read the labels '{}'", path.string());
  }
  constexpr size_t kMaximumId = 1'000'000;  // bounds what a damaged file can make us allocate
  Labels labels;
  std::string line;
  for (size_t next_id = 0; std::getline(file, line); ++next_id) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    size_t digits = 0;
    while (digits < line.size() && line[digits] >= '0' && line[digits] <= '9') ++digits;
    const size_t text = line.find_first_not_of(" \t:", digits);
    const bool has_id = digits > 0 && digits < 8 && text != std::string::npos && text > digits;
    const size_t id = has_id ? std::stoul(line.substr(0, digits)) : next_id;
    if (id > kMaximumId) {
      return make_error(ErrorCode::kInvalidArgument, "the labels '{}' number a class {}",
                        path.string(), id);
    }
    if (labels.names_.size() <= id) labels.names_.resize(id + 1);
    labels.names_[id] = has_id ? line.substr(text) : line;
  }
  return labels;
}

Labels Labels::of(std::vector<std::string> names) {
  Labels labels;
  labels.names_ = std::move(names);
  return labels;
}

std::string Labels::name(int32_t id) const {
  const auto index = static_cast<size_t>(id);
  if (id >= 0 && index < names_.size() && !names_[index].empty()) return names_[index];
  return fmt::format("class {}", id);
}

std::optional<std::vector<Detection>> detections_of(std::span<const OutputValues> outputs,
                                                    float minimum_score) {
  if (outputs.size() != 4 || outputs[0].shape.size() != 3) return std::nullopt;
  const int32_t capacity = outputs[0].shape[1];
  const bool is_detector = has_extents(outputs[0], {1, capacity, 4}) &&
                           has_extents(outputs[1], {1, capacity}) &&
                           has_extents(outputs[2], {1, capacity}) && outputs[3].values.size() == 1;
  if (!is_detector) return std::nullopt;
  const float stated = outputs[3].values[0];
  const auto count = static_cast<size_t>(
      std::isfinite(stated) ? std::clamp(stated, 0.0f, static_cast<float>(capacity)) : 0.0f);
  std::vector<Detection> detections;
  for (size_t i = 0; i < count; ++i) {
    const float* box = outputs[0].values.data() + i * 4;
    const float score = outputs[2].values[i];
    const float class_id = outputs[1].values[i];
    const bool is_sane =
        std::all_of(box, box + 4, [](float edge) { return std::isfinite(edge); }) &&
        class_id >= 0 && class_id < 1e6f;
    if (!is_sane || !(score >= minimum_score)) continue;
    detections.push_back({.top = box[0],
                          .left = box[1],
                          .bottom = box[2],
                          .right = box[3],
                          .score = score,
                          .class_id = static_cast<int32_t>(class_id)});
  }
  std::stable_sort(detections.begin(), detections.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  return detections;
}

std::optional<std::vector<Classification>> classifications_of(std::span<const OutputValues> outputs,
                                                              size_t count) {
  if (outputs.size() != 1 || outputs[0].values.size() < 2) return std::nullopt;
  const graph::Shape& shape = outputs[0].shape;
  const bool is_vector =
      std::all_of(shape.begin(), shape.end() - 1, [](int32_t extent) { return extent == 1; });
  if (!is_vector) return std::nullopt;
  const std::vector<float>& values = outputs[0].values;
  std::vector<int32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  // A NaN is no number to sort by: it comes last.
  const auto weight = [&values](int32_t class_id) {
    const float value = values[static_cast<size_t>(class_id)];
    return std::isnan(value) ? -std::numeric_limits<float>::infinity() : value;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&weight](int32_t a, int32_t b) { return weight(a) > weight(b); });
  std::vector<Classification> best;
  for (size_t i = 0; i < std::min(count, order.size()); ++i) {
    best.push_back({.class_id = order[i], .score = values[static_cast<size_t>(order[i])]});
  }
  return best;
}

void draw_detections(Image& image, std::span<const Detection> detections, const Labels& labels) {
  const auto to_pixels = [](float fraction, int32_t extent) {
    return static_cast<int32_t>(
        std::lround(std::clamp(fraction, 0.0f, 1.0f) * static_cast<float>(extent)));
  };
  // The best last, so that its label lies on top.
  for (size_t i = detections.size(); i-- > 0;) {
    const Detection& detection = detections[i];
    const Color color = color_of(detection.class_id);
    const int32_t left = to_pixels(detection.left, image.width);
    const int32_t top = to_pixels(detection.top, image.height);
    draw_rectangle(image, left, top, to_pixels(detection.right, image.width),
                   to_pixels(detection.bottom, image.height), line_thickness(image), color);
    draw_label(image, left, top, text_scale(image),
               fmt::format("{} {:.0f}%", labels.name(detection.class_id), detection.score * 100),
               color);
  }
}

void draw_classifications(Image& image, std::span<const Classification> classifications,
                          const Labels& labels) {
  const int32_t scale = text_scale(image);
  const int32_t line_height = 16 * scale;
  int32_t bottom = line_height;
  for (const Classification& classification : classifications) {
    draw_label(image, 0, bottom, scale,
               fmt::format("{} {:.3f}", labels.name(classification.class_id), classification.score),
               color_of(classification.class_id));
    bottom += line_height;
  }
}

}  // namespace lockstep::tools
