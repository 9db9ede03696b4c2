#include "quantization/class_agreement.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lockstep::quantization {

std::vector<size_t> best_classes(std::span<const float> scores, size_t count) {
  std::vector<size_t> classes(scores.size());
  std::iota(classes.begin(), classes.end(), size_t{0});
  const auto is_better = [scores](size_t a, size_t b) {
    if (std::isnan(scores[a]) || std::isnan(scores[b])) {
      return std::isnan(scores[a]) == std::isnan(scores[b]) ? a < b : std::isnan(scores[b]);
    }
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  };
  count = std::min(count, classes.size());
  std::partial_sort(classes.begin(), classes.begin() + static_cast<ptrdiff_t>(count), classes.end(),
                    is_better);
  classes.resize(count);
  return classes;
}

void ClassAgreement::add(std::span<const float> expected, std::span<const float> actual) {
  const size_t first = best_classes(expected, 1)[0];
  const std::vector<size_t> few = best_classes(actual, kFew);
  ++count_;
  top1_ += few[0] == first ? 1 : 0;
  top5_ += std::find(few.begin(), few.end(), first) != few.end() ? 1 : 0;
}

}  // namespace lockstep::quantization
