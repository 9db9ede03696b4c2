#include "conformance/supervisor.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "conformance/child_process.h"
#include "conformance/worker_protocol.h"

namespace lockstep::conformance {
namespace {

using Clock = std::chrono::steady_clock;

// The end of a child is looked for at least this often; its lines are seen at once.
constexpr std::chrono::milliseconds kPollInterval{50};
// From the end of a child's output to its own end.
constexpr std::chrono::seconds kExitTimeout{5};
constexpr int32_t kStartAttempts = 3;
// A child that is too large from the start is not replaced after every case.
constexpr int32_t kCasesOfAChild = 16;
// How often a case is given to a child that dies before it begins a run.
constexpr int32_t kCaseAttempts = 2;

volatile std::sig_atomic_t caught_signal = 0;

// Between construction and destruction SIGINT and SIGTERM are remembered instead of ending the
// process, unless they are ignored.
class SignalGuard {
 public:
  SignalGuard() {
    caught_signal = 0;
    struct sigaction remember {};
    remember.sa_handler = [](int signal) { caught_signal = signal; };
    sigemptyset(&remember.sa_mask);
    for (const int signal : kSignals) {
      struct sigaction& previous = previous_[signal];
      ::sigaction(signal, nullptr, &previous);
      if (previous.sa_handler != SIG_IGN) ::sigaction(signal, &remember, nullptr);
    }
  }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  ~SignalGuard() {
    for (const auto& [signal, previous] : previous_) ::sigaction(signal, &previous, nullptr);
  }

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM};
  std::map<int, struct sigaction> previous_;
};

// What a child died of.
struct Death {
  Verdict verdict = Verdict::kCrash;
  std::string reason;
};

// Everything about the cases: who has which, and what came of them. Each worker works through a
// range of neighbours, which use the same pipelines, and then takes over half of the longest one.
class CaseQueue {
 public:
  CaseQueue(std::span<const size_t> case_indices, size_t workers) : case_indices_(case_indices) {
    for (size_t worker = 0; worker < workers; ++worker) {
      ranges_.push_back(
          {case_indices.size() * worker / workers, case_indices.size() * (worker + 1) / workers});
    }
  }

  std::optional<size_t> take(size_t worker) {
    Range& own = ranges_[worker];
    if (own.size() == 0) {
      Range& longest = *std::ranges::max_element(ranges_, {}, &Range::size);
      const size_t middle = longest.end - (longest.size() + 1) / 2;
      own = {middle, longest.end};
      longest.end = middle;
    }
    if (own.size() == 0) return std::nullopt;
    return case_indices_[own.begin++];
  }

 private:
  struct Range {
    size_t begin = 0;
    size_t end = 0;
    size_t size() const { return end - begin; }
  };
  std::span<const size_t> case_indices_;
  std::vector<Range> ranges_;
};

// What the supervision as a whole knows.
struct Run {
  const Suite& suite;
  const SupervisorOptions& options;
  const std::function<void(const RunResult&)>& on_result;
  const std::function<void(const Progress&)>& on_progress;
  const Digest suite_identity;
  const size_t workers;
  CaseQueue queue;
  Progress progress;
  std::optional<SubjectDescription> subject;
  std::optional<Error> error;  // ends the run
  std::string last_death;      // of a worker that could not be started again

  bool should_stop() const {
    return error.has_value() || caught_signal != 0 || (options.fail_fast && progress.failures > 0);
  }

  void add_result(const RunResult& result) {
    ++progress.runs;
    if (is_failure(result.verdict)) ++progress.failures;
    on_result(result);
    on_progress(progress);
  }

  void finish_case(size_t case_index) {
    ++progress.cases_done;
    progress.current = suite.cases[case_index].name;
    on_progress(progress);
  }
};

// One child after another, and the case they are at.
class Worker {
 public:
  Worker(size_t index, Run& run) : index_(index), run_(run) { start(); }

  bool is_finished() const { return state_ == State::kFinished; }

  void add_descriptors(std::vector<pollfd>& descriptors) const {
    if (!child_) return;
    for (const int descriptor : {child_->output_descriptor(), child_->error_descriptor()}) {
      if (descriptor >= 0)
        descriptors.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
    }
  }

  Clock::time_point deadline() const { return deadline_; }

  // Takes in what happened since the last call.
  void advance() {
    if (!child_) return;
    const auto exit_status = child_->try_wait();
    child_->read_available();
    const int32_t children = children_;
    while (const auto line = child_->next_line()) {
      handle_line(*line);
      if (run_.should_stop() || !child_ || children_ != children) return;
    }
    if (exit_status) return handle_exit(*exit_status);
    if (child_->has_output_ended() && !output_end_) {
      output_end_ = Clock::now();
      deadline_ = std::min(deadline_, *output_end_ + kExitTimeout);
    }
    if (Clock::now() >= deadline_) handle_timeout();
  }

 private:
  enum class State : uint8_t { kStarting, kRunning, kEnding, kFinished };

  void start() {
    state_ = State::kStarting;
    began_.reset();
    ended_.reset();
    output_end_.reset();
    cases_of_child_ = 0;
    auto child = ChildProcess::start(run_.options.worker_command);
    if (!child) {
      run_.error = child.error();
      return;
    }
    child_ = std::move(*child);
    ++children_;
    expect_answer_within(run_.options.start_timeout);
  }

  void expect_answer_within(std::chrono::milliseconds timeout) {
    deadline_ = Clock::now() + timeout;
  }

  void handle_line(const std::string& line) {
    expect_answer_within(run_.options.run_timeout);
    auto message = parse_message(line);
    if (!message) return give_up_child({Verdict::kCrash, message.error().message});
    std::visit([this](auto& specific) { handle(specific); }, *message);
  }

  void give_up_child(Death death) {
    child_->kill();
    handle_death(std::move(death));
  }

  void handle_unexpected(std::string_view what) {
    give_up_child({Verdict::kCrash, fmt::format("the process said {} at the wrong time", what)});
  }

  void handle(ReadyMessage& message) {
    if (state_ != State::kStarting) return handle_unexpected("that it is ready");
    if (message.suite != run_.suite_identity) {
      run_.error = Error{ErrorCode::kInternal, "the worker has other cases than its supervisor"};
      return;
    }
    if (run_.subject && *run_.subject != message.subject) {
      return give_up_child({Verdict::kCrash, "the subject is another one than before"});
    }
    run_.subject = std::move(message.subject);
    failed_starts_ = 0;
    give_work();
  }

  void handle(ErrorMessage& message) {
    if (state_ != State::kStarting) return handle_unexpected("that it cannot open the subject");
    if (!run_.subject) {
      run_.error = Error{ErrorCode::kDeviceUnavailable, std::move(message.message)};
      return;
    }
    give_up_child({Verdict::kCrash, std::move(message.message)});
  }

  void handle(BeginMessage& message) {
    if (state_ != State::kRunning || is_run_under_way()) {
      return handle_unexpected("that a run begins");
    }
    // Judging it again could go on for ever.
    if (std::ranges::find(judged_, message.key) != judged_.end()) {
      return handle_unexpected("that a judged run begins");
    }
    began_ = std::move(message.key);
  }

  void handle(ResultMessage& message) {
    RunResult& result = message.result;
    if (state_ != State::kRunning || !began_ || result.contract != began_->contract ||
        result.configuration != began_->configuration ||
        result.case_name != run_.suite.cases[*case_index_].name) {
      return handle_unexpected("a result of another run");
    }
    ended_ = std::exchange(began_, std::nullopt);
    judge(std::move(result));
  }

  void handle(DoneMessage& message) {
    if (state_ != State::kRunning || message.case_index != *case_index_ || is_run_under_way()) {
      return handle_unexpected("that a case is done");
    }
    began_.reset();
    if (judged_.empty()) {
      judge(result_of({numerics::Contract::kTflite, std::string(kNoRun)},
                      {Verdict::kCrash, "the process ended the case without a verdict"}));
    }
    finish_case();
    give_work();
  }

  // A preparation that goes well has no result of its own.
  bool is_run_under_way() const { return began_ && began_->configuration != kPreparation; }

  void handle_exit(const std::string& exit_status) {
    if (state_ == State::kEnding && child_->succeeded()) return end_child();
    handle_death({Verdict::kCrash, fmt::format("the process ended without a verdict: {}{}",
                                               exit_status, last_words())});
  }

  void handle_timeout() {
    const std::string words = last_words();
    if (output_end_) {
      return give_up_child({Verdict::kCrash, "the process closed its output" + words});
    }
    const auto limit =
        state_ == State::kStarting ? run_.options.start_timeout : run_.options.run_timeout;
    give_up_child(
        {Verdict::kTimeout, fmt::format("no answer within {:.3g} s{}",
                                        static_cast<double>(limit.count()) / 1000, words)});
  }

  std::string last_words() const {
    const std::string words = child_->last_words();
    return words.empty() ? words : fmt::format("; its last words: {}", words);
  }

  // The child is gone: its case, if it has one, gets a verdict for that, and the next child goes
  // on.
  void handle_death(Death death) {
    child_.reset();
    switch (state_) {
      case State::kStarting:
        return handle_failed_start(std::move(death));
      case State::kRunning:
        blame_run(death);
        return start();
      case State::kEnding:
        blame_end(death);
        return end_child();
      case State::kFinished:
        return;
    }
  }

  void handle_failed_start(Death death) {
    ++failed_starts_;
    if (failed_starts_ < kStartAttempts) return start();
    if (!run_.subject) {
      run_.error = Error{ErrorCode::kInternal, "the worker cannot be started: " + death.reason};
      return;
    }
    run_.last_death = std::move(death.reason);
    if (case_index_) abandon_case();
    finish();
  }

  void blame_run(const Death& death) {
    if (began_) {
      judge(result_of(*began_, death));
      return;
    }
    if (ended_) return blame_end(death);
    ++failed_attempts_;
    if (failed_attempts_ < kCaseAttempts) return;
    judge(result_of({numerics::Contract::kTflite, std::string(kNoRun)}, death));
    finish_case();
  }

  // It died when no run was under way: something that the last one left behind.
  void blame_end(const Death& death) {
    if (!ended_) return;
    const RunKey after{ended_->contract, "after " + ended_->configuration};
    RunResult result = result_of(after, death);
    result.case_name = last_case_name_;
    run_.add_result(result);
  }

  RunResult result_of(const RunKey& key, const Death& death) const {
    RunResult result;
    if (case_index_) result.case_name = run_.suite.cases[*case_index_].name;
    result.contract = key.contract;
    result.configuration = key.configuration;
    result.verdict = death.verdict;
    result.reason = death.reason;
    return result;
  }

  void judge(RunResult result) {
    judged_.push_back({result.contract, result.configuration});
    last_case_name_ = result.case_name;
    failed_attempts_ = 0;
    run_.add_result(result);
  }

  void finish_case() {
    const size_t case_index = *case_index_;
    case_index_.reset();
    judged_.clear();
    failed_attempts_ = 0;
    ++cases_of_child_;
    run_.finish_case(case_index);
  }

  // The child is ready for a case: the one at hand, the next one, or none.
  void give_work() {
    if (run_.should_stop()) return;
    is_replaced_ = cases_of_child_ >= kCasesOfAChild &&
                   child_->resident_bytes() > run_.options.memory_bytes / run_.workers;
    if (!case_index_ && !is_replaced_) case_index_ = run_.queue.take(index_);
    if (case_index_) {
      state_ = State::kRunning;
      child_->send(to_line(WorkerCommand(RunCommand{*case_index_, judged_})));
    } else {
      state_ = State::kEnding;
      child_->send(to_line(WorkerCommand(QuitCommand{})));
    }
    // A child that reads no more is dead or about to be, which is seen soon.
    expect_answer_within(run_.options.run_timeout);
  }

  // No child can be started any more.
  void abandon_case() {
    run_.add_result(result_of(
        {numerics::Contract::kTflite, std::string(kNoRun)},
        {Verdict::kCrash, "not run: the subject cannot be opened any more: " + run_.last_death}));
    case_index_.reset();
    ++run_.progress.cases_done;
  }

  // The child ended as it was asked to.
  void end_child() {
    child_.reset();
    is_replaced_ ? start() : finish();
  }

  void finish() {
    child_.reset();
    state_ = State::kFinished;
  }

  size_t index_;
  Run& run_;
  State state_ = State::kFinished;
  std::unique_ptr<ChildProcess> child_;  // null: finished, or the run ended by an error
  int32_t children_ = 0;                 // started so far
  Clock::time_point deadline_;
  std::optional<Clock::time_point> output_end_;
  int32_t failed_starts_ = 0;  // one after another

  // Of the case at hand, over all children.
  std::optional<size_t> case_index_;
  std::vector<RunKey> judged_;
  int32_t failed_attempts_ = 0;
  // Of this child.
  std::optional<RunKey> began_;
  std::optional<RunKey> ended_;
  int32_t cases_of_child_ = 0;
  bool is_replaced_ = false;    // by another one, when it has ended
  std::string last_case_name_;  // that `ended_` belongs to
};

void wait_for_news(const std::vector<Worker>& workers) {
  std::vector<pollfd> descriptors;
  Clock::time_point deadline = Clock::now() + kPollInterval;
  for (const Worker& worker : workers) {
    worker.add_descriptors(descriptors);
    if (!worker.is_finished()) deadline = std::min(deadline, worker.deadline());
  }
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  ::poll(descriptors.data(), descriptors.size(),
         static_cast<int>(std::max<int64_t>(wait.count(), 0)));
}

// Returns when every case is done or the run has to stop; no child is left then.
void run_workers(Run& run, size_t count) {
  std::vector<Worker> workers;
  workers.reserve(count);
  for (size_t i = 0; i < count && !run.should_stop(); ++i) workers.emplace_back(i, run);
  while (!run.should_stop() && !std::ranges::all_of(workers, &Worker::is_finished)) {
    wait_for_news(workers);
    for (Worker& worker : workers) {
      worker.advance();
      if (run.should_stop()) return;
    }
  }
}

// Cases that nobody could take any more.
void abandon_remaining(Run& run) {
  while (const auto case_index = run.queue.take(0)) {
    RunResult result;
    result.case_name = run.suite.cases[*case_index].name;
    result.configuration = kNoRun;
    result.verdict = Verdict::kCrash;
    result.reason = "not run: the subject cannot be opened any more: " + run.last_death;
    ++run.progress.cases_done;
    run.add_result(result);
  }
}

}  // namespace

Result<SubjectDescription> supervise(const Suite& suite, std::span<const size_t> case_indices,
                                     const SupervisorOptions& options,
                                     const std::function<void(const RunResult&)>& on_result,
                                     const std::function<void(const Progress&)>& on_progress) {
  const size_t workers = std::clamp<size_t>(static_cast<size_t>(std::max(options.workers, 1)), 1,
                                            std::max<size_t>(case_indices.size(), 1));
  Run run{.suite = suite,
          .options = options,
          .on_result = on_result,
          .on_progress = on_progress,
          .suite_identity = suite.identity(),
          .workers = workers,
          .queue = CaseQueue(case_indices, workers),
          .progress = {},
          .subject = {},
          .error = {},
          .last_death = {}};
  run.progress.cases = case_indices.size();
  int signal = 0;
  {
    const SignalGuard guard;
    run_workers(run, workers);
    signal = caught_signal;
  }
  if (signal != 0) {
    std::raise(signal);
    return make_error(ErrorCode::kInternal, "interrupted by signal {}", signal);
  }
  if (run.error) return tl::unexpected(*run.error);
  if (!run.should_stop()) abandon_remaining(run);
  return *std::move(run.subject);
}

}  // namespace lockstep::conformance
