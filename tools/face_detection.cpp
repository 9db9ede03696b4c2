#include "tools/face_detection.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace lockstep::tools {
namespace {

// One pass over the image: a grid of cells, each with some anchors in its centre.
struct AnchorGrid {
  int32_t cell = 0;  // pixels
  int32_t anchors = 0;
};

struct FaceNetwork {
  int32_t extent = 0;
  int32_t boxes = 0;
  std::vector<AnchorGrid> grids;
};

const std::vector<FaceNetwork>& known_networks() {
  static const std::vector<FaceNetwork> networks{
      {.extent = 128, .boxes = 896, .grids = {{8, 2}, {16, 6}}},
      {.extent = 192, .boxes = 2304, .grids = {{4, 1}}},
  };
  return networks;
}

constexpr size_t kBoxValues = 16;
constexpr float kSameFace = 0.3f;  // overlap from which two boxes are of one face

// 1 / (1 + exp(-x)); beyond 100 nothing changes but that exp() might overflow.
float score_of(float logit) {
  return 1.0f / (1.0f + std::exp(-std::clamp(logit, -100.0f, 100.0f)));
}

struct FaceOutputs {
  std::span<const float> boxes;
  std::span<const float> logits;
};

// Which output is which, whatever their order.
std::optional<FaceOutputs> find_outputs(std::span<const OutputValues> outputs) {
  const OutputValues* boxes = nullptr;
  const OutputValues* logits = nullptr;
  for (const OutputValues& output : outputs) {
    const bool is_of_rows = output.shape.size() == 3 && output.shape[0] == 1;
    if (is_of_rows && output.shape[2] == int32_t{kBoxValues}) boxes = &output;
    if (is_of_rows && output.shape[2] == 1) logits = &output;
  }
  if (boxes == nullptr || logits == nullptr ||
      boxes->values.size() != logits->values.size() * kBoxValues) {
    return std::nullopt;
  }
  return FaceOutputs{boxes->values, logits->values};
}

// Takes the best face, and all others that overlap it, for one; then the next, until none is left.
// `faces` are sorted, best first.
std::vector<Detection> merge_overlapping(std::vector<Detection> faces) {
  std::vector<Detection> merged;
  while (!faces.empty()) {
    const Detection best = faces.front();
    Detection sum{.top = 0, .left = 0, .bottom = 0, .right = 0, .score = 0};
    std::vector<Detection> others;
    for (const Detection& face : faces) {
      const bool is_same =
          &face == &faces.front() || intersection_over_union(face, best) > kSameFace;
      if (!is_same) {
        others.push_back(face);
        continue;
      }
      sum.top += face.score * face.top;
      sum.left += face.score * face.left;
      sum.bottom += face.score * face.bottom;
      sum.right += face.score * face.right;
      sum.score += face.score;
    }
    merged.push_back({.top = sum.top / sum.score,
                      .left = sum.left / sum.score,
                      .bottom = sum.bottom / sum.score,
                      .right = sum.right / sum.score,
                      .score = best.score});
    faces = std::move(others);
  }
  return merged;
}

}  // namespace

Result<std::vector<FaceAnchor>> face_anchors(int32_t extent, int32_t count) {
  const auto& networks = known_networks();
  const auto network = std::ranges::find_if(networks, [&](const FaceNetwork& known) {
    return known.extent == extent && known.boxes == count;
  });
  if (network == networks.end()) {
    return make_error(ErrorCode::kUnsupported,
                      "no face detector with {} boxes in {} x {} pixels is known", count, extent,
                      extent);
  }
  std::vector<FaceAnchor> anchors;
  for (const AnchorGrid& grid : network->grids) {
    const int32_t cells = extent / grid.cell;
    for (int32_t y = 0; y < cells; ++y) {
      for (int32_t x = 0; x < cells; ++x) {
        const FaceAnchor centre{(static_cast<float>(x) + 0.5f) / static_cast<float>(cells),
                                (static_cast<float>(y) + 0.5f) / static_cast<float>(cells)};
        anchors.insert(anchors.end(), static_cast<size_t>(grid.anchors), centre);
      }
    }
  }
  return anchors;
}

Result<std::vector<Detection>> faces_of(std::span<const OutputValues> outputs, int32_t extent,
                                        float minimum_score) {
  const auto found = find_outputs(outputs);
  if (!found) {
    return make_error(ErrorCode::kUnsupported,
                      "the outputs are not those of a face detector: 1xNx16 and 1xNx1");
  }
  const auto anchors = face_anchors(extent, static_cast<int32_t>(found->logits.size()));
  if (!anchors) return tl::unexpected(anchors.error());
  const auto pixels = static_cast<float>(extent);
  std::vector<Detection> faces;
  for (size_t i = 0; i < anchors->size(); ++i) {
    const std::span<const float> box = found->boxes.subspan(i * kBoxValues, 4);
    const float score = score_of(found->logits[i]);
    const bool is_sane = std::ranges::all_of(box, [](float value) { return std::isfinite(value); });
    if (!is_sane || !(score >= minimum_score)) continue;
    const float x = box[0] / pixels + (*anchors)[i].x;
    const float y = box[1] / pixels + (*anchors)[i].y;
    const float half_width = box[2] / pixels / 2;
    const float half_height = box[3] / pixels / 2;
    faces.push_back({.top = y - half_height,
                     .left = x - half_width,
                     .bottom = y + half_height,
                     .right = x + half_width,
                     .score = score});
  }
  std::ranges::stable_sort(faces, std::ranges::greater{}, &Detection::score);
  return merge_overlapping(std::move(faces));
}

Detection Letterbox::in_photo(Detection face) const {
  face.left = (face.left - left) / width;
  face.right = (face.right - left) / width;
  face.top = (face.top - top) / height;
  face.bottom = (face.bottom - top) / height;
  return face;
}

Letterbox letterbox(const Image& photo, int32_t extent) {
  const ImagePart part = centred_part({0, 0, extent, extent}, photo.width, photo.height);
  const auto fraction = [extent](int32_t pixels) {
    return static_cast<float>(pixels) / static_cast<float>(extent);
  };
  return {.image = resize_image(photo, extent, extent, ResizeMode::kFit),
          .left = fraction(part.x),
          .top = fraction(part.y),
          .width = fraction(part.width),
          .height = fraction(part.height)};
}

float intersection_over_union(const Detection& a, const Detection& b) {
  const auto area = [](float width, float height) {
    return std::max(width, 0.0f) * std::max(height, 0.0f);
  };
  const float shared = area(std::min(a.right, b.right) - std::max(a.left, b.left),
                            std::min(a.bottom, b.bottom) - std::max(a.top, b.top));
  const float covered =
      area(a.right - a.left, a.bottom - a.top) + area(b.right - b.left, b.bottom - b.top) - shared;
  return covered > 0 ? shared / covered : 0.0f;
}

}  // namespace lockstep::tools
