// The program starts itself as the worker: `conformance_supervisor_test --worker`.
#include "conformance/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <thread>

#include "backend/registry.h"
#include "conformance/testing/double_device.h"
#include "conformance/testing/simple_cases.h"
#include "conformance/worker_protocol.h"

namespace lockstep::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kWorkerArgument = "--worker";
constexpr const char* kSelector = "misbehaving device";

// Does what the graph's name says.
class MisbehavingDevice final : public testing::DoubleDevice {
 public:
  MisbehavingDevice() : DoubleDevice(testing::describe_double("misbehaving")) {}

  Status supports(const graph::LoweredGraph& graph, const graph::LoweredOperator&) const override {
    if (graph.name == "refuse") return make_error(ErrorCode::kUnsupported, "not this one");
    return {};
  }

  Result<std::vector<std::string>> kernels(const graph::LoweredGraph& graph,
                                           const graph::LoweredOperator& op) const override {
    if (graph.name == "crash in preparation") testing::crash();
    return DoubleDevice::kernels(graph, op);
  }

  Result<std::unique_ptr<backend::Program>> compile(
      const graph::LoweredGraph& graph, const backend::CompileOptions& options) override {
    if (graph.name == "refuse to compile") {
      return make_error(ErrorCode::kUnsupported, "not these shapes");
    }
    return DoubleDevice::compile(graph, options);
  }

  Status after_run(const graph::LoweredGraph& graph, const backend::CompileOptions&,
                   std::span<const std::span<const std::byte>>,
                   std::span<const std::span<std::byte>> outputs) override {
    const std::string& name = graph.name;
    if (name == "crash") {
      std::fputs("driver: this is the end\n", stderr);
      testing::crash();
    }
    if (name == "hang") std::this_thread::sleep_for(std::chrono::hours(1));
    if (name == "exit") std::exit(0);
    if (name == "print") {
      std::puts("{\"result\": \"PASS\"}");
      std::fflush(stdout);
    }
    if (name == "close every file") {
      for (int descriptor = 3; descriptor < 1000; ++descriptor) ::close(descriptor);
    }
    if (name == "wrong bits" || (name == "flaky" && ++flaky_runs_ % 3 == 0)) {
      outputs[0][5] ^= std::byte{1};
    }
    if (name == "stray write") return make_error(ErrorCode::kInternal, "guard byte 3 of 'x'");
    return {};
  }

 private:
  int flaky_runs_ = 0;
};

void register_misbehaving_backend() {
  const Status status = backend::register_backend(
      {"misbehaving",
       [] {
         return Result<std::vector<backend::DeviceDescription>>(
             {testing::describe_double("misbehaving")});
       },
       [](size_t,
          const backend::DeviceOptions& options) -> Result<std::shared_ptr<backend::Device>> {
         if (!options.mask.empty()) return make_error(ErrorCode::kInvalidArgument, "no masks");
         return std::make_shared<MisbehavingDevice>();
       }});
  if (!status) std::abort();
}

Suite make_test_suite() {
  Suite suite;
  for (const char* name :
       {"good", "crash", "hang", "exit", "wrong bits", "flaky", "refuse", "refuse to compile",
        "crash in preparation", "print", "close every file", "stray write", "good too"}) {
    suite.cases.push_back(testing::convolution_case(name));
  }
  return suite;
}

size_t index_of(const Suite& suite, const std::string& name) {
  return static_cast<size_t>(std::ranges::find(suite.cases, name, &Case::name) -
                             suite.cases.begin());
}

int run_worker() {
  register_misbehaving_backend();
  RunOptions options;
  options.contracts = {numerics::Contract::kTflite, numerics::Contract::kLitert};
  return serve_worker(make_test_suite(), kSelector, options);
}

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

size_t open_descriptors() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                           std::filesystem::directory_iterator()));
}

// Whether a process is no more, or will be soon. One that nobody waits for may stay a zombie.
bool is_gone(int process) {
  for (int attempt = 0; attempt < 200; ++attempt) {
    std::ifstream stat(fmt::format("/proc/{}/stat", process));
    std::string number, name, state;
    if (!(stat >> number >> name >> state) || state == "Z") return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

// Everything of one supervision.
struct Outcome {
  Result<SubjectDescription> subject;
  std::vector<RunResult> results;
  std::vector<Progress> progress;

  std::vector<std::string> verdicts(const std::string& case_name) const {
    std::vector<std::string> texts;
    for (const RunResult& result : results) {
      if (result.case_name != case_name) continue;
      texts.push_back(fmt::format("{} {}: {}", numerics::contract_name(result.contract),
                                  result.configuration, verdict_name(result.verdict)));
    }
    return texts;
  }
  const RunResult& first(const std::string& case_name) const {
    return *std::ranges::find(results, case_name, &RunResult::case_name);
  }
};

class Supervisor : public ::testing::Test {
 protected:
  Supervisor() : descriptors_before_(open_descriptors()) {
    options_.worker_command = {own_program(), kWorkerArgument};
    options_.run_timeout = std::chrono::seconds(2);
  }

  // Whatever happened, nothing is left behind.
  ~Supervisor() override {
    EXPECT_EQ(open_descriptors(), descriptors_before_);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD) << "there is a child or a zombie";
  }

  Outcome run(const std::vector<std::string>& names) {
    std::vector<size_t> indices;
    for (const std::string& name : names) indices.push_back(index_of(suite_, name));
    return run_cases(indices);
  }

  Outcome run_cases(const std::vector<size_t>& indices) {
    Outcome outcome;
    outcome.subject = supervise(
        suite_, indices, options_,
        [&](const RunResult& result) { outcome.results.push_back(result); },
        [&](const Progress& progress) { outcome.progress.push_back(progress); });
    return outcome;
  }

  // A worker that is ready and then does what the script says; it reads its commands from stdin.
  void use_script(const std::string& script) {
    SubjectDescription subject;
    subject.selector = "script";
    const std::string ready = to_line(WorkerMessage(ReadyMessage{subject, suite_.identity()}));
    options_.worker_command = {"/bin/sh", "-c", "printf '%s' '" + ready + "'\n" + script};
  }

  // A line for use_script() that passes the case under the configuration.
  std::string pass(const std::string& case_name, const std::string& configuration) {
    RunResult result;
    result.case_name = case_name;
    result.configuration = configuration;
    result.verdict = Verdict::kPass;
    return "printf '%s' '" +
           to_line(WorkerMessage(BeginMessage{{result.contract, configuration}})) +
           to_line(WorkerMessage(ResultMessage{result})) + "'\n";
  }
  std::string done(const std::string& case_name) {
    return "printf '%s' '" + to_line(WorkerMessage(DoneMessage{index_of(suite_, case_name)})) +
           "'\n";
  }

  Suite suite_ = make_test_suite();
  SupervisorOptions options_;
  size_t descriptors_before_;
};

TEST_F(Supervisor, GivesEveryMisbehaviourItsVerdictAndJudgesAllOthers) {
  options_.workers = 2;
  std::vector<size_t> all(suite_.cases.size());
  std::iota(all.begin(), all.end(), size_t{0});
  const Outcome outcome = run_cases(all);
  ASSERT_TRUE(outcome.subject) << outcome.subject.error().message;
  EXPECT_EQ(outcome.subject->device.name, kSelector);

  const auto both = [](const std::string& verdict) {
    return ElementsAre("tflite default: " + verdict, "litert default: " + verdict);
  };
  EXPECT_THAT(outcome.verdicts("good"), both("PASS"));
  EXPECT_THAT(outcome.verdicts("crash"), both("CRASH"));
  EXPECT_THAT(outcome.verdicts("hang"), both("TIMEOUT"));
  EXPECT_THAT(outcome.verdicts("exit"), both("CRASH"));
  EXPECT_THAT(outcome.verdicts("wrong bits"), both("FAIL"));
  EXPECT_THAT(outcome.verdicts("flaky"), both("FAIL"));
  EXPECT_THAT(outcome.verdicts("refuse"), both("NOT_SUPPORTED"));
  EXPECT_THAT(outcome.verdicts("refuse to compile"), both("NOT_SUPPORTED"));
  EXPECT_THAT(outcome.verdicts("crash in preparation"),
              ElementsAre("tflite preparation: CRASH", "litert preparation: CRASH"));
  EXPECT_THAT(outcome.verdicts("print"), both("PASS"));
  EXPECT_THAT(outcome.verdicts("close every file"), both("CRASH"));
  EXPECT_THAT(outcome.verdicts("stray write"), both("FAIL"));
  EXPECT_THAT(outcome.verdicts("good too"), both("PASS"));

  EXPECT_THAT(outcome.first("crash").reason, HasSubstr("driver: this is the end"));
  EXPECT_THAT(outcome.first("exit").reason, HasSubstr("exit code 0"));
  EXPECT_THAT(outcome.first("hang").reason, HasSubstr("no answer within 2 s"));
  EXPECT_THAT(outcome.first("flaky").reason, HasSubstr("not deterministic"));
  EXPECT_EQ(outcome.first("wrong bits").difference->differing, 1);
  EXPECT_THAT(outcome.first("stray write").reason, HasSubstr("guard byte 3"));
  EXPECT_EQ(outcome.first("refuse").reason, "not this one");

  const Progress& last = outcome.progress.back();
  EXPECT_EQ(last.cases_done, suite_.cases.size());
  EXPECT_EQ(last.runs, outcome.results.size());
  EXPECT_EQ(last.failures, 16u);
}

TEST_F(Supervisor, TellsTheSubjectWithoutAnyCase) {
  const Outcome outcome = run_cases({});
  ASSERT_TRUE(outcome.subject) << outcome.subject.error().message;
  EXPECT_EQ(outcome.subject->device, testing::describe_double("misbehaving"));
  EXPECT_TRUE(outcome.results.empty());
}

TEST_F(Supervisor, ReportsEachFinishedCaseOnce) {
  options_.workers = 3;
  const Outcome outcome = run({"good", "crash", "good too"});
  std::map<std::string, size_t> finished;
  std::string current;
  for (const Progress& progress : outcome.progress) {
    if (progress.current != current) ++finished[progress.current];
    current = progress.current;
  }
  EXPECT_THAT(finished,
              ElementsAre(std::pair("crash", 1), std::pair("good", 1), std::pair("good too", 1)));
}

TEST_F(Supervisor, StopsAtTheFirstFailureIfAsked) {
  options_.fail_fast = true;
  const Outcome outcome = run({"good", "wrong bits", "hang"});
  ASSERT_TRUE(outcome.subject) << outcome.subject.error().message;
  EXPECT_THAT(outcome.verdicts("wrong bits"), ElementsAre("tflite default: FAIL"));
  EXPECT_THAT(outcome.verdicts("hang"), ElementsAre());
}

TEST_F(Supervisor, SaysThatAWorkerCannotBeStarted) {
  options_.worker_command = {"/nonexistent/worker"};
  EXPECT_THAT(run({"good"}).subject.error().message, HasSubstr("/nonexistent/worker"));
  options_.worker_command = {"/bin/sh", "-c", "echo no luck >&2; exit 3"};
  const Outcome outcome = run({"good"});
  EXPECT_EQ(outcome.subject.error().code, ErrorCode::kInternal);
  EXPECT_THAT(outcome.subject.error().message, HasSubstr("exit code 3; its last words: no luck"));
  EXPECT_TRUE(outcome.results.empty());
}

TEST_F(Supervisor, SaysThatTheSubjectCannotBeOpened) {
  const std::string line = to_line(WorkerMessage(ErrorMessage{"there is no such device"}));
  options_.worker_command = {"/bin/sh", "-c", "printf '%s' '" + line + "'"};
  const Outcome outcome = run({"good"});
  EXPECT_EQ(outcome.subject.error().code, ErrorCode::kDeviceUnavailable);
  EXPECT_EQ(outcome.subject.error().message, "there is no such device");
}

TEST_F(Supervisor, RefusesAWorkerWithOtherCases) {
  suite_.cases[0].inputs[0][0] ^= std::byte{1};
  EXPECT_THAT(run({"good"}).subject.error().message, HasSubstr("other cases"));
}

TEST_F(Supervisor, TimesOutAWorkerThatIsNeverReady) {
  options_.start_timeout = std::chrono::milliseconds(50);
  options_.worker_command = {"/bin/sh", "-c", "sleep 100"};
  EXPECT_THAT(run({"good"}).subject.error().message, HasSubstr("no answer within 0.05 s"));
}

TEST_F(Supervisor, TakesGarbageForACrash) {
  use_script("read command; echo all is well; sleep 100");
  const Outcome outcome = run({"good"});
  EXPECT_THAT(outcome.verdicts("good"), ElementsAre("tflite no run: CRASH"));
  EXPECT_THAT(outcome.first("good").reason, HasSubstr("'all is well'"));
}

TEST_F(Supervisor, TakesAClosedPipeForACrash) {
  use_script("read command; exec >&-; sleep 100");
  options_.run_timeout = std::chrono::milliseconds(300);
  const Outcome outcome = run({"good"});
  EXPECT_THAT(outcome.verdicts("good"), ElementsAre("tflite no run: CRASH"));
  EXPECT_THAT(outcome.first("good").reason, HasSubstr("closed its output"));
}

TEST_F(Supervisor, CountsNothingButResultsAsVerdicts) {
  use_script("read command\n" + done("good") + "read command");
  EXPECT_THAT(run({"good"}).verdicts("good"), ElementsAre("tflite no run: CRASH"));
  // A run that begins and is never judged before the next one begins.
  const std::string begin =
      to_line(WorkerMessage(BeginMessage{{numerics::Contract::kSingle, "default"}}));
  use_script("read command\nprintf '%s' '" + begin + "'\n" + pass("good", "default") +
             done("good") + "read command");
  EXPECT_THAT(run({"good"}).verdicts("good").front(), "single default: CRASH");
}

TEST_F(Supervisor, TakesAResultOfAnotherRunForACrash) {
  use_script("read command\n" + pass("good too", "default") + "read command");
  const Outcome outcome = run({"good"});
  EXPECT_THAT(outcome.verdicts("good").front(), "tflite default: CRASH");
  EXPECT_TRUE(outcome.verdicts("good too").empty());
}

TEST_F(Supervisor, NoticesThatAWorkerDiesBetweenRuns) {
  // The second worker, which is told that the first run was judged, goes on behind it.
  use_script("read command\ncase \"$command\" in *default*) ;; *)\n" + pass("good", "default") +
             "kill -9 $$;; esac\n" + pass("good", "kernel=b") + done("good") + "read command");
  const Outcome outcome = run({"good"});
  EXPECT_THAT(
      outcome.verdicts("good"),
      ElementsAre("tflite default: PASS", "tflite after default: CRASH", "tflite kernel=b: PASS"));
}

TEST_F(Supervisor, NoticesThatAWorkerDiesAtItsEnd) {
  use_script("read command\n" + pass("good", "default") + done("good") +
             "read command; kill -11 $$");
  const Outcome outcome = run({"good"});
  EXPECT_THAT(outcome.verdicts("good"),
              ElementsAre("tflite default: PASS", "tflite after default: CRASH"));
  EXPECT_THAT(outcome.results.back().reason, HasSubstr("signal 11"));
}

TEST_F(Supervisor, NoticesThatAWorkerDoesNotEnd) {
  options_.run_timeout = std::chrono::milliseconds(300);
  use_script("read command\n" + pass("good", "default") + done("good") + "read command; sleep 100");
  EXPECT_THAT(run({"good"}).verdicts("good"),
              ElementsAre("tflite default: PASS", "tflite after default: TIMEOUT"));
}

TEST_F(Supervisor, GivesEveryCaseAVerdictWhenNoWorkerStartsAnyMore) {
  const std::filesystem::path marker =
      std::filesystem::path(::testing::TempDir()) / fmt::format("started-{}", ::getpid());
  use_script("");
  // The first worker runs a case and dies; the ones behind it never get so far.
  std::string& script = options_.worker_command[2];
  script = "if [ -e " + marker.string() + " ]; then exit 5; fi\n: > " + marker.string() + "\n" +
           script + "read command\n" + pass("good", "default") + "exit 4";
  const Outcome outcome = run({"good", "crash", "good too"});
  std::filesystem::remove(marker);
  ASSERT_TRUE(outcome.subject) << outcome.subject.error().message;
  EXPECT_THAT(
      outcome.verdicts("good"),
      ElementsAre("tflite default: PASS", "tflite after default: CRASH", "tflite no run: CRASH"));
  EXPECT_THAT(outcome.verdicts("crash"), ElementsAre("tflite no run: CRASH"));
  EXPECT_THAT(outcome.verdicts("good too"), ElementsAre("tflite no run: CRASH"));
  EXPECT_EQ(outcome.progress.back().cases_done, 3u);
  EXPECT_EQ(outcome.progress.back().current, "");  // none is finished: a resumed run tries again
}

TEST_F(Supervisor, ReplacesAWorkerThatHasGrownTooLarge) {
  suite_.cases.clear();
  for (int i = 0; i < 40; ++i) {
    suite_.cases.push_back(testing::relu_case(fmt::format("case {}", i)));
  }
  // It answers whatever it is asked.
  std::string answers;
  for (const Case& source : suite_.cases) {
    answers += fmt::format("*'\"run\":{}}}'*)\n{}{};;\n", index_of(suite_, source.name),
                           pass(source.name, "default"), done(source.name));
  }
  const std::filesystem::path log =
      std::filesystem::path(::testing::TempDir()) / fmt::format("workers-{}", ::getpid());
  use_script("echo x >> " + log.string() + "\nwhile read command; do case \"$command\" in\n" +
             answers + "*) exit 0;; esac; done");
  const auto workers_of = [&](size_t memory_bytes) {
    options_.memory_bytes = memory_bytes;
    std::vector<size_t> all(suite_.cases.size());
    std::iota(all.begin(), all.end(), size_t{0});
    const Outcome outcome = run_cases(all);
    EXPECT_TRUE(outcome.subject);
    EXPECT_EQ(outcome.results.size(), 40u);
    for (const RunResult& result : outcome.results) EXPECT_EQ(result.verdict, Verdict::kPass);
    const auto size = std::filesystem::file_size(log);
    std::filesystem::remove(log);
    return size / 2;
  };
  EXPECT_EQ(workers_of(size_t{1} << 40), 1u);
  EXPECT_EQ(workers_of(1), 3u);  // 16 cases, 16, and 8
}

TEST_F(Supervisor, KillsWhatAWorkerStarted) {
  const std::filesystem::path file =
      std::filesystem::path(::testing::TempDir()) / fmt::format("grandchild-{}", ::getpid());
  use_script("sleep 100 & echo $! > " + file.string() + "\nread command; kill -9 $$");
  run({"good"});
  int grandchild = 0;
  std::ifstream(file) >> grandchild;
  std::filesystem::remove(file);
  ASSERT_GT(grandchild, 0);
  EXPECT_TRUE(is_gone(grandchild));
}

// A supervisor in a process of its own with one worker that hangs in its first run.
class SupervisorProcess {
 public:
  SupervisorProcess(const Suite& suite, SupervisorOptions options) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    process_ = ::fork();
    if (process_ == 0) {
      // A test program that a shell put into the background ignores the first of them.
      std::signal(SIGINT, SIG_DFL);
      std::signal(SIGTERM, SIG_DFL);
      options.run_timeout = std::chrono::seconds(100);
      const size_t cases[] = {index_of(suite, "good"), index_of(suite, "hang")};
      const auto tell = [&](const RunResult&) {
        if (::write(ends[1], "x", 1) != 1) std::abort();
      };
      static_cast<void>(supervise(suite, cases, options, tell, [](const Progress&) {}));
      ::_exit(7);
    }
    // Until the first case has passed, so that the worker is one and the handlers are there.
    char passed = 0;
    if (::read(ends[0], &passed, 1) != 1) std::abort();
    ::close(ends[0]);
    ::close(ends[1]);
    std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", process_));
    children >> worker_;
  }

  // How it ended.
  int kill(int signal) {
    ::kill(process_, signal);
    int status = 0;
    ::waitpid(process_, &status, 0);
    return status;
  }

  int worker() const { return worker_; }

  bool is_worker_gone() const { return is_gone(worker_); }

 private:
  pid_t process_ = 0;
  int worker_ = 0;
};

TEST_F(Supervisor, ThatIsInterruptedTakesItsWorkersAlong) {
  for (const int signal : {SIGINT, SIGTERM}) {
    SupervisorProcess supervisor(suite_, options_);
    ASSERT_GT(supervisor.worker(), 0);
    const int status = supervisor.kill(signal);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    EXPECT_TRUE(supervisor.is_worker_gone());
  }
}

TEST_F(Supervisor, ThatIsKilledTakesItsWorkersAlong) {
  SupervisorProcess supervisor(suite_, options_);
  ASSERT_GT(supervisor.worker(), 0);
  supervisor.kill(SIGKILL);
  EXPECT_TRUE(supervisor.is_worker_gone());
}

}  // namespace

int run_supervisor_test_worker() { return run_worker(); }

}  // namespace lockstep::conformance

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--worker") {
    return lockstep::conformance::run_supervisor_test_worker();
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
