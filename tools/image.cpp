#include "tools/image.h"

#include <stb/stb_easy_font.h>
#include <stb/stb_image.h>
#include <stb/stb_image_resize.h>
#include <stb/stb_image_write.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace lockstep::tools {
namespace {

constexpr int kRgb = 3;
// Bounds what a damaged or hostile file can make us allocate.
constexpr int64_t kMaximumPixels = int64_t{1} << 28;

// [left, right) x [top, bottom), clipped to the image.
void fill(Image& image, int32_t left, int32_t top, int32_t right, int32_t bottom, Color color) {
  left = std::clamp(left, 0, image.width);
  right = std::clamp(right, left, image.width);
  top = std::clamp(top, 0, image.height);
  bottom = std::clamp(bottom, top, image.height);
  for (int32_t y = top; y < bottom; ++y) {
    for (int32_t x = left; x < right; ++x) {
      const size_t pixel =
          (static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x)) *
          kRgb;
      std::copy(color.begin(), color.end(), image.pixels.begin() + static_cast<ptrdiff_t>(pixel));
    }
  }
}

// stb_easy_font's vertex; four make an axis-aligned rectangle.
struct FontVertex {
  float x, y, z;
  std::array<uint8_t, 4> color;
};
struct FontQuad {
  std::array<FontVertex, 4> corners;
};
static_assert(sizeof(FontQuad) == 64);

size_t first_byte(const Image& image, const ImagePart& part) {
  return (static_cast<size_t>(part.y) * static_cast<size_t>(image.width) +
          static_cast<size_t>(part.x)) *
         kRgb;
}

std::byte input_element(uint8_t pixel, graph::DataType type) {
  return type == graph::DataType::kInt8 ? static_cast<std::byte>(pixel ^ 0x80U)
                                        : static_cast<std::byte>(pixel);
}

}  // namespace

Result<ImageSize> read_image_size(const std::filesystem::path& path) {
  int width = 0;
  int height = 0;
  int channels = 0;
  if (stbi_info(path.c_str(), &width, &height, &channels) == 0) {
    return make_error(ErrorCode::kNotFound, "cannot read the image '{}': {}", path.string(),
                      stbi_failure_reason());
  }
  if (int64_t{width} * height > kMaximumPixels) {
    return make_error(ErrorCode::kUnsupported, "the image '{}' is too large: {} x {} pixels",
                      path.string(), width, height);
  }
  return ImageSize{.width = width, .height = height};
}

Result<Image> read_image(const std::filesystem::path& path) {
  if (const auto size = read_image_size(path); !size) return tl::unexpected(size.error());
  int width = 0;
  int height = 0;
  int channels = 0;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
      stbi_load(path.c_str(), &width, &height, &channels, kRgb), &stbi_image_free);
  if (!pixels) {
    return make_error(ErrorCode::kNotFound, "cannot read the image '{}': {}", path.string(),
                      stbi_failure_reason());
  }
  Image image{.width = width, .height = height, .pixels = {}};
  const size_t bytes = static_cast<size_t>(width) * static_cast<size_t>(height) * kRgb;
  image.pixels.assign(pixels.get(), pixels.get() + bytes);
  return image;
}

Status write_png(const Image& image, const std::filesystem::path& path) {
  // Written beside the target first, so that a reader never sees half a picture.
  std::filesystem::path partial = path;
  partial += ".partial";
  if (stbi_write_png(partial.c_str(), image.width, image.height, kRgb, image.pixels.data(),
                     image.width * kRgb) == 0) {
    return make_error(ErrorCode::kInvalidArgument, "cannot write '{}'", path.string());
  }
  std::error_code error;
  std::filesystem::rename(partial, path, error);
  if (error) {
    std::error_code ignored;
    std::filesystem::remove(partial, ignored);
    return make_error(ErrorCode::kInvalidArgument, "cannot write '{}': {}", path.string(),
                      error.message());
  }
  return {};
}

ImagePart centred_part(const ImagePart& whole, int32_t width, int32_t height) {
  const auto scaled = [](int32_t length, int32_t numerator, int32_t denominator) {
    const int64_t rounded = (int64_t{length} * numerator + denominator / 2) / denominator;
    return static_cast<int32_t>(std::max<int64_t>(rounded, 1));
  };
  ImagePart part = whole;
  if (int64_t{whole.width} * height > int64_t{whole.height} * width) {
    part.width = scaled(whole.height, width, height);
  } else {
    part.height = scaled(whole.width, height, width);
  }
  part.width = std::min(part.width, whole.width);
  part.height = std::min(part.height, whole.height);
  part.x = (whole.width - part.width) / 2;
  part.y = (whole.height - part.height) / 2;
  return part;
}

Image cut_out(const Image& image, const ImagePart& part) {
  Image result{.width = part.width, .height = part.height, .pixels = {}};
  const auto row_bytes = static_cast<size_t>(part.width) * kRgb;
  result.pixels.reserve(static_cast<size_t>(part.height) * row_bytes);
  for (int32_t y = part.y; y < part.y + part.height; ++y) {
    const uint8_t* const row =
        image.pixels.data() + first_byte(image, {part.x, y, part.width, part.height});
    result.pixels.insert(result.pixels.end(), row, row + row_bytes);
  }
  return result;
}

Image resize_image(const Image& image, int32_t width, int32_t height, ResizeMode mode) {
  if (image.width == width && image.height == height) return image;
  ImagePart source{.x = 0, .y = 0, .width = image.width, .height = image.height};
  ImagePart target{.x = 0, .y = 0, .width = width, .height = height};
  if (mode == ResizeMode::kCrop) source = centred_part(source, width, height);
  if (mode == ResizeMode::kFit) target = centred_part(target, image.width, image.height);
  Image result{.width = width, .height = height, .pixels = {}};
  result.pixels.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * kRgb);
  stbir_resize_uint8(image.pixels.data() + first_byte(image, source), source.width, source.height,
                     image.width * kRgb, result.pixels.data() + first_byte(result, target),
                     target.width, target.height, width * kRgb, kRgb);
  return result;
}

void paste_image(Image& image, const Image& part, int32_t left, int32_t top) {
  const int32_t first_column = std::max(left, 0);
  const int32_t columns = std::min(left + part.width, image.width) - first_column;
  if (columns <= 0) return;
  const auto pixel = [](const Image& of, int32_t y, int32_t x) {
    return static_cast<std::ptrdiff_t>(y) * of.width * kRgb + static_cast<std::ptrdiff_t>(x) * kRgb;
  };
  for (int32_t y = std::max(top, 0); y < std::min(top + part.height, image.height); ++y) {
    std::copy_n(part.pixels.begin() + pixel(part, y - top, first_column - left), columns * kRgb,
                image.pixels.begin() + pixel(image, y, first_column));
  }
}

std::vector<uint8_t> channel_values(const Image& image, int32_t channels) {
  if (channels == kRgb) return image.pixels;
  std::vector<uint8_t> values;
  values.reserve(image.pixels.size() / kRgb);
  for (size_t i = 0; i + 2 < image.pixels.size(); i += kRgb) {
    // ITU-R BT.601 luma in 1/1000.
    values.push_back(static_cast<uint8_t>(
        (299 * image.pixels[i] + 587 * image.pixels[i + 1] + 114 * image.pixels[i + 2] + 500) /
        1000));
  }
  return values;
}

Result<std::vector<std::byte>> image_to_input(const Image& image, const std::string& input_name,
                                              graph::DataType type,
                                              std::span<const int32_t> shape) {
  const bool is_image = shape.size() == 4 && shape[0] == 1 && shape[1] > 0 && shape[2] > 0 &&
                        (shape[3] == 1 || shape[3] == kRgb);
  if (!is_image) {
    return make_error(ErrorCode::kUnsupported,
                      "input '{}' of shape {} does not take an image (1xHxWx3 or 1xHxWx1 does)",
                      input_name, graph::shape_to_string(shape));
  }
  const bool is_8_bit = type == graph::DataType::kInt8 || type == graph::DataType::kUint8;
  if (!is_8_bit && type != graph::DataType::kFloat32) {
    return make_error(ErrorCode::kUnsupported, "input '{}' of type {} does not take an image",
                      input_name, graph::data_type_name(type));
  }
  const std::vector<uint8_t> values =
      channel_values(resize_image(image, shape[2], shape[1]), shape[3]);
  std::vector<std::byte> bytes;
  if (is_8_bit) {
    bytes.reserve(values.size());
    for (const uint8_t value : values) bytes.push_back(input_element(value, type));
    return bytes;
  }
  bytes.resize(values.size() * sizeof(float));
  for (size_t i = 0; i < values.size(); ++i) {
    const float real = static_cast<float>(values[i]) / 127.5f - 1.0f;
    std::memcpy(bytes.data() + i * sizeof(float), &real, sizeof(float));
  }
  return bytes;
}

void draw_rectangle(Image& image, int32_t left, int32_t top, int32_t right, int32_t bottom,
                    int32_t thickness, Color color) {
  fill(image, left, top, right, top + thickness, color);
  fill(image, left, bottom - thickness, right, bottom, color);
  fill(image, left, top, left + thickness, bottom, color);
  fill(image, right - thickness, top, right, bottom, color);
}

void draw_label(Image& image, int32_t left, int32_t bottom, int32_t scale, const std::string& text,
                Color background) {
  std::string printable;
  for (const char c : text) printable += c >= ' ' && c <= '~' ? c : '?';
  const int32_t margin = 2 * scale;
  const int32_t width = stb_easy_font_width(printable.data()) * scale + 2 * margin;
  const int32_t height = stb_easy_font_height(printable.data()) * scale + margin;
  left = std::clamp(left, 0, std::max(0, image.width - width));
  const int32_t top = std::clamp(bottom - height, 0, std::max(0, image.height - height));
  fill(image, left, top, left + width, top + height, background);

  // No glyph has more than about 20 quads.
  std::vector<FontQuad> quads(printable.size() * 24);
  const int count = stb_easy_font_print(0, 0, printable.data(), nullptr, quads.data(),
                                        static_cast<int>(quads.size() * sizeof(FontQuad)));
  const auto to_pixels = [scale](float units) {
    return static_cast<int32_t>(units * static_cast<float>(scale));
  };
  for (const FontQuad& quad : std::span(quads).first(static_cast<size_t>(count))) {
    const FontVertex& first = quad.corners[0];
    const FontVertex& opposite = quad.corners[2];
    fill(image, left + margin + to_pixels(first.x), top + margin + to_pixels(first.y),
         left + margin + to_pixels(opposite.x), top + margin + to_pixels(opposite.y),
         Color{255, 255, 255});
  }
}

}  // namespace lockstep::tools
