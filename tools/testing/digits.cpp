#include "tools/testing/digits.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>

namespace lockstep::tools::testing {
namespace {

constexpr size_t kPixels = kDigitExtent * kDigitExtent;
constexpr size_t kClasses = 10;

// All pixels of all digits of a class, one digit behind the other.
const std::vector<float>& pixels_of_class(const std::filesystem::path& folder, size_t digit) {
  static std::array<std::vector<float>, kClasses> read;
  if (read[digit].empty()) {
    const std::filesystem::path path = folder / (std::to_string(digit) + ".json");
    std::ifstream file(path);
    const auto json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded() || !json.contains("data")) {
      throw std::runtime_error("cannot read " + path.string());
    }
    read[digit] = json.at("data").get<std::vector<float>>();
  }
  return read[digit];
}

}  // namespace

std::vector<float> Digits::image(size_t index) const {
  std::vector<float> pixels(kPixels);
  std::memcpy(pixels.data(), images.data.data() + index * kPixels * sizeof(float),
              kPixels * sizeof(float));
  return pixels;
}

std::optional<Digits> read_digits(size_t first, size_t per_class) {
  const char* folder = std::getenv("LOCKSTEP_DIGITS_DIR");
  if (folder == nullptr) return std::nullopt;
  Digits digits;
  for (size_t i = first; i < first + per_class; ++i) {
    for (size_t digit = 0; digit < kClasses; ++digit) {
      const std::vector<float>& pixels = pixels_of_class(folder, digit);
      if (pixels.size() < (i + 1) * kPixels)
        throw std::runtime_error("there are not so many digits");
      const auto bytes = std::as_bytes(std::span(pixels).subspan(i * kPixels, kPixels));
      digits.images.data.insert(digits.images.data.end(), bytes.begin(), bytes.end());
      digits.classes.push_back(digit);
    }
  }
  digits.images.type = NumberType::kFloat32;
  digits.images.shape = {static_cast<int64_t>(digits.count()), kDigitExtent, kDigitExtent};
  return digits;
}

}  // namespace lockstep::tools::testing
