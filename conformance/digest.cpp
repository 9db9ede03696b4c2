#include "conformance/digest.h"

#include <algorithm>

// Header-only: the library itself is not linked.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lockstep::conformance {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

Digest canonical(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  Digest digest;
  std::ranges::copy(bytes.digest, digest.bytes.begin());
  return digest;
}

std::optional<uint8_t> hex_value(char digit) {
  const size_t value = kHexDigits.find(digit);
  if (value == std::string_view::npos) return std::nullopt;
  return static_cast<uint8_t>(value);
}

}  // namespace

std::string Digest::hex() const {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) {
    text += kHexDigits[byte >> 4];
    text += kHexDigits[byte & 15];
  }
  return text;
}

std::optional<Digest> Digest::parse(std::string_view hex) {
  Digest digest;
  if (hex.size() != 2 * digest.bytes.size()) return std::nullopt;
  for (size_t i = 0; i < digest.bytes.size(); ++i) {
    const auto high = hex_value(hex[2 * i]);
    const auto low = hex_value(hex[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    digest.bytes[i] = static_cast<uint8_t>(*high << 4 | *low);
  }
  return digest;
}

Digest digest_of(std::span<const std::byte> bytes) {
  return canonical(XXH3_128bits(bytes.data(), bytes.size()));
}

Digest digest_of(std::string_view text) { return digest_of(std::as_bytes(std::span(text))); }

struct DigestBuilder::State {
  XXH3_state_t hash;
};

DigestBuilder::DigestBuilder() : state_(std::make_unique<State>()) {
  XXH3_128bits_reset(&state_->hash);
}
DigestBuilder::~DigestBuilder() = default;
DigestBuilder::DigestBuilder(DigestBuilder&&) noexcept = default;
DigestBuilder& DigestBuilder::operator=(DigestBuilder&&) noexcept = default;

DigestBuilder& DigestBuilder::add(std::span<const std::byte> field) {
  // Little-endian on every host.
  std::array<uint8_t, 8> length{};
  for (size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<uint8_t>(uint64_t{field.size()} >> (8 * i));
  }
  XXH3_128bits_update(&state_->hash, length.data(), length.size());
  XXH3_128bits_update(&state_->hash, field.data(), field.size());
  return *this;
}

DigestBuilder& DigestBuilder::add(std::string_view field) {
  return add(std::as_bytes(std::span(field)));
}

Digest DigestBuilder::finish() const { return canonical(XXH3_128bits_digest(&state_->hash)); }

}  // namespace lockstep::conformance
