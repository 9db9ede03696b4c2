#include "tools/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace lockstep::tools {

ProgressLine::ProgressLine(std::string label, bool enabled)
    : label_(std::move(label)), enabled_(enabled), is_terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (is_open_) fmt::print(stderr, "\r{:<100}\r", "");
}

void ProgressLine::show(const std::string& text) {
  if (!enabled_) return;
  const std::string line = fmt::format("{}: {}", label_, text);
  if (is_terminal_) {
    fmt::print(stderr, "\r{:<100.100}", line);
    std::fflush(stderr);
    is_open_ = true;
  } else {
    fmt::print(stderr, "{}\n", line);
  }
}

void ProgressLine::show_now_and_then(const std::string& text, bool is_last) {
  const auto now = std::chrono::steady_clock::now();
  const auto pause = is_terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10);
  if (!is_last && now - last_ < pause) return;
  last_ = now;
  show(text);
}

}  // namespace lockstep::tools
