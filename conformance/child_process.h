// A child process that a conversation in lines is held with.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/status.h"

namespace lockstep::conformance {

// Owns a process: the destructor kills it, and every process it started, and waits for it. Nothing
// here blocks but that wait, and it for some seconds only: a process that a driver holds inside the
// kernel is left behind. Not thread-safe.
class ChildProcess {
 public:
  // command[0] is looked up in PATH unless it has a slash. The child is the leader of its own
  // process group; of our files it gets its three standard streams only. kInternal where it cannot
  // be started.
  static Result<std::unique_ptr<ChildProcess>> start(const std::vector<std::string>& command);

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  // False where the child does not read any more. A child that leaves thousands of lines unread is
  // one of those.
  bool send(std::string_view text);

  // What poll() should wait for; -1 once a stream has ended.
  int output_descriptor() const { return output_; }
  int error_descriptor() const { return error_; }

  // Takes in what the child has written so far. After its output ended, or a line grew beyond all
  // reason, has_output_ended() is true.
  void read_available();
  // The next whole line of its standard output, without the newline.
  std::optional<std::string> next_line();
  bool has_output_ended() const { return output_ < 0; }
  // The last lines of its standard error, joined by " | "; the rest is dropped.
  std::string last_words() const;

  // Memory that it uses now; 0 where the system does not tell.
  size_t resident_bytes() const;

  // How it ended, once it has: "exit code 0", "signal 11 (Segmentation fault)". Processes that it
  // started are killed then.
  std::optional<std::string> try_wait();
  // Whether it ended with exit code 0; false before try_wait() said that it ended.
  bool succeeded() const { return succeeded_; }
  void kill();

 private:
  ChildProcess() = default;

  pid_t process_ = -1;  // -1: none, or it was waited for
  int input_ = -1;      // our ends
  int output_ = -1;
  int error_ = -1;
  bool succeeded_ = false;
  std::string unread_output_;
  std::string error_tail_;
};

}  // namespace lockstep::conformance
