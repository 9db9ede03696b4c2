// Floats round to nearest, ties to even, as kernels and what prepares them rely on: whatever the
// thread does that calls them, or that started a thread (which inherits its rounding).
#pragma once

#include <cfenv>

namespace lockstep::backend::cpu {

// For its life, on the thread that makes it.
class RoundToNearest {
 public:
  RoundToNearest() : before_(std::fegetround()) {
    if (before_ != FE_TONEAREST) std::fesetround(FE_TONEAREST);
  }
  ~RoundToNearest() {
    if (before_ != FE_TONEAREST) std::fesetround(before_);
  }
  RoundToNearest(const RoundToNearest&) = delete;
  RoundToNearest& operator=(const RoundToNearest&) = delete;

 private:
  int before_;
};

}  // namespace lockstep::backend::cpu
