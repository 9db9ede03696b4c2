// Handwritten digits (MNIST) as data for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tools/npy.h"

namespace lockstep::tools::testing {

struct Digits {
  NumberArray images;           // n x 28 x 28, float32 from 0 to 1
  std::vector<size_t> classes;  // n of them, 0 to 9

  size_t count() const { return classes.size(); }
  // The pixels of one.
  std::vector<float> image(size_t index) const;
};

inline constexpr size_t kDigitExtent = 28;

// Of every class `per_class` digits, from number `first` of that class on; the classes take turns.
// nullopt where LOCKSTEP_DIGITS_DIR names no folder: such a test is skipped. Throws
// std::runtime_error where its files are not those that scripts/fetch.sh brings.
std::optional<Digits> read_digits(size_t first, size_t per_class);

}  // namespace lockstep::tools::testing
