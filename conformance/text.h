// Text from drivers, files and users, made safe for where it is shown. Names may hold anything:
// bytes that are no UTF-8, markup, terminal control sequences.
#pragma once

#include <string>
#include <string_view>

namespace lockstep::conformance {

// The text with every byte that is no part of well-formed UTF-8 replaced by U+FFFD. JSON demands
// it.
std::string valid_utf8(std::string_view text);

// For the contents of elements and for quoted attribute values of XML and HTML: markup characters
// and line breaks as references; characters that XML does not allow, and those that make a text
// read in another order, as U+FFFD.
std::string escape_markup(std::string_view text);

// For one line of a terminal: control characters (C0, DEL, C1), line separators and marks that
// change the direction of writing as '?', so that no name can move the cursor or fake a line.
std::string one_line(std::string_view text);

}  // namespace lockstep::conformance
