#include "conformance/worker_protocol.h"

#include <nlohmann/json.hpp>

#include "conformance/report.h"

namespace lockstep::conformance {
namespace {

using nlohmann::json;

tl::unexpected<Error> not_protocol(std::string_view line) {
  constexpr size_t kShown = 200;
  return make_error(ErrorCode::kInvalidArgument, "a line that is not of the protocol: '{}'",
                    line.substr(0, kShown));
}

std::string line_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

json to_json(const RunKey& key) {
  return {numerics::contract_name(key.contract), key.configuration};
}

std::optional<RunKey> key_from_json(const json& value) {
  if (!value.is_array() || value.size() != 2 || !value[0].is_string() || !value[1].is_string()) {
    return std::nullopt;
  }
  const auto contract = numerics::parse_contract(value[0].get<std::string>());
  if (!contract) return std::nullopt;
  return RunKey{*contract, value[1].get<std::string>()};
}

// The object on the line; null for anything else.
json parse_object(std::string_view line) {
  json value = json::parse(line, nullptr, /*allow_exceptions=*/false);
  return value.is_object() ? value : json();
}

struct ToJson {
  json operator()(const RunCommand& command) const {
    json judged = json::array();
    for (const RunKey& key : command.judged) judged.push_back(to_json(key));
    return {{"run", command.case_index}, {"judged", std::move(judged)}};
  }
  json operator()(const QuitCommand&) const { return {{"quit", true}}; }
  json operator()(const ReadyMessage& message) const {
    return {{"ready", conformance::to_json(message.subject)}, {"suite", message.suite.hex()}};
  }
  json operator()(const ErrorMessage& message) const { return {{"error", message.message}}; }
  json operator()(const BeginMessage& message) const { return {{"begin", to_json(message.key)}}; }
  json operator()(const ResultMessage& message) const {
    return {{"result", conformance::to_json(message.result)}};
  }
  json operator()(const DoneMessage& message) const { return {{"done", message.case_index}}; }
};

}  // namespace

std::string to_line(const WorkerCommand& command) { return line_of(std::visit(ToJson{}, command)); }
std::string to_line(const WorkerMessage& message) { return line_of(std::visit(ToJson{}, message)); }

Result<WorkerCommand> parse_command(std::string_view line) {
  const json value = parse_object(line);
  if (value.contains("quit")) return QuitCommand{};
  if (!value.contains("run") || !value["run"].is_number_unsigned() || !value.contains("judged") ||
      !value["judged"].is_array()) {
    return not_protocol(line);
  }
  RunCommand command{.case_index = value["run"].get<size_t>(), .judged = {}};
  for (const json& element : value["judged"]) {
    auto key = key_from_json(element);
    if (!key) return not_protocol(line);
    command.judged.push_back(std::move(*key));
  }
  return command;
}

Result<WorkerMessage> parse_message(std::string_view line) {
  const json value = parse_object(line);
  if (value.contains("ready")) {
    auto subject = subject_from_json(value["ready"]);
    if (!subject) return tl::unexpected(subject.error());
    const json suite = value.value("suite", json());
    const auto digest = suite.is_string() ? Digest::parse(suite.get<std::string>()) : std::nullopt;
    if (!digest) return not_protocol(line);
    return ReadyMessage{std::move(*subject), *digest};
  }
  if (value.contains("error") && value["error"].is_string()) {
    return ErrorMessage{value["error"].get<std::string>()};
  }
  if (value.contains("begin")) {
    auto key = key_from_json(value["begin"]);
    if (!key) return not_protocol(line);
    return BeginMessage{std::move(*key)};
  }
  if (value.contains("result")) {
    auto result = run_result_from_json(value["result"]);
    if (!result) return tl::unexpected(result.error());
    return ResultMessage{std::move(*result)};
  }
  if (value.contains("done") && value["done"].is_number_unsigned()) {
    return DoneMessage{value["done"].get<size_t>()};
  }
  return not_protocol(line);
}

}  // namespace lockstep::conformance
