#include "quantization/channel_indices.h"

#include <algorithm>
#include <numeric>

namespace lockstep::quantization {
namespace {

// Far more than any layer has channels, flattened images included.
constexpr size_t kLongest = size_t{1} << 20;

constexpr const char* kContradiction = "shapes do not belong together";

}  // namespace

ChannelIndices::ChannelIndices(const schema::SubGraphT& subgraph) {
  size_t total = 0;
  for (const auto& tensor : subgraph.tensors) {
    for (const int32_t extent : tensor->shape) {
      total += static_cast<size_t>(std::clamp(extent, 0, static_cast<int32_t>(kLongest)));
    }
  }
  size_t next = 0;
  std::vector<size_t> fixed;
  for (const auto& tensor : subgraph.tensors) {
    auto& axes = axes_.emplace_back();
    for (const int32_t extent : tensor->shape) {
      const auto length = static_cast<size_t>(std::max(extent, 0));
      const bool is_tracked = length > 0 && length <= kLongest && total <= kMost;
      axes.push_back({.extent = length, .first = next, .tracked = is_tracked ? length : 1});
      if (!is_tracked) fixed.push_back(next);
      next += axes.back().tracked;
    }
  }
  parents_.resize(next);
  std::iota(parents_.begin(), parents_.end(), size_t{0});
  for (const size_t member : fixed) fix_class(member, "its extent is out of bounds");
}

size_t ChannelIndices::extent(TensorAxis axis) const { return at(axis).extent; }

size_t ChannelIndices::root(size_t member) const {
  while (parents_[member] != member) {
    parents_[member] = parents_[parents_[member]];
    member = parents_[member];
  }
  return member;
}

ChannelIndices::Class ChannelIndices::class_of(TensorAxis axis, size_t index) const {
  const Axis& place = at(axis);
  return root(place.first + std::min(index, place.tracked - 1));
}

void ChannelIndices::join(TensorAxis a, size_t index_of_a, TensorAxis b, size_t index_of_b) {
  if (index_of_a >= extent(a) || index_of_b >= extent(b)) {
    fix(a, kContradiction);
    fix(b, kContradiction);
    return;
  }
  const Class first = class_of(a, index_of_a);
  const Class second = class_of(b, index_of_b);
  if (first == second) return;
  parents_[second] = first;
  if (const auto found = reasons_.find(second); found != reasons_.end()) {
    const std::string reason = found->second;
    reasons_.erase(found);
    fix_class(first, reason);
  }
}

void ChannelIndices::join_all(TensorAxis a, TensorAxis b) {
  if (extent(a) != extent(b)) {
    fix(a, kContradiction);
    fix(b, kContradiction);
    return;
  }
  for (size_t i = 0; i < at(a).tracked; ++i) join(a, i, b, i);
}

void ChannelIndices::fix(TensorAxis axis, const std::string& reason) {
  for (size_t i = 0; i < at(axis).tracked; ++i) fix_class(class_of(axis, i), reason);
}

void ChannelIndices::fix_class(Class of, const std::string& reason) {
  reasons_.try_emplace(of, reason);
}

const std::string* ChannelIndices::reason_against(Class of) const {
  const auto found = reasons_.find(of);
  return found == reasons_.end() ? nullptr : &found->second;
}

}  // namespace lockstep::quantization
