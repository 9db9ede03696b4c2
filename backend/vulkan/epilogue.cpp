#include "backend/vulkan/epilogue.h"

#include <cstring>

namespace lockstep::backend::vulkan {

std::array<uint32_t, 3> epilogue_constants(const Epilogue& epilogue) {
  return {epilogue.addition.arithmetic, epilogue.addition.end, epilogue.table ? 1u : 0u};
}

std::vector<int32_t> epilogue_parameters(const Epilogue& epilogue) {
  if (epilogue.is_empty()) {
    return {};
  }
  const Addition& addition = epilogue.addition;
  std::vector<int32_t> words{
      addition.left_zero_point,   addition.right_zero_point, addition.left_shift,
      addition.output_zero_point, addition.left.multiplier,  addition.left.shift,
      addition.right.multiplier,  addition.right.shift,      addition.sum.multiplier,
      addition.sum.shift,         addition.activation_min,   addition.activation_max};
  if (epilogue.table) {
    std::array<int32_t, 64> entries{};
    std::memcpy(entries.data(), epilogue.table->data(), epilogue.table->size());
    words.insert(words.end(), entries.begin(), entries.end());
  }
  return words;
}

}  // namespace lockstep::backend::vulkan
