// 128-bit digests of results: what reports carry and compare instead of the tensors themselves.
// The hash is XXH3-128, which finds every accidental difference; a report that has to withstand a
// forger is signed as a file.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lockstep::conformance {

// Canonical (big-endian) bytes of the hash; all zeros stands for "nothing was digested".
struct Digest {
  std::array<uint8_t, 16> bytes{};

  bool is_empty() const { return *this == Digest{}; }
  std::string hex() const;  // 32 lower-case digits
  static std::optional<Digest> parse(std::string_view hex);
  auto operator<=>(const Digest&) const = default;
};

Digest digest_of(std::span<const std::byte> bytes);
Digest digest_of(std::string_view text);

// Digests a sequence of fields. Every field's length is part of the digest, so that moving bytes
// from one field to the next changes it.
class DigestBuilder {
 public:
  DigestBuilder();
  ~DigestBuilder();
  DigestBuilder(DigestBuilder&&) noexcept;
  DigestBuilder& operator=(DigestBuilder&&) noexcept;

  DigestBuilder& add(std::span<const std::byte> field);
  DigestBuilder& add(std::string_view field);
  Digest finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep::conformance
