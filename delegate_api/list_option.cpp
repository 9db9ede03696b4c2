#include "delegate_api/list_option.h"

#include <algorithm>

namespace lockstep::delegate {

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> entries;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view entry = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const size_t first = entry.find_first_not_of(' ');
    if (first != std::string_view::npos) {
      entries.emplace_back(entry.substr(first, entry.find_last_not_of(' ') - first + 1));
    }
  }
  return entries;
}

}  // namespace lockstep::delegate
