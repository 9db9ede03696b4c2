// The lines that supervisor and worker exchange; see supervisor.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "conformance/digest.h"
#include "conformance/run_result.h"
#include "conformance/runner.h"
#include "conformance/subject.h"
#include "graph/status.h"

namespace lockstep::conformance {

struct RunCommand {
  size_t case_index = 0;
  std::vector<RunKey> judged;
};
struct QuitCommand {};
using WorkerCommand = std::variant<RunCommand, QuitCommand>;

struct ReadyMessage {
  SubjectDescription subject;
  Digest suite;
};
struct ErrorMessage {
  std::string message;
};
struct BeginMessage {
  RunKey key;
};
struct ResultMessage {
  RunResult result;
};
struct DoneMessage {
  size_t case_index = 0;
};
using WorkerMessage =
    std::variant<ReadyMessage, ErrorMessage, BeginMessage, ResultMessage, DoneMessage>;

// With the newline at the end.
std::string to_line(const WorkerCommand& command);
std::string to_line(const WorkerMessage& message);

// `line` without the newline. kInvalidArgument where it is nothing of the protocol.
Result<WorkerCommand> parse_command(std::string_view line);
Result<WorkerMessage> parse_message(std::string_view line);

}  // namespace lockstep::conformance
