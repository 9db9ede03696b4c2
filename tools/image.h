// Photos in, pictures out: decoding and resizing to a network's input, and drawing detections.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "graph/status.h"
#include "graph/tensor.h"

namespace lockstep::tools {

// 8-bit RGB, rows from the top, no padding between rows.
struct Image {
  int32_t width = 0;
  int32_t height = 0;
  std::vector<uint8_t> pixels;  // height * width * 3
};

using Color = std::array<uint8_t, 3>;

struct ImageSize {
  int32_t width = 0;
  int32_t height = 0;
  bool operator==(const ImageSize&) const = default;
};

// JPEG, PNG, BMP, ... whatever stb_image reads; grey and alpha become RGB.
Result<Image> read_image(const std::filesystem::path& path);
// What its header says, or why it cannot be read.
Result<ImageSize> read_image_size(const std::filesystem::path& path);
Status write_png(const Image& image, const std::filesystem::path& path);

// A rectangle of an image's pixels.
struct ImagePart {
  int32_t x;
  int32_t y;
  int32_t width;
  int32_t height;
};
// The largest part of `whole`, around its centre, with the ratio of `width` to `height`; at least a
// pixel.
ImagePart centred_part(const ImagePart& whole, int32_t width, int32_t height);
// Precondition: the part lies within the image.
Image cut_out(const Image& image, const ImagePart& part);

// How an image of one aspect ratio becomes one of another.
enum class ResizeMode : unsigned char {
  kStretch,  // every pixel is kept, the picture is distorted
  kCrop,     // the largest part of the new ratio around the centre
  kFit,      // the whole picture as the centred_part() of the result, black beside it
};
Image resize_image(const Image& image, int32_t width, int32_t height,
                   ResizeMode mode = ResizeMode::kStretch);

// The pixels in rows, 3 (RGB) or 1 (luma) channels each. Precondition: `channels` is one of those.
std::vector<uint8_t> channel_values(const Image& image, int32_t channels);
// Copies `part` onto `image` with its upper left corner at (left, top), clipped to the image.
void paste_image(Image& image, const Image& part, int32_t left, int32_t top);

// The bytes of a network input of shape [1, height, width, channels] (channels 1 or 3) made from an
// image: resized, then uint8 as it is, int8 minus 128, float32 as pixel / 127.5 - 1.
Result<std::vector<std::byte>> image_to_input(const Image& image, const std::string& input_name,
                                              graph::DataType type, std::span<const int32_t> shape);

// Outlines the rectangle (pixel coordinates, clipped to the image).
void draw_rectangle(Image& image, int32_t left, int32_t top, int32_t right, int32_t bottom,
                    int32_t thickness, Color color);
// White text on a filled background, its lower left corner at (left, bottom), moved into the image
// when it would leave it. Printable ASCII; other characters appear as '?'.
void draw_label(Image& image, int32_t left, int32_t bottom, int32_t scale, const std::string& text,
                Color background);

}  // namespace lockstep::tools
