#include "quantization/channel_indices.h"

#include <algorithm>
#include <numeric>
#include <utility>

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

// A class is mentioned once for each of its indices: equal mentions in equal order are equal
// dimensions.
std::vector<ChannelIndices::Group> ChannelIndices::free_groups(
    const std::vector<TensorAxis>& axes) const {
  std::map<Class, std::vector<TensorAxis>> mentions;
  for (const TensorAxis& axis : axes) {
    for (size_t i = 0; i < at(axis).tracked; ++i) {
      const Class each = class_of(axis, i);
      if (reason_against(each) == nullptr) mentions.try_emplace(each);
    }
  }
  for_each([&](TensorAxis axis, size_t, Class each) {
    if (const auto found = mentions.find(each); found != mentions.end()) {
      found->second.push_back(axis);
    }
  });
  std::map<std::vector<TensorAxis>, std::vector<Class>> by_mentions;
  for (auto& [each, mentioned] : mentions) by_mentions[std::move(mentioned)].push_back(each);
  std::vector<Group> groups;
  for (auto& [mentioned, classes] : by_mentions) {
    Group group{.classes = std::move(classes), .axes = mentioned};
    group.axes.erase(std::unique(group.axes.begin(), group.axes.end()), group.axes.end());
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace lockstep::quantization
