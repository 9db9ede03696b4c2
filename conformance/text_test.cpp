#include "conformance/text.h"

#include <gtest/gtest.h>

namespace lockstep::conformance {
namespace {

TEST(Text, ValidUtf8StaysAsItIs) {
  const std::string text = "plain, ä, €, \xf0\x9f\x98\x80, \n";
  EXPECT_EQ(valid_utf8(text), text);
}

TEST(Text, EveryByteThatIsNoUtf8IsReplaced) {
  const std::string replacement = "\xef\xbf\xbd";
  EXPECT_EQ(valid_utf8("a\xff"), "a" + replacement);
  EXPECT_EQ(valid_utf8("\xc3"), replacement);                                      // cut off
  EXPECT_EQ(valid_utf8("\xc0\xaf"), replacement + replacement);                    // overlong '/'
  EXPECT_EQ(valid_utf8("\xed\xa0\x80"), replacement + replacement + replacement);  // surrogate
  EXPECT_EQ(valid_utf8("\xf4\x90\x80\x80").size(), 4 * replacement.size());  // beyond U+10FFFF
  EXPECT_EQ(valid_utf8("\xe2\x82z"), replacement + replacement + "z");       // resumes behind
}

TEST(Text, MarkupCharactersBecomeReferences) {
  EXPECT_EQ(escape_markup("<a b=\"c\" d='e'>&amp;"),
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;");
  EXPECT_EQ(escape_markup("1\n2\t3\r"), "1&#10;2&#9;3&#13;");
}

TEST(Text, CharactersThatXmlForbidsAreReplaced) {
  const std::string replacement = "\xef\xbf\xbd";
  EXPECT_EQ(escape_markup(std::string_view("\0\x1b", 2)), replacement + replacement);
  EXPECT_EQ(escape_markup("\xef\xbf\xbe"), replacement);  // U+FFFE
  EXPECT_EQ(escape_markup("\xe2\x80\xae"), replacement);  // right-to-left override
}

TEST(Text, ALineForATerminalHasNoControlAndNoDirectionMarks) {
  EXPECT_EQ(one_line("a\n\x1b[2J\x7f"), "a??[2J?");
  EXPECT_EQ(one_line("\xc2\x9b"
                     "31m"),
            "?31m");  // C1 control sequence introducer
  EXPECT_EQ(one_line("\xe2\x80\xae"
                     "gpj"),
            "?gpj");                         // right-to-left override
  EXPECT_EQ(one_line("\xe2\x80\xa8"), "?");  // line separator
  EXPECT_EQ(one_line("Größe €"), "Größe €");
}

}  // namespace
}  // namespace lockstep::conformance
