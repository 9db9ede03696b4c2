// Random parts of photos: with them a few photos make a representative data set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tools/image.h"

namespace lockstep::tools {

// Whether a photo has parts of `input`'s size besides itself. Others are used as they are.
bool has_crops(ImageSize photo, ImageSize input);

// A part of the photo, anywhere in it, as large as the input or larger, of about its aspect ratio.
// Parts with other numbers are other ones; the same seed means the same parts on every machine.
// Precondition: has_crops().
ImagePart random_crop(ImageSize photo, ImageSize input, uint64_t seed, size_t number);

}  // namespace lockstep::tools
