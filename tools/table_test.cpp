#include "tools/table.h"

#include <gtest/gtest.h>

namespace lockstep::tools {
namespace {

TEST(Table, AlignsColumnsUnderTheirTitles) {
  Table table({{.title = "operator"}, {.title = "n", .align = Align::kRight}});
  table.add_row({"CONV_2D", "7"});
  table.add_row({"ADD", "1024"});
  EXPECT_EQ(table.to_string(),
            "operator     n\n"
            "--------  ----\n"
            "CONV_2D      7\n"
            "ADD       1024\n");
}

TEST(Table, CutsTheMiddleOfLongCells) {
  Table table({{.title = "name", .maximum_width = 9}});
  table.add_row({"abcdefghijkl"});
  EXPECT_EQ(table.to_string(), "name\n---------\nabc...jkl\n");
}

TEST(Table, ControlCharactersCannotBreakARow) {
  Table table({{.title = "a"}});
  table.add_row({"x\ny\x1b"});
  EXPECT_EQ(table.to_string(), "a\n----\nx?y?\n");
}

TEST(Table, FillsMissingCells) {
  Table table({{.title = "a"}, {.title = "b"}});
  table.add_row({"x"});
  EXPECT_EQ(table.to_string(), "a  b\n-  -\nx  \n");
}

}  // namespace
}  // namespace lockstep::tools
