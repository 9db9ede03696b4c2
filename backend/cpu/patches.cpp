#include "backend/cpu/patches.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/operation.h"

namespace lockstep::backend::cpu {
namespace {

// Copies and fills in pieces of 16 bytes: most runs are short, and a call of memcpy() would take
// longer than they do.
uint8_t* copy_run(const uint8_t* from, size_t bytes, uint8_t* to) {
  for (size_t i = 0; i < bytes; i += kPatchSlack) std::memcpy(to + i, from + i, kPatchSlack);
  return to + bytes;
}

uint8_t* fill_run(uint8_t value, size_t bytes, uint8_t* to) {
  for (size_t i = 0; i < bytes; i += kPatchSlack) std::memset(to + i, value, kPatchSlack);
  return to + bytes;
}

}  // namespace

Patches::Patches(const graph::LoweredConvolution& convolution)
    : input_(convolution.input_extent),
      output_(convolution.output_extent),
      window_(convolution.window),
      group_channels_(static_cast<size_t>(convolution.input_extent.channels / convolution.groups)),
      depth_(static_cast<size_t>(window_.kernel_height) *
             static_cast<size_t>(window_.kernel_width) * group_channels_),
      is_input_(window_.kernel_height == 1 && window_.kernel_width == 1 &&
                window_.stride_height == 1 && window_.stride_width == 1 &&
                window_.padding_top == 0 && window_.padding_left == 0 &&
                input_.height == output_.height && input_.width == output_.width),
      has_whole_rows_(window_.dilation_width == 1 && convolution.groups == 1),
      outside_(to_byte(convolution.input_zero_point)) {}

void Patches::copy(const uint8_t* input, int64_t first, size_t count, int32_t group,
                   uint8_t* patches, size_t stride) const {
  int64_t x = first % output_.width;
  int64_t y = first / output_.width % output_.height;
  int64_t n = first / output_.width / output_.height;
  const int64_t image_bytes = int64_t{input_.height} * input_.width * input_.channels;
  // Where windows lie in the image as a whole.
  const int64_t last_y =
      input_.height - int64_t{window_.kernel_height - 1} * window_.dilation_height;
  const int64_t last_x = input_.width - int64_t{window_.kernel_width - 1} * window_.dilation_width;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* image = input + n * image_bytes + group * static_cast<int64_t>(group_channels_);
    const int64_t origin_y = y * window_.stride_height - window_.padding_top;
    const int64_t origin_x = x * window_.stride_width - window_.padding_left;
    uint8_t* patch = patches + i * stride;
    if (has_whole_rows_ && origin_y >= 0 && origin_y < last_y && origin_x >= 0 &&
        origin_x < last_x) {
      copy_inner_window(image, origin_y, origin_x, patch);
    } else {
      copy_window(image, origin_y, origin_x, patch);
    }
    if (++x < output_.width) continue;
    x = 0;
    if (++y < output_.height) continue;
    y = 0;
    ++n;
  }
}

void Patches::copy_inner_window(const uint8_t* image, int64_t origin_y, int64_t origin_x,
                                uint8_t* patch) const {
  const int64_t pixel_bytes = input_.channels;
  const size_t row_bytes = static_cast<size_t>(window_.kernel_width) * group_channels_;
  const int64_t step = int64_t{window_.dilation_height} * input_.width * pixel_bytes;
  const uint8_t* row = image + (origin_y * input_.width + origin_x) * pixel_bytes;
  for (int32_t ky = 0; ky < window_.kernel_height; ++ky) {
    patch = copy_run(row, row_bytes, patch);
    row += step;
  }
}

void Patches::copy_window(const uint8_t* image, int64_t origin_y, int64_t origin_x,
                          uint8_t* patch) const {
  const size_t row_bytes = static_cast<size_t>(window_.kernel_width) * group_channels_;
  const auto pixel_bytes = static_cast<int64_t>(input_.channels);
  for (int64_t ky = 0; ky < window_.kernel_height; ++ky) {
    const int64_t in_y = origin_y + ky * window_.dilation_height;
    if (in_y < 0 || in_y >= input_.height) {
      patch = fill_run(outside_, row_bytes, patch);
      continue;
    }
    const uint8_t* row = image + in_y * input_.width * pixel_bytes;
    for (int64_t kx = 0; kx < window_.kernel_width; ++kx) {
      const int64_t in_x = origin_x + kx * window_.dilation_width;
      patch = in_x < 0 || in_x >= input_.width
                  ? fill_run(outside_, group_channels_, patch)
                  : copy_run(row + in_x * pixel_bytes, group_channels_, patch);
    }
  }
}

}  // namespace lockstep::backend::cpu
