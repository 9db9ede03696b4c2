// Plain-text tables with aligned columns.
#pragma once

#include <string>
#include <vector>

namespace lockstep::tools {

// The text for one line: control characters, which names from files may hold, become '?', and the
// middle is replaced by "..." where it is longer than `maximum`.
std::string shorten(std::string text, size_t maximum);

enum class Align : unsigned char { kLeft, kRight };

class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
    size_t maximum_width = 60;  // longer cells lose their middle to "..."
  };

  explicit Table(std::vector<Column> columns);

  // One cell for each column.
  void add_row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  // Header, rule, rows; every line ends with '\n'.
  std::string to_string() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace lockstep::tools
