// One line of progress on standard error.
#pragma once

#include <chrono>
#include <string>

namespace lockstep::tools {

// Written over on a terminal, and gone in the end; lines in a log.
class ProgressLine {
 public:
  ProgressLine(std::string label, bool enabled);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // For steps that take their time.
  void show(const std::string& text);
  // For many small ones: the last of them, and now and then another.
  void show_now_and_then(const std::string& text, bool is_last);

 private:
  std::string label_;
  bool enabled_;
  bool is_terminal_;
  bool is_open_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace lockstep::tools
