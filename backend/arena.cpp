#include "backend/arena.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

namespace lockstep::backend {
namespace {

int64_t align_up(int64_t value, int64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

bool overlap_in_time(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

// The most bytes that are alive at one step: sizes come in at `first` and leave after `last`.
int64_t largest_live_sum(std::span<const Lifetime> lifetimes, int64_t alignment) {
  std::map<int32_t, int64_t> change_at;
  for (const Lifetime& lifetime : lifetimes) {
    const int64_t bytes = align_up(lifetime.bytes, alignment);
    change_at[lifetime.first] += bytes;
    change_at[lifetime.last + 1] -= bytes;
  }
  int64_t live = 0;
  int64_t largest = 0;
  for (const auto& [step, change] : change_at) {
    live += change;
    largest = std::max(largest, live);
  }
  return largest;
}

struct Placement {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
};

// Puts the tensors, in the given order, each into the lowest gap between those that are placed and
// alive at the same time.
Placement place_in_order(std::span<const Lifetime> lifetimes, std::span<const size_t> order,
                         int64_t alignment) {
  Placement placement;
  placement.offsets.assign(lifetimes.size(), 0);
  std::vector<size_t> placed_by_offset;
  for (const size_t current : order) {
    const int64_t bytes = align_up(lifetimes[current].bytes, alignment);
    int64_t offset = 0;
    for (const size_t other : placed_by_offset) {
      if (!overlap_in_time(lifetimes[current], lifetimes[other])) {
        continue;
      }
      const int64_t other_offset = placement.offsets[other];
      if (offset + bytes <= other_offset) {
        break;
      }
      offset = std::max(offset, other_offset + align_up(lifetimes[other].bytes, alignment));
    }
    placement.offsets[current] = offset;
    placement.bytes = std::max(placement.bytes, offset + bytes);
    const auto position = std::upper_bound(
        placed_by_offset.begin(), placed_by_offset.end(), offset,
        [&](int64_t value, size_t other) { return value < placement.offsets[other]; });
    placed_by_offset.insert(position, current);
  }
  return placement;
}

}  // namespace

ArenaPlan plan_arena(std::span<const Lifetime> lifetimes, int64_t alignment) {
  const int64_t lower_bound = largest_live_sum(lifetimes, alignment);
  const auto duration = [](const Lifetime& lifetime) {
    return int64_t{lifetime.last} - lifetime.first + 1;
  };
  using Earlier =
      bool (*)(const Lifetime& a, const Lifetime& b, int64_t duration_a, int64_t duration_b);
  constexpr Earlier kOrders[] = {
      [](const Lifetime& a, const Lifetime& b, int64_t, int64_t) { return a.bytes > b.bytes; },
      [](const Lifetime& a, const Lifetime& b, int64_t, int64_t) { return a.first < b.first; },
      // Whatever lives long is in everybody's way.
      [](const Lifetime& a, const Lifetime& b, int64_t duration_a, int64_t duration_b) {
        return duration_a != duration_b ? duration_a > duration_b : a.bytes > b.bytes;
      },
      [](const Lifetime& a, const Lifetime& b, int64_t duration_a, int64_t duration_b) {
        return static_cast<double>(a.bytes) * static_cast<double>(duration_a) >
               static_cast<double>(b.bytes) * static_cast<double>(duration_b);
      },
      [](const Lifetime& a, const Lifetime& b, int64_t, int64_t) { return a.last > b.last; },
  };
  Placement best;
  best.bytes = std::numeric_limits<int64_t>::max();
  for (const Earlier earlier : kOrders) {
    std::vector<size_t> order(lifetimes.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, [&](size_t a, size_t b) {
      return earlier(lifetimes[a], lifetimes[b], duration(lifetimes[a]), duration(lifetimes[b]));
    });
    Placement placement = place_in_order(lifetimes, order, alignment);
    if (placement.bytes < best.bytes) {
      best = std::move(placement);
    }
    if (best.bytes <= lower_bound) {
      break;
    }
  }
  return {std::move(best.offsets), best.bytes, lower_bound};
}

}  // namespace lockstep::backend
