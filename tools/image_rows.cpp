// Photos as rows of an input.
#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "tools/image.h"
#include "tools/input_rows.h"

namespace lockstep::tools {
namespace {

// What stb_image reads.
constexpr std::array<std::string_view, 12> kSuffixes = {".jpg", ".jpeg", ".png", ".bmp",
                                                        ".gif", ".tga",  ".psd", ".hdr",
                                                        ".pic", ".ppm",  ".pgm", ".pnm"};

int32_t channels_of(const graph::Shape& row) { return row.size() == 3 ? row[2] : 1; }

class ImageRows final : public InputRows {
 public:
  ImageRows(const InputSlot& slot, const Preprocessing& preprocessing, std::filesystem::path path)
      : slot_(slot), preprocessing_(preprocessing), path_(std::move(path)) {}

  size_t count() const override { return 1; }
  std::string name(size_t) const override { return path_.string(); }

  Result<std::vector<std::byte>> read(size_t) const override {
    const auto image = read_image(path_);
    if (!image) return tl::unexpected(image.error());
    const graph::Shape& shape = slot_.row.shape;
    const int32_t channels = channels_of(shape);
    const std::vector<uint8_t> pixels =
        channel_values(resize_image(*image, shape[1], shape[0], preprocessing_.resize), channels);
    std::vector<float> values(pixels.begin(), pixels.end());
    if (Status status = normalize(preprocessing_, kPixelNormalization,
                                  static_cast<size_t>(channels), slot_.tensor.name, values);
        !status) {
      return tl::unexpected(status.error());
    }
    return row_of_values(slot_, values, path_.string());
  }

 private:
  const InputSlot& slot_;
  const Preprocessing& preprocessing_;
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
                                              std::filesystem::path path) {
  if (!takes_images(slot.row.shape)) {
    return make_error(
        ErrorCode::kInvalidArgument,
        "'{}': input '{}' of shape {} takes no images (NxHxWx3, NxHxWx1 and NxHxW do)",
        path.string(), graph::printable(slot.tensor.name),
        graph::shape_to_string(slot.tensor.shape));
  }
  if (Status status = check_image(path); !status) return tl::unexpected(status.error());
  if (Status status =
          normalize(preprocessing, kPixelNormalization,
                    static_cast<size_t>(channels_of(slot.row.shape)), slot.tensor.name, {});
      !status) {
    return tl::unexpected(status.error());
  }
  return std::make_unique<ImageRows>(slot, preprocessing, std::move(path));
}

}  // namespace lockstep::tools
