// Bounds the memory that a hostile file can ask for. Internal to graph/.
#pragma once

#include <cstddef>

namespace lockstep::graph {

// What is copied out of a file can be far larger than the file: one long list may be pointed to
// from many places. Real files share little, so a few times their size is enough for all of them.
class CopyBudget {
 public:
  explicit CopyBudget(size_t file_size) : left_(kCopiesOfTheFile * file_size + kAlwaysAllowed) {}

  // Whether `bytes` more may be copied.
  bool spend(size_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }

 private:
  static constexpr size_t kCopiesOfTheFile = 4;
  static constexpr size_t kAlwaysAllowed = size_t{1} << 20;
  size_t left_;
};

}  // namespace lockstep::graph
