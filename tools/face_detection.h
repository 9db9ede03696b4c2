// Faces from the outputs of MediaPipe's BlazeFace networks ("BlazeFace: Sub-millisecond Neural Face
// Detection on Mobile GPUs", Bazarevsky et al., 2019). The anchors and the decoding are those that
// MediaPipe's graphs face_detection_short_range and face_detection_full_range configure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/status.h"
#include "graph/tensor.h"
#include "tools/image.h"
#include "tools/predictions.h"

namespace lockstep::tools {

// Where an anchor's box has its centre, in fractions of the network's input.
struct FaceAnchor {
  float x = 0;
  float y = 0;
};

// The anchors of the network with square inputs of `extent` pixels and `count` boxes: 896 of short
// range (128 pixels: 2 in each cell of 8 pixels, then 6 in each of 16), 2304 of full range (192
// pixels: 1 in each cell of 4). kUnsupported for other networks.
Result<std::vector<FaceAnchor>> face_anchors(int32_t extent, int32_t count);

// Boxes of a network whose input was `extent` x `extent` pixels, best first, in fractions of that
// input. One output has rows of 16 values, x, y, width and height in pixels relative to the anchor
// and six landmarks, the other a row of one logit for each. Boxes that overlap by more than 0.3 are
// one face: their mean, weighted by score. Values that are not finite are nobody's face.
// kUnsupported where the outputs are not of that form.
Result<std::vector<Detection>> faces_of(std::span<const OutputValues> outputs, int32_t extent,
                                        float minimum_score);

// A photo in the middle of a black square of `extent` pixels, as large as fits.
struct Letterbox {
  Image image;
  // The photo's part of the square, in fractions.
  float left = 0;
  float top = 0;
  float width = 1;
  float height = 1;

  // From fractions of the square to fractions of the photo.
  Detection in_photo(Detection face) const;
};
Letterbox letterbox(const Image& photo, int32_t extent);

// Area of what two boxes share by the area that they cover together; 0 where both are empty.
float intersection_over_union(const Detection& a, const Detection& b);

}  // namespace lockstep::tools
