#include "tools/random_crop.h"

#include <random>

namespace lockstep::tools {
namespace {

// The generator's raw output only: distributions differ between standard libraries.
int32_t random_up_to(int32_t largest, std::mt19937_64& dice) {
  return static_cast<int32_t>(dice() % (static_cast<uint64_t>(largest) + 1));
}

std::mt19937_64 dice_for(uint64_t seed, uint64_t number) {
  std::seed_seq words{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                      static_cast<uint32_t>(number), static_cast<uint32_t>(number >> 32)};
  return std::mt19937_64(words);
}

}  // namespace

bool has_crops(ImageSize photo, ImageSize input) {
  return photo.width >= input.width && photo.height >= input.height && photo != input;
}

ImagePart random_crop(ImageSize photo, ImageSize input, uint64_t seed, size_t number) {
  std::mt19937_64 dice = dice_for(seed, number);
  ImagePart whole{.x = 0, .y = 0, .width = photo.width, .height = photo.height};
  const ImagePart largest = centred_part(whole, input.width, input.height);
  whole.width = input.width + random_up_to(largest.width - input.width, dice);
  ImagePart crop = centred_part(whole, input.width, input.height);
  crop.x = random_up_to(photo.width - crop.width, dice);
  crop.y = random_up_to(photo.height - crop.height, dice);
  return crop;
}

}  // namespace lockstep::tools
