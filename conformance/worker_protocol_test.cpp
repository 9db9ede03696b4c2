#include "conformance/worker_protocol.h"

#include <gtest/gtest.h>

namespace lockstep::conformance {
namespace {

std::string without_newline(std::string line) {
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  line.pop_back();
  return line;
}

TEST(WorkerProtocol, CommandsReadBack) {
  const RunCommand run{7, {{numerics::Contract::kLitert, "mask=all kernel=a"}}};
  const auto command = parse_command(without_newline(to_line(WorkerCommand(run))));
  ASSERT_TRUE(command) << command.error().message;
  EXPECT_EQ(std::get<RunCommand>(*command).case_index, 7u);
  EXPECT_EQ(std::get<RunCommand>(*command).judged, run.judged);
  const auto quit = parse_command(without_newline(to_line(WorkerCommand(QuitCommand{}))));
  EXPECT_TRUE(std::holds_alternative<QuitCommand>(*quit));
}

TEST(WorkerProtocol, MessagesReadBack) {
  const auto read_back = [](WorkerMessage message) {
    return parse_message(without_newline(to_line(message))).value();
  };
  ReadyMessage ready;
  ready.subject.selector = "0";
  ready.subject.device.name = "line\nbreak";
  ready.suite = digest_of("suite");
  const auto ready_again = std::get<ReadyMessage>(read_back(ready));
  EXPECT_EQ(ready_again.subject, ready.subject);
  EXPECT_EQ(ready_again.suite, ready.suite);
  EXPECT_EQ(std::get<ErrorMessage>(read_back(ErrorMessage{"no"})).message, "no");
  const RunKey key{numerics::Contract::kSingle, "default"};
  EXPECT_EQ(std::get<BeginMessage>(read_back(BeginMessage{key})).key, key);
  EXPECT_EQ(std::get<DoneMessage>(read_back(DoneMessage{3})).case_index, 3u);
  RunResult result;
  result.case_name = "a/b";
  result.verdict = Verdict::kPass;
  EXPECT_EQ(std::get<ResultMessage>(read_back(ResultMessage{result})).result, result);
}

TEST(WorkerProtocol, MendsTextThatIsNoUtf8) {
  EXPECT_TRUE(parse_message(without_newline(to_line(WorkerMessage(ErrorMessage{"\xff\xfe"})))));
}

TEST(WorkerProtocol, RefusesEverythingElse) {
  for (const char* line : {"", "PASS", "[]", "null", "{}", "{\"begin\": [\"tflite\"]}",
                           "{\"begin\": [\"x\", \"y\"]}", "{\"result\": {}}", "{\"done\": -1}",
                           "{\"done\": \"1\"}", "{\"ready\": {}}", "{\"error\": 1}"}) {
    EXPECT_FALSE(parse_message(line)) << line;
  }
  for (const char* line : {"", "{}", "{\"run\": 1}", "{\"run\": -1, \"judged\": []}",
                           "{\"run\": 1, \"judged\": [1]}"}) {
    EXPECT_FALSE(parse_command(line)) << line;
  }
}

}  // namespace
}  // namespace lockstep::conformance
