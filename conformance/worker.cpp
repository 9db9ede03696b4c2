// The child's side of supervisor.h.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>

#include "conformance/supervisor.h"
#include "conformance/worker_protocol.h"

namespace lockstep::conformance {
namespace {

// Both ends of the conversation with the parent, out of reach of drivers: what those print goes to
// standard error, and there is nothing for them to read.
class ParentConnection {
 public:
  ParentConnection()
      : input_(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)),
        output_(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)) {
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    if (const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC); nothing >= 0) {
      ::dup2(nothing, STDIN_FILENO);
      ::close(nothing);
    }
  }
  ParentConnection(const ParentConnection&) = delete;
  ParentConnection& operator=(const ParentConnection&) = delete;
  ~ParentConnection() {
    ::close(input_);
    ::close(output_);
  }

  // A parent that is gone ends this process by SIGPIPE.
  void send(const WorkerMessage& message) const {
    const std::string line = to_line(message);
    for (size_t sent = 0; sent < line.size();) {
      const ssize_t written = ::write(output_, line.data() + sent, line.size() - sent);
      if (written < 0 && errno != EINTR) _exit(1);
      if (written > 0) sent += static_cast<size_t>(written);
    }
  }

  // nullopt at the end of the input.
  std::optional<std::string> receive_line() {
    while (true) {
      if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      char chunk[4096];
      const ssize_t read = ::read(input_, chunk, sizeof(chunk));
      if (read > 0) buffer_.append(chunk, static_cast<size_t>(read));
      if (read == 0 || (read < 0 && errno != EINTR)) return std::nullopt;
    }
  }

 private:
  int input_;
  int output_;
  std::string buffer_;
};

// Nothing of this process outlives a parent that was killed, and a crash leaves no core file
// behind: writing one takes longer than a run.
void prepare_process() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core_file{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core_file);
}

}  // namespace

int serve_worker(const Suite& suite, const std::string& subject_selector,
                 const RunOptions& options) {
  prepare_process();
  ParentConnection parent;
  const auto subject = open_subject(subject_selector);
  if (!subject) {
    parent.send(ErrorMessage{subject.error().message});
    return 1;
  }
  parent.send(ReadyMessage{(*subject)->description(), suite.identity()});
  const RunObserver observer{
      .begin = [&](const RunKey& key) { parent.send(BeginMessage{key}); },
      .end = [&](RunResult result) { parent.send(ResultMessage{std::move(result)}); }};
  while (const auto line = parent.receive_line()) {
    const auto command = parse_command(*line);
    if (!command) return 1;
    const auto* run = std::get_if<RunCommand>(&*command);
    if (run == nullptr) return 0;
    if (run->case_index >= suite.cases.size()) return 1;
    const Case& source = suite.cases[run->case_index];
    run_case(source, **subject, options, suite.record_of(source), run->judged, observer);
    parent.send(DoneMessage{run->case_index});
  }
  return 0;
}

}  // namespace lockstep::conformance
