#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "conformance/inference_engine.h"

namespace lockstep::conformance {
namespace {

constexpr uint32_t kMaximumTextBytes = 1 << 16;
constexpr uint32_t kMaximumOutputs = 1 << 12;
constexpr uint32_t kMaximumBlockBytes = 1U << 30;
// Memory grows with what has come, not with what was announced.
constexpr size_t kChunkBytes = size_t{1} << 20;

constexpr std::chrono::seconds kEndTimeout{5};

// What an engine says goes into reports and on terminals.
std::string printable_text(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    const char character = std::to_integer<char>(byte);
    text += character >= ' ' && character <= '~' ? character : '?';
  }
  return text;
}

// A child process behind a socket; a socket, because sending to one that has ended is an error and
// no signal.
class Peer {
 public:
  static Result<std::unique_ptr<Peer>> start(const std::string& command) {
    std::array<int, 2> sockets{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
      return make_error(ErrorCode::kInternal, "no socket for an engine: {}", std::strerror(errno));
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, sockets[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, sockets[1], STDOUT_FILENO);
    std::string shell = "sh";
    std::string option = "-c";
    std::string text = command;
    std::array<char*, 4> arguments{shell.data(), option.data(), text.data(), nullptr};
    std::unique_ptr<Peer> peer(new Peer);
    peer->socket_ = sockets[0];
    const int problem =
        ::posix_spawn(&peer->process_, "/bin/sh", &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(sockets[1]);
    if (problem != 0) {
      peer->process_ = -1;
      return make_error(ErrorCode::kInternal, "cannot start '{}': {}", command,
                        std::strerror(problem));
    }
    return peer;
  }

  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { static_cast<void>(end()); }

  Status send_number(uint32_t number) {
    std::array<std::byte, 4> bytes{};
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(number >> (8 * i));
    return send(bytes);
  }
  // Length and contents.
  Status send_block(std::span<const std::byte> bytes) {
    if (bytes.size() > kMaximumBlockBytes) {
      return make_error(ErrorCode::kUnsupported, "{} bytes are too many for an engine's pipe",
                        bytes.size());
    }
    if (Status status = send_number(static_cast<uint32_t>(bytes.size())); !status) return status;
    return send(bytes);
  }

  Result<uint32_t> receive_number(uint32_t maximum) {
    std::array<std::byte, 4> bytes{};
    if (Status status = receive(bytes); !status) return tl::unexpected(status.error());
    uint32_t number = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
      number |= std::to_integer<uint32_t>(bytes[i]) << (8 * i);
    }
    if (number > maximum) {
      return make_error(ErrorCode::kDeviceLost,
                        "the engine sent {} where at most {} can be: not the protocol", number,
                        maximum);
    }
    return number;
  }
  Result<std::vector<std::byte>> receive_block(uint32_t maximum) {
    const auto size = receive_number(maximum);
    if (!size) return tl::unexpected(size.error());
    std::vector<std::byte> bytes;
    while (bytes.size() < *size) {
      const size_t begin = bytes.size();
      bytes.resize(std::min<size_t>(*size, begin + kChunkBytes));
      if (Status status = receive(std::span(bytes).subspan(begin)); !status) {
        return tl::unexpected(status.error());
      }
    }
    return bytes;
  }
  Result<std::string> receive_text() {
    const auto bytes = receive_block(kMaximumTextBytes);
    if (!bytes) return tl::unexpected(bytes.error());
    return printable_text(*bytes);
  }

 private:
  Peer() = default;

  Status send(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return gone();
      bytes = bytes.subspan(static_cast<size_t>(sent));
    }
    return {};
  }

  Status receive(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t received = ::recv(socket_, bytes.data(), bytes.size(), 0);
      if (received < 0 && errno == EINTR) continue;
      if (received <= 0) return gone();
      bytes = bytes.subspan(static_cast<size_t>(received));
    }
    return {};
  }

  tl::unexpected<Error> gone() {
    return make_error(ErrorCode::kDeviceLost, "the engine's process has ended: {}", end());
  }

  // Ends the conversation, at which engines end; one that does not is killed. How it ended.
  std::string end() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    const pid_t process = std::exchange(process_, -1);
    if (process < 0) return "it was waited for before";
    const auto deadline = std::chrono::steady_clock::now() + kEndTimeout;
    int status = 0;
    pid_t waited = 0;
    while ((waited = ::waitpid(process, &status, WNOHANG)) == 0 &&
           std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (waited == 0) {
      ::kill(process, SIGKILL);
      ::waitpid(process, &status, 0);
    }
    if (WIFSIGNALED(status)) {
      return fmt::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    return fmt::format("exit code {}", WEXITSTATUS(status));
  }

  pid_t process_ = -1;
  int socket_ = -1;
};

class ExternalEngine final : public InferenceEngine {
 public:
  static Result<std::unique_ptr<InferenceEngine>> open(numerics::Contract contract,
                                                       std::string command) {
    std::unique_ptr<ExternalEngine> engine(new ExternalEngine);
    engine->contract_ = contract;
    engine->command_ = std::move(command);
    SubjectDescription& description = engine->description_;
    description.selector =
        fmt::format("engine:{}:{}", numerics::contract_name(contract), engine->command_);
    description.device.backend = "engine";
    description.device.driver = engine->command_;
    description.device.kind = backend::DeviceKind::kOther;
    auto name = engine->start();
    if (!name) return tl::unexpected(name.error());
    description.device.name = std::move(*name);
    return engine;
  }

  const SubjectDescription& description() const override { return description_; }
  numerics::Contract contract() const override { return contract_; }
  Status accepts(const Case&) const override { return {}; }

  Result<std::vector<std::vector<std::byte>>> run(
      std::span<const std::byte> model, std::span<const std::vector<std::byte>> inputs) override {
    if (!peer_) {
      if (const auto name = start(); !name) return tl::unexpected(name.error());
    }
    auto outputs = exchange(model, inputs);
    // Where the conversation broke off, nobody knows what comes next.
    if (!outputs && !is_refusal_) peer_.reset();
    return outputs;
  }

 private:
  ExternalEngine() = default;

  // Its name.
  Result<std::string> start() {
    auto peer = Peer::start(command_);
    if (!peer) return tl::unexpected(peer.error());
    auto name = (*peer)->receive_text();
    if (!name) {
      return make_error(ErrorCode::kDeviceUnavailable, "'{}' did not introduce itself: {}",
                        command_, name.error().message);
    }
    peer_ = std::move(*peer);
    return name;
  }

  Result<std::vector<std::vector<std::byte>>> exchange(
      std::span<const std::byte> model, std::span<const std::vector<std::byte>> inputs) {
    is_refusal_ = false;
    if (Status status = send_request(model, inputs); !status) {
      return tl::unexpected(status.error());
    }
    const auto refused = peer_->receive_number(1);
    if (!refused) return tl::unexpected(refused.error());
    if (*refused == 1) {
      auto reason = peer_->receive_text();
      if (!reason) return tl::unexpected(reason.error());
      is_refusal_ = true;
      return tl::unexpected(Error{ErrorCode::kUnsupported, std::move(*reason)});
    }
    const auto count = peer_->receive_number(kMaximumOutputs);
    if (!count) return tl::unexpected(count.error());
    std::vector<std::vector<std::byte>> outputs;
    for (uint32_t i = 0; i < *count; ++i) {
      auto output = peer_->receive_block(kMaximumBlockBytes);
      if (!output) return tl::unexpected(output.error());
      outputs.push_back(std::move(*output));
    }
    return outputs;
  }

  Status send_request(std::span<const std::byte> model,
                      std::span<const std::vector<std::byte>> inputs) {
    if (Status status = peer_->send_block(model); !status) return status;
    if (Status status = peer_->send_number(static_cast<uint32_t>(inputs.size())); !status) {
      return status;
    }
    for (const std::vector<std::byte>& input : inputs) {
      if (Status status = peer_->send_block(input); !status) return status;
    }
    return {};
  }

  numerics::Contract contract_ = numerics::Contract::kTflite;
  std::string command_;
  std::unique_ptr<Peer> peer_;  // null: it broke off, and is started again when it is needed
  bool is_refusal_ = false;     // the last run was a refusal: the conversation goes on
  SubjectDescription description_;
};

}  // namespace

Result<std::unique_ptr<InferenceEngine>> open_external_engine(std::string_view specification) {
  const size_t colon = specification.find(':');
  const auto contract = numerics::parse_contract(specification.substr(0, colon));
  if (colon == std::string_view::npos || !contract || colon + 1 == specification.size()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is not CONTRACT:COMMAND with a contract of tflite, litert, reference "
                      "or single",
                      specification);
  }
  return ExternalEngine::open(*contract, std::string(specification.substr(colon + 1)));
}

}  // namespace lockstep::conformance
