#include "backend/vulkan/guard_bands.h"

#include <algorithm>
#include <array>

namespace lockstep::backend::vulkan {

GuardedMemory::GuardedMemory(int64_t bytes, uint8_t fill)
    : fill_(fill), image_(static_cast<size_t>(bytes)) {
  constexpr std::array<uint8_t, 4> kDifferences{0x5a, 0xc3, 0x3c, 0xa5};
  for (size_t i = 0; i < image_.size(); ++i) {
    image_[i] = static_cast<std::byte>(fill ^ kDifferences[i % kDifferences.size()]);
  }
}

void GuardedMemory::add(Block block) {
  std::fill_n(image_.begin() + block.offset, block.bytes, static_cast<std::byte>(fill_));
  blocks_.push_back(std::move(block));
}

void GuardedMemory::add_activation(std::string name, int64_t offset, int64_t bytes) {
  add({std::move(name), offset, bytes, true});
}

void GuardedMemory::add_constant(std::string name, int64_t offset, int64_t bytes) {
  add({std::move(name), offset, bytes, false});
}

const GuardedMemory::Block* GuardedMemory::nearest_block(int64_t position) const {
  const auto distance = [&](const Block& block) {
    return std::max({block.offset - position, position - (block.end() - 1), int64_t{0}});
  };
  const auto nearest = std::ranges::min_element(blocks_, {}, distance);
  return nearest == blocks_.end() ? nullptr : &*nearest;
}

Status GuardedMemory::check_range(const std::byte* contents, int64_t begin, int64_t end) const {
  const auto [wrong, expected] =
      std::mismatch(contents + begin, contents + end, image_.begin() + begin);
  if (wrong == contents + end) {
    return {};
  }
  const int64_t position = wrong - contents;
  const std::string change = fmt::format("{:#04x} became {:#04x}", std::to_integer<int>(*expected),
                                         std::to_integer<int>(*wrong));
  const Block* block = nearest_block(position);
  if (block == nullptr) {
    return make_error(ErrorCode::kInternal, "a kernel wrote to unused memory at byte {}: {}",
                      position, change);
  }
  const bool inside = position >= block->offset && position < block->end();
  return make_error(ErrorCode::kInternal, "a kernel wrote {} {}, at byte {} of its {}: {}",
                    inside ? "to" : "outside of", block->name, position - block->offset,
                    block->bytes, change);
}

Status GuardedMemory::check(const std::byte* contents) const {
  int64_t begin = 0;
  for (const Block& block : blocks_) {
    if (!block.may_change) {
      continue;
    }
    if (Status status = check_range(contents, begin, block.offset); !status) {
      return status;
    }
    begin = block.end();
  }
  return check_range(contents, begin, static_cast<int64_t>(image_.size()));
}

}  // namespace lockstep::backend::vulkan
