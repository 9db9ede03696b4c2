// Random numbers that are the same on every platform: the generators of the standard library are,
// but its distributions are not.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace lockstep::conformance {

// SplitMix64: state += golden ratio, output = a mix of the state. Every seed gives a good sequence.
class Random {
 public:
  explicit constexpr Random(uint64_t seed) : state_(seed) {}

  // A sequence of its own for every name, so that a case keeps its contents when cases before it
  // come and go. The name is hashed by FNV-1a.
  constexpr Random(uint64_t seed, std::string_view name) : state_(seed) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char character : name) {
      hash = (hash ^ static_cast<uint8_t>(character)) * 0x100000001b3u;
    }
    state_ ^= hash;
  }

  constexpr uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
  }

  // Uniform in [minimum, maximum]. The modulo's bias is below 2^-31, which no test can see.
  constexpr int32_t between(int32_t minimum, int32_t maximum) {
    assert(minimum <= maximum);
    const auto count = static_cast<uint64_t>(int64_t{maximum} - minimum + 1);
    return static_cast<int32_t>(minimum + static_cast<int64_t>(next() % count));
  }

  constexpr bool coin() { return (next() >> 63) != 0; }

  constexpr int8_t byte() { return static_cast<int8_t>(between(-128, 127)); }

  // One of `values`, which is not empty.
  template <typename T, size_t Extent>
  constexpr T pick(std::span<const T, Extent> values) {
    assert(!values.empty());
    return values[static_cast<size_t>(next() % values.size())];
  }

 private:
  uint64_t state_;
};

}  // namespace lockstep::conformance
