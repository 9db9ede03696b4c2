#include "conformance/text.h"

#include <cstddef>

namespace lockstep::conformance {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

struct Character {
  char32_t code = 0;
  size_t length = 1;
  bool is_valid = false;
};

// The first character of a text that is not empty. Refuses what RFC 3629 does: overlong forms,
// surrogates, codes beyond U+10FFFF.
Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {.code = lead, .length = 1, .is_valid = true};
  size_t length = 0;
  char32_t code = 0;
  char32_t smallest = 0;
  if ((lead & 0xe0) == 0xc0) {
    length = 2;
    code = lead & 0x1f;
    smallest = 0x80;
  } else if ((lead & 0xf0) == 0xe0) {
    length = 3;
    code = lead & 0x0f;
    smallest = 0x800;
  } else if ((lead & 0xf8) == 0xf0) {
    length = 4;
    code = lead & 0x07;
    smallest = 0x10000;
  }
  if (length == 0 || text.size() < length) return {};
  for (size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80) return {};
    code = (code << 6) | (next & 0x3f);
  }
  const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < smallest || code > 0x10ffff || is_surrogate) return {};
  return {.code = code, .length = length, .is_valid = true};
}

// The text with every valid character as `replace` gives it (an empty view keeps it) and every
// invalid byte as U+FFFD.
template <typename Replace>
std::string map_characters(std::string_view text, Replace replace) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Character character = first_character(text);
    const std::string_view replacement =
        character.is_valid ? replace(character.code) : kReplacement;
    result += replacement.empty() ? text.substr(0, character.length) : replacement;
    text.remove_prefix(character.length);
  }
  return result;
}

// Embeddings, overrides and isolates: they make a text read as another one, beyond its own end.
bool reorders_text(char32_t code) {
  return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

std::string_view markup_reference(char32_t code) {
  switch (code) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    // Plain ones would become spaces in an attribute.
    case '\t':
      return "&#9;";
    case '\n':
      return "&#10;";
    case '\r':
      return "&#13;";
    default:
      break;
  }
  const bool is_allowed = code >= 0x20 && code != 0xfffe && code != 0xffff && !reorders_text(code);
  return is_allowed ? std::string_view{} : kReplacement;
}

bool changes_a_line(char32_t code) {
  const bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const bool is_separator = code == 0x2028 || code == 0x2029;
  const bool is_mark = code == 0x200e || code == 0x200f || code == 0x061c;
  return is_control || is_separator || is_mark || reorders_text(code);
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  return map_characters(text, [](char32_t) { return std::string_view{}; });
}

std::string escape_markup(std::string_view text) { return map_characters(text, markup_reference); }

std::string one_line(std::string_view text) {
  return map_characters(text, [](char32_t code) -> std::string_view {
    return changes_a_line(code) ? std::string_view("?") : std::string_view{};
  });
}

}  // namespace lockstep::conformance
