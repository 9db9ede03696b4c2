// The rows that a convolution multiplies its weights by: of each output pixel, the taps of its
// window one after another, each with the channels of a group.
#pragma once

#include <cstddef>
#include <cstdint>

#include "graph/lowered_graph.h"

namespace lockstep::backend::cpu {

// A patch is written in pieces of so many bytes, the last one over its end.
inline constexpr size_t kPatchSlack = 16;

class Patches {
 public:
  Patches() = default;
  explicit Patches(const graph::LoweredConvolution& convolution);

  // Of a patch, in bytes.
  size_t depth() const { return depth_; }
  int64_t count() const { return output_.elements() / output_.channels; }

  // Whether the patches of neighbouring pixels are the input's pixels themselves.
  bool is_input() const { return is_input_; }

  // The patches of `count` output pixels from `first` on (n, y, x in this order) and group `group`,
  // `stride` bytes apart, at least depth() + kPatchSlack - 1. Writes up to kPatchSlack - 1 bytes
  // beyond each, and reads as many beyond the input.
  void copy(const uint8_t* input, int64_t first, size_t count, int32_t group, uint8_t* patches,
            size_t stride) const;

 private:
  // Of the window at (origin_y, origin_x) in `image`.
  void copy_window(const uint8_t* image, int64_t origin_y, int64_t origin_x, uint8_t* patch) const;
  // The same where the whole window is in the image, and its rows are whole.
  void copy_inner_window(const uint8_t* image, int64_t origin_y, int64_t origin_x,
                         uint8_t* patch) const;

  graph::Extent4d input_;
  graph::Extent4d output_;
  graph::Window2d window_;
  size_t group_channels_ = 0;
  size_t depth_ = 0;
  bool is_input_ = false;
  // Neighbouring taps of a row are neighbours in memory.
  bool has_whole_rows_ = false;
  uint8_t outside_ = 0;  // what taps outside the image read
};

}  // namespace lockstep::backend::cpu
