// Photos as rows of an input.
#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "tools/image.h"
#include "tools/input_rows.h"
#include "tools/random_crop.h"

namespace lockstep::tools {
namespace {

// What stb_image reads.
constexpr std::array<std::string_view, 12> kSuffixes = {".jpg", ".jpeg", ".png", ".bmp",
                                                        ".gif", ".tga",  ".psd", ".hdr",
                                                        ".pic", ".ppm",  ".pgm", ".pnm"};

int32_t channels_of(const graph::Shape& row) { return row.size() == 3 ? row[2] : 1; }
ImageSize size_of(const graph::Shape& row) { return {.width = row[1], .height = row[0]}; }

class ImageRows final : public InputRows {
 public:
  // Without crops where `crops.count` is 0.
  ImageRows(const InputSlot& slot, const Preprocessing& preprocessing, const CropRows& crops,
            std::filesystem::path path)
      : slot_(slot), preprocessing_(preprocessing), crops_(crops), path_(std::move(path)) {}

  size_t count() const override { return std::max<size_t>(crops_.count, 1); }
  std::string name(size_t index) const override {
    return crops_.count == 0 ? path_.string() : fmt::format("{}[{}]", path_.string(), index);
  }

  Result<std::vector<std::byte>> read(size_t index) const override {
    const auto image = read_part(index);
    if (!image) return tl::unexpected(image.error());
    const ImageSize size = size_of(slot_.row.shape);
    const int32_t channels = channels_of(slot_.row.shape);
    const std::vector<uint8_t> pixels = channel_values(
        resize_image(*image, size.width, size.height, preprocessing_.resize), channels);
    std::vector<float> values(pixels.begin(), pixels.end());
    if (Status status = normalize(preprocessing_, kPixelNormalization,
                                  static_cast<size_t>(channels), slot_.tensor.name, values);
        !status) {
      return tl::unexpected(status.error());
    }
    return row_of_values(slot_, values, name(index));
  }

 private:
  Result<Image> read_part(size_t index) const {
    auto image = read_image(path_);
    if (!image || crops_.count == 0) return image;
    const ImageSize size{.width = image->width, .height = image->height};
    const ImageSize input = size_of(slot_.row.shape);
    if (!has_crops(size, input)) {
      return make_error(ErrorCode::kInvalidArgument, "'{}' changed its size", path_.string());
    }
    return cut_out(*image, random_crop(size, input, crops_.seed, crops_.first + index));
  }

  const InputSlot& slot_;
  const Preprocessing& preprocessing_;
  CropRows crops_;
  std::filesystem::path path_;
};

bool takes_images(const graph::Shape& row) {
  return row.size() == 2 || (row.size() == 3 && (row[2] == 1 || row[2] == 3));
}

}  // namespace

bool has_image_suffix(const std::filesystem::path& path) {
  std::string suffix = path.extension().string();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kSuffixes.begin(), kSuffixes.end(), suffix) != kSuffixes.end();
}

Result<std::unique_ptr<InputRows>> image_rows(const InputSlot& slot,
                                              const Preprocessing& preprocessing,
                                              const CropRows& crops, std::filesystem::path path) {
  if (!takes_images(slot.row.shape)) {
    return make_error(
        ErrorCode::kInvalidArgument,
        "'{}': input '{}' of shape {} takes no images (NxHxWx3, NxHxWx1 and NxHxW do)",
        path.string(), graph::printable(slot.tensor.name),
        graph::shape_to_string(slot.tensor.shape));
  }
  const auto size = read_image_size(path);
  if (!size) return tl::unexpected(size.error());
  if (Status status =
          normalize(preprocessing, kPixelNormalization,
                    static_cast<size_t>(channels_of(slot.row.shape)), slot.tensor.name, {});
      !status) {
    return tl::unexpected(status.error());
  }
  const bool is_cropped = crops.count > 0 && has_crops(*size, size_of(slot.row.shape));
  return std::make_unique<ImageRows>(slot, preprocessing, is_cropped ? crops : CropRows{},
                                     std::move(path));
}

}  // namespace lockstep::tools
