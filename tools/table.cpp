#include "tools/table.h"

#include <algorithm>
#include <utility>

namespace lockstep::tools {
namespace {

void append_cell(std::string& line, const std::string& cell, size_t width, Align align,
                 bool is_last) {
  const std::string padding(width - cell.size(), ' ');
  if (align == Align::kRight) line += padding;
  line += cell;
  if (align == Align::kLeft && !is_last) line += padding;
  line += is_last ? "\n" : "  ";
}

}  // namespace

std::string shorten(std::string text, size_t maximum) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  constexpr std::string_view kEllipsis = "...";
  if (text.size() <= maximum || maximum <= kEllipsis.size()) return text;
  const size_t kept = maximum - kEllipsis.size();
  const size_t head = kept / 2;
  return text.substr(0, head) + std::string(kEllipsis) + text.substr(text.size() - (kept - head));
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add_row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (size_t i = 0; i < cells.size(); ++i) {
    cells[i] = shorten(std::move(cells[i]), columns_[i].maximum_width);
  }
  rows_.push_back(std::move(cells));
}

std::string Table::to_string() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = columns_[i].title.size();
    for (const auto& row : rows_) width = std::max(width, row[i].size());
    widths.push_back(width);
  }
  std::string text;
  for (size_t i = 0; i < columns_.size(); ++i) {
    append_cell(text, columns_[i].title, widths[i], columns_[i].align, i + 1 == columns_.size());
  }
  for (size_t i = 0; i < columns_.size(); ++i) {
    append_cell(text, std::string(widths[i], '-'), widths[i], Align::kLeft,
                i + 1 == columns_.size());
  }
  for (const auto& row : rows_) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      append_cell(text, row[i], widths[i], columns_[i].align, i + 1 == columns_.size());
    }
  }
  return text;
}

}  // namespace lockstep::tools
