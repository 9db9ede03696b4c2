// What must not change in one buffer of a program that guards its memory: everything but the
// activations that kernels write. Plain host memory, no Vulkan object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/status.h"

namespace lockstep::backend::vulkan {

class GuardedMemory {
 public:
  // A buffer of nothing but guards. They are made of four different bytes that `fill` decides, so
  // that no kernel that writes one value everywhere can hide behind its own value.
  GuardedMemory(int64_t bytes, uint8_t fill);

  // Blocks in ascending order, none overlapping another; `name` is for messages, "tensor 'x'".
  // An activation starts as bytes of `fill` and may change.
  void add_activation(std::string name, int64_t offset, int64_t bytes);
  // A constant starts as bytes of `fill`, too; whoever writes it does so in image().
  void add_constant(std::string name, int64_t offset, int64_t bytes);

  // What the buffer holds before the first run.
  std::span<std::byte> image() { return image_; }
  std::span<const std::byte> image() const { return image_; }

  // Compares the buffer's contents, image().size() bytes, with what they must still be. kInternal
  // when a byte differs, told by its number in the nearest block (negative in front of it).
  Status check(const std::byte* contents) const;

 private:
  struct Block {
    std::string name;
    int64_t offset = 0;
    int64_t bytes = 0;
    bool may_change = false;

    int64_t end() const { return offset + bytes; }
  };

  void add(Block block);
  Status check_range(const std::byte* contents, int64_t begin, int64_t end) const;
  const Block* nearest_block(int64_t position) const;

  uint8_t fill_;
  std::vector<std::byte> image_;
  std::vector<Block> blocks_;
};

}  // namespace lockstep::backend::vulkan
