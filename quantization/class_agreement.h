// How often two classifiers say the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::quantization {

// The indices of the `count` largest scores, best first. Of equal scores, which quantization makes
// often, the lower index comes first, as in numpy's argmax; NaN comes last.
std::vector<size_t> best_classes(std::span<const float> scores, size_t count);

// Of two lists of scores over the same classes.
class ClassAgreement {
 public:
  static constexpr size_t kFew = 5;

  // Precondition: as many scores in both, at least one.
  void add(std::span<const float> expected, std::span<const float> actual);

  uint64_t count() const { return count_; }
  // Shares from 0 to 1; 1 while nothing was added.
  double top1() const { return share(top1_); }  // both put the same class first
  double top5() const { return share(top5_); }  // the expected one's first is among the other's 5

 private:
  double share(uint64_t hits) const {
    return count_ == 0 ? 1 : static_cast<double>(hits) / static_cast<double>(count_);
  }

  uint64_t count_ = 0;
  uint64_t top1_ = 0;
  uint64_t top5_ = 0;
};

}  // namespace lockstep::quantization
