#include "conformance/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>
#include <utility>

namespace lockstep::conformance {
namespace {

constexpr size_t kMaximumLine = size_t{1} << 26;
constexpr size_t kErrorTail = 2000;
constexpr std::chrono::seconds kKillTimeout{10};

void close_descriptor(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

// Two connected descriptors that children do not inherit, closed with their owner.
struct DescriptorPair {
  std::array<int, 2> ends{-1, -1};
  DescriptorPair() = default;
  DescriptorPair(const DescriptorPair&) = delete;
  DescriptorPair& operator=(const DescriptorPair&) = delete;
  ~DescriptorPair() {
    for (int& end : ends) close_descriptor(end);
  }
  int take(size_t end) { return std::exchange(ends[end], -1); }
};

void make_non_blocking(int descriptor) {
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

// What the child starts with: its streams, a process group of its own, no blocked or ignored
// signals that a host program of ours may have.
class SpawnSettings {
 public:
  SpawnSettings(int input, int output, int error) {
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&signals, signal);
    posix_spawnattr_setsigdefault(&attributes, &signals);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

// Appends what can be read now; closes the descriptor at its end.
void read_into(int& descriptor, std::string& text) {
  std::array<char, 1 << 16> chunk;
  while (descriptor >= 0) {
    const ssize_t read = ::read(descriptor, chunk.data(), chunk.size());
    if (read > 0) {
      text.append(chunk.data(), static_cast<size_t>(read));
      if (text.size() > kMaximumLine) return;
    } else if (read < 0 && errno == EINTR) {
      continue;
    } else if (read < 0 && errno == EAGAIN) {
      return;
    } else {
      close_descriptor(descriptor);
    }
  }
}

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const std::vector<std::string>& command) {
  // The child's standard input is a socket, which can be written to without SIGPIPE.
  DescriptorPair input;
  DescriptorPair output;
  DescriptorPair error;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input.ends.data()) != 0 ||
      ::pipe2(output.ends.data(), O_CLOEXEC) != 0 || ::pipe2(error.ends.data(), O_CLOEXEC) != 0) {
    return make_error(ErrorCode::kInternal, "no pipes for a child process: {}",
                      std::strerror(errno));
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const SpawnSettings settings(input.ends[1], output.ends[1], error.ends[1]);
  std::unique_ptr<ChildProcess> child(new ChildProcess);
  if (const int problem = ::posix_spawnp(&child->process_, arguments[0], &settings.actions,
                                         &settings.attributes, arguments.data(), environ);
      problem != 0) {
    child->process_ = -1;
    return make_error(ErrorCode::kInternal, "'{}' cannot be started: {}", command[0],
                      std::strerror(problem));
  }
  child->input_ = input.take(0);
  child->output_ = output.take(0);
  child->error_ = error.take(0);
  for (const int end : {child->input_, child->output_, child->error_}) make_non_blocking(end);
  return child;
}

ChildProcess::~ChildProcess() {
  kill();
  close_descriptor(input_);
  close_descriptor(output_);
  close_descriptor(error_);
}

bool ChildProcess::send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(input_, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void ChildProcess::read_available() {
  read_into(output_, unread_output_);
  if (unread_output_.size() > kMaximumLine && unread_output_.find('\n') == std::string::npos) {
    unread_output_.clear();
    close_descriptor(output_);
  }
  read_into(error_, error_tail_);
  if (error_tail_.size() > kErrorTail) error_tail_.erase(0, error_tail_.size() - kErrorTail);
}

std::optional<std::string> ChildProcess::next_line() {
  const size_t end = unread_output_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = unread_output_.substr(0, end);
  unread_output_.erase(0, end + 1);
  return line;
}

std::string ChildProcess::last_words() const {
  std::string words;
  for (const char character : error_tail_) {
    const bool is_printable = static_cast<unsigned char>(character) >= ' ';
    if (character == '\n' && !words.empty() && !words.ends_with(" | ")) words += " | ";
    if (is_printable) words += character;
  }
  if (words.ends_with(" | ")) words.resize(words.size() - 3);
  return words;
}

size_t ChildProcess::resident_bytes() const {
  size_t total_pages = 0;
  size_t resident_pages = 0;
  std::ifstream(fmt::format("/proc/{}/statm", process_)) >> total_pages >> resident_pages;
  return resident_pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<std::string> ChildProcess::try_wait() {
  if (process_ < 0) return "it was killed";
  siginfo_t information{};
  // Left unreaped at first: until then its process group cannot be somebody else's.
  if (::waitid(P_PID, static_cast<id_t>(process_), &information, WEXITED | WNOHANG | WNOWAIT) !=
          0 ||
      information.si_pid == 0) {
    return std::nullopt;
  }
  kill();
  succeeded_ = information.si_code == CLD_EXITED && information.si_status == 0;
  if (information.si_code == CLD_EXITED) return fmt::format("exit code {}", information.si_status);
  return fmt::format("signal {} ({})", information.si_status, strsignal(information.si_status));
}

void ChildProcess::kill() {
  if (process_ < 0) return;
  ::kill(-process_, SIGKILL);
  const auto deadline = std::chrono::steady_clock::now() + kKillTimeout;
  while (true) {
    const pid_t waited = ::waitpid(process_, nullptr, WNOHANG);
    const bool is_gone = waited == process_ || (waited < 0 && errno != EINTR);
    if (is_gone || std::chrono::steady_clock::now() >= deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  process_ = -1;
}

}  // namespace lockstep::conformance
