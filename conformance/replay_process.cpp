#include "conformance/replay_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "conformance/child_process.h"
#include "conformance/report.h"
#include "conformance/text.h"

namespace lockstep::conformance {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int kPollMilliseconds = 50;

json to_json(const RunKey& key) {
  return json::array({numerics::contract_name(key.contract), valid_utf8(key.configuration)});
}

// Throws nlohmann's exceptions where it is none.
RunKey key_from_json(const json& value) {
  const auto contract = numerics::parse_contract(value.at(0).get<std::string>());
  return {contract.value_or(numerics::Contract::kTflite), value.at(1).get<std::string>()};
}

std::string specification_of(const std::filesystem::path& folder,
                             const ReplayProcessOptions& options,
                             const std::vector<RunKey>& judged) {
  json contracts = json::array();
  for (const numerics::Contract contract : options.replay.contracts) {
    contracts.push_back(numerics::contract_name(contract));
  }
  json keys = json::array();
  for (const RunKey& key : judged) keys.push_back(to_json(key));
  return json{{"folder", folder.string()},
              {"selector", options.selector},
              {"contracts", std::move(contracts)},
              {"configuration", options.replay.configuration},
              {"repetitions", options.replay.repetitions},
              {"judged", std::move(keys)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

// What one child said before it ended, and how it ended.
struct Conversation {
  std::optional<Error> error;
  std::optional<RunKey> begun;  // without an outcome
  bool has_ended_well = false;
  Verdict death = Verdict::kCrash;
  std::string reason;
};

Status read_line(const std::string& line, Replay& replay, std::vector<RunKey>& judged,
                 Conversation& conversation) {
  try {
    const json message = json::parse(line);
    if (message.contains("subject")) {
      auto subject = subject_from_json(message["subject"]);
      if (!subject) return tl::unexpected(subject.error());
      replay.subject = std::move(*subject);
    } else if (message.contains("error")) {
      conversation.error = {ErrorCode::kInvalidArgument, message["error"].get<std::string>()};
    } else if (message.contains("begin")) {
      conversation.begun = key_from_json(message["begin"]);
    } else if (message.contains("run")) {
      auto run = replayed_run_from_json(message["run"]);
      if (!run) return tl::unexpected(run.error());
      if (!conversation.begun || *conversation.begun != run->key) {
        return make_error(ErrorCode::kInternal, "an outcome of a run that did not begin");
      }
      conversation.begun.reset();
      judged.push_back(run->key);
      replay.runs.push_back(std::move(*run));
    } else if (message.contains("end")) {
      conversation.has_ended_well = true;
    }
    return {};
  } catch (const json::exception& problem) {
    return make_error(ErrorCode::kInternal, "'{}': {}", line, problem.what());
  }
}

Conversation converse(ChildProcess& child, const ReplayProcessOptions& options, Replay& replay,
                      std::vector<RunKey>& judged) {
  Conversation conversation;
  auto timeout = options.start_timeout;
  auto deadline = Clock::now() + timeout;
  while (true) {
    const auto exit_status = child.try_wait();
    child.read_available();
    while (const auto line = child.next_line()) {
      timeout = options.run_timeout;
      deadline = Clock::now() + timeout;
      if (Status status = read_line(*line, replay, judged, conversation); !status) {
        child.kill();
        conversation.reason = status.error().message;
        return conversation;
      }
      if (conversation.has_ended_well || conversation.error) return conversation;
    }
    if (exit_status) {
      conversation.reason = *exit_status;
      if (const std::string words = child.last_words(); !words.empty()) {
        conversation.reason += "; it said: " + one_line(words);
      }
      return conversation;
    }
    if (Clock::now() >= deadline) {
      child.kill();
      conversation.death = Verdict::kTimeout;
      conversation.reason = fmt::format("no answer within {} ms", timeout.count());
      return conversation;
    }
    pollfd descriptors[] = {{.fd = child.output_descriptor(), .events = POLLIN, .revents = 0},
                            {.fd = child.error_descriptor(), .events = POLLIN, .revents = 0}};
    // Negative descriptors (streams that ended) are ignored.
    ::poll(descriptors, std::size(descriptors), kPollMilliseconds);
  }
}

}  // namespace

Result<Replay> replay_in_process(const std::filesystem::path& folder,
                                 const ReplayProcessOptions& options) {
  Replay replay;
  std::vector<RunKey> judged;
  while (true) {
    std::vector<std::string> command{options.program.string()};
    std::ranges::copy(options.arguments, std::back_inserter(command));
    command.push_back(specification_of(folder, options, judged));
    auto child = ChildProcess::start(command);
    if (!child) return tl::unexpected(child.error());
    Conversation conversation = converse(**child, options, replay, judged);
    if (conversation.error) return tl::unexpected(std::move(*conversation.error));
    if (conversation.has_ended_well) return replay;
    // A death that belongs to no run would come again and again.
    if (!conversation.begun) {
      return make_error(ErrorCode::kDeviceUnavailable,
                        "the process ended outside of a run, before it said that it was done: {}",
                        conversation.reason);
    }
    judged.push_back(*conversation.begun);
    ReplayedRun& run = replay.runs.emplace_back();
    run.key = std::move(*conversation.begun);
    run.verdict = conversation.death;
    run.reason = std::move(conversation.reason);
  }
}

int serve_replay(std::string_view specification) {
  // A parent that was killed takes this process along, and a crash leaves no core file behind.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core_file{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core_file);
  // What drivers print goes elsewhere.
  const int output = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  const auto say = [output](const json& message) {
    const std::string line = message.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    for (size_t sent = 0; sent < line.size();) {
      const ssize_t written = ::write(output, line.data() + sent, line.size() - sent);
      if (written < 0 && errno != EINTR) _exit(1);
      if (written > 0) sent += static_cast<size_t>(written);
    }
  };
  const auto fail = [&](const std::string& message) {
    say({{"error", message}});
    return 1;
  };

  std::filesystem::path path;
  std::string selector;
  ReplayOptions options;
  std::vector<RunKey> judged;
  try {
    const json value = json::parse(specification);
    path = value.at("folder").get<std::string>();
    value.at("selector").get_to(selector);
    value.at("configuration").get_to(options.configuration);
    value.at("repetitions").get_to(options.repetitions);
    for (const json& name : value.at("contracts")) {
      if (const auto contract = numerics::parse_contract(name.get<std::string>())) {
        options.contracts.push_back(*contract);
      }
    }
    for (const json& key : value.at("judged")) judged.push_back(key_from_json(key));
  } catch (const json::exception& problem) {
    return fail(problem.what());
  }
  const auto folder = read_case_folder(path);
  if (!folder) return fail(folder.error().message);
  const auto subject = open_subject(selector);
  if (!subject) return fail(subject.error().message);
  say({{"subject", conformance::to_json((*subject)->description())}});
  replay_case(*folder, **subject, options, judged,
              {.begin =
                   [&](const RunKey& key) {
                     say({{"begin", to_json(key)}});
                   },
               .end =
                   [&](const ReplayedRun& run) {
                     say({{"run", conformance::to_json(run)}});
                   }});
  say({{"end", true}});
  return 0;
}

}  // namespace lockstep::conformance
