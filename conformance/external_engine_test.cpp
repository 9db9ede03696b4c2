// Engines behind a pipe, played by this program itself: `conformance_external_engine_test
// --engine BEHAVIOUR`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/inference_engine.h"
#include "conformance/testing/simple_cases.h"

namespace lockstep::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Bytes = std::vector<std::byte>;

constexpr std::string_view kEngineArgument = "--engine";

// --- The engine's side -------------------------------------------------------------------------

void write_all(const void* data, size_t size) {
  std::fwrite(data, 1, size, stdout);
  std::fflush(stdout);
}

void write_number(uint32_t number) {
  const unsigned char bytes[] = {
      static_cast<unsigned char>(number), static_cast<unsigned char>(number >> 8),
      static_cast<unsigned char>(number >> 16), static_cast<unsigned char>(number >> 24)};
  write_all(bytes, sizeof(bytes));
}

void write_block(std::string_view bytes) {
  write_number(static_cast<uint32_t>(bytes.size()));
  write_all(bytes.data(), bytes.size());
}

// The input's end ends the program.
std::string read_exactly(size_t size) {
  std::string bytes(size, '\0');
  if (std::fread(bytes.data(), 1, size, stdin) != size) std::exit(0);
  return bytes;
}

uint32_t read_number() {
  uint32_t number = 0;
  const std::string bytes = read_exactly(4);
  for (size_t i = 0; i < bytes.size(); ++i) {
    number |= uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return number;
}

struct Request {
  std::string model;
  std::vector<std::string> inputs;
};

Request read_request() {
  Request request{read_exactly(read_number()), {}};
  for (uint32_t remaining = read_number(); remaining > 0; --remaining) {
    request.inputs.push_back(read_exactly(read_number()));
  }
  return request;
}

// The model's bytes say what the engine does with it.
void answer(const Request& request, uint32_t requests_before) {
  const std::string& behaviour = request.model;
  if (behaviour == "refuse") {
    write_number(1);
    write_block("not \x1b[31mthis\x1b[0m one");
  } else if (behaviour == "garbage") {
    write_all("What is this?", 13);
  } else if (behaviour == "exit") {
    write_number(0);
    write_number(2);
    write_block("first of two");
    std::exit(3);
  } else if (behaviour == "crash") {
    std::raise(SIGKILL);
  } else if (behaviour == "many outputs") {
    write_number(0);
    write_number(0xffffffff);
  } else if (behaviour == "huge output") {
    write_number(0);
    write_number(1);
    write_number(0xffffffff);
  } else if (behaviour == "promised output") {
    write_number(0);
    write_number(1);
    write_number(1U << 30);
    std::exit(0);
  } else if (behaviour == "huge reason") {
    write_number(1);
    write_number(1U << 30);
  } else {  // the inputs, behind the number of requests that this process had before
    write_number(0);
    write_number(static_cast<uint32_t>(request.inputs.size()) + 1);
    write_block(std::to_string(requests_before));
    for (const std::string& input : request.inputs) write_block(input);
  }
}

int play_engine(std::string_view behaviour) {
  if (behaviour == "silent") return 4;
  if (behaviour == "chatty") {
    std::puts("Hello! I am an engine.");
    return 0;
  }
  write_block("fake \xff\n 1.0");
  for (uint32_t requests = 0;; ++requests) answer(read_request(), requests);
}

// --- Tests -------------------------------------------------------------------------------------

std::string command(std::string_view behaviour) {
  static const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  return "exec '" + program + "' " + std::string(kEngineArgument) + " " + std::string(behaviour);
}

Bytes bytes_of_text(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ExternalEngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto engine = open_external_engine("litert:" + command("fine"));
    ASSERT_TRUE(engine.has_value()) << engine.error().message;
    engine_ = std::move(*engine);
  }

  Result<std::vector<Bytes>> run(std::string_view behaviour,
                                 const std::vector<Bytes>& inputs = {}) {
    return engine_->run(bytes_of_text(behaviour), inputs);
  }
  // The error's message; fails where there is none or it has another code.
  std::string error_of(std::string_view behaviour, ErrorCode code) {
    const auto outputs = run(behaviour);
    if (outputs) {
      ADD_FAILURE() << behaviour << " gave " << outputs->size() << " outputs";
      return "";
    }
    EXPECT_EQ(outputs.error().code, code) << outputs.error().message;
    return outputs.error().message;
  }
  // How many requests the engine's process had before one that works; it must work.
  std::string requests_before() {
    const auto outputs = run("echo");
    if (!outputs) {
      ADD_FAILURE() << outputs.error().message;
      return "";
    }
    return text_of(outputs->front());
  }

  std::unique_ptr<InferenceEngine> engine_;
};

TEST_F(ExternalEngineTest, SaysWhoItIsInPrintableText) {
  EXPECT_EQ(engine_->description().device.name, "fake ?? 1.0");
  EXPECT_EQ(engine_->description().device.backend, "engine");
  EXPECT_THAT(engine_->description().selector, StartsWith("engine:litert:"));
  EXPECT_EQ(engine_->contract(), numerics::Contract::kLitert);
}

TEST_F(ExternalEngineTest, GivesInputsAndTakesOutputsOfEverySize) {
  const Bytes large(3'000'001, std::byte{0x5a});
  const auto outputs = run("echo", {large, {}, bytes_of_text("abc")});
  ASSERT_TRUE(outputs.has_value()) << outputs.error().message;
  EXPECT_THAT(*outputs, ElementsAre(bytes_of_text("0"), large, Bytes{}, bytes_of_text("abc")));
}

TEST_F(ExternalEngineTest, GoesOnAfterARefusal) {
  EXPECT_EQ(error_of("refuse", ErrorCode::kUnsupported), "not ?[31mthis?[0m one");
  EXPECT_EQ(requests_before(), "1");
}

TEST_F(ExternalEngineTest, StartsAgainAfterGarbage) {
  EXPECT_EQ(requests_before(), "0");
  EXPECT_THAT(error_of("garbage", ErrorCode::kDeviceLost), HasSubstr("not the protocol"));
  EXPECT_EQ(requests_before(), "0");
}

TEST_F(ExternalEngineTest, TellsHowAProcessEndedAndStartsAgain) {
  EXPECT_THAT(error_of("exit", ErrorCode::kDeviceLost), HasSubstr("exit code 3"));
  EXPECT_EQ(requests_before(), "0");
  EXPECT_THAT(error_of("crash", ErrorCode::kDeviceLost), HasSubstr("signal 9"));
  EXPECT_EQ(requests_before(), "0");
}

TEST_F(ExternalEngineTest, BelievesNoLength) {
  EXPECT_THAT(error_of("many outputs", ErrorCode::kDeviceLost), HasSubstr("not the protocol"));
  EXPECT_THAT(error_of("huge output", ErrorCode::kDeviceLost), HasSubstr("not the protocol"));
  EXPECT_THAT(error_of("huge reason", ErrorCode::kDeviceLost), HasSubstr("not the protocol"));
  EXPECT_EQ(requests_before(), "0");
}

TEST_F(ExternalEngineTest, NeedsNoMemoryForWhatIsPromisedOnly) {
  const auto peak_kibibytes = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  const auto before = peak_kibibytes();
  EXPECT_THAT(error_of("promised output", ErrorCode::kDeviceLost), HasSubstr("exit code 0"));
  EXPECT_LT(peak_kibibytes() - before, 256 * 1024);
}

TEST(OpenExternalEngine, WantsAContractAndACommand) {
  for (const std::string specification : {"", "litert", "litert:", "tensorrt:cat", ":cat"}) {
    const auto engine = open_external_engine(specification);
    ASSERT_FALSE(engine.has_value()) << specification;
    EXPECT_EQ(engine.error().code, ErrorCode::kInvalidArgument) << specification;
  }
}

TEST(OpenExternalEngine, NeedsAGreeting) {
  const auto message = [](const std::string& engine_command) {
    const auto engine = open_external_engine("tflite:" + engine_command);
    if (engine) return std::string("it was opened");
    EXPECT_EQ(engine.error().code, ErrorCode::kDeviceUnavailable);
    return engine.error().message;
  };
  EXPECT_THAT(message(command("silent")), HasSubstr("did not introduce itself"));
  EXPECT_THAT(message(command("silent")), HasSubstr("exit code 4"));
  EXPECT_THAT(message(command("chatty")), HasSubstr("not the protocol"));
  EXPECT_THAT(message("/nonexistent/engine 2>/dev/null"), HasSubstr("exit code 127"));
}

TEST(EngineSubject, IsOpenedBySelector) {
  const auto subject = open_subject("engine:single:" + command("fine"));
  ASSERT_TRUE(subject.has_value()) << subject.error().message;
  EXPECT_EQ((*subject)->description().device.name, "fake ?? 1.0");
  EXPECT_FALSE(is_engine_selector("ref"));
  EXPECT_FALSE(is_engine_selector("0"));
}

TEST(EngineSubject, ComputesItsOwnContractOnly) {
  const auto subject = open_subject("engine:single:" + command("fine"));
  ASSERT_TRUE(subject.has_value()) << subject.error().message;
  const Case source = testing::relu_case("relu");
  const auto own = lower_case(source, numerics::Contract::kSingle);
  const auto other = lower_case(source, numerics::Contract::kTflite);
  ASSERT_TRUE(own.has_value() && other.has_value());
  const auto groups = (*subject)->configurations(*own);
  ASSERT_TRUE(groups.has_value());
  EXPECT_EQ(groups->size(), 1u);
  const auto refused = (*subject)->configurations(*other);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("single"));
}

TEST(EngineSubject, RunsAsOftenAsItIsAsked) {
  const auto subject = open_subject("engine:single:" + command("fine"));
  ASSERT_TRUE(subject.has_value()) << subject.error().message;
  const Case source = testing::relu_case("relu");
  const auto lowered = lower_case(source, numerics::Contract::kSingle);
  ASSERT_TRUE(lowered.has_value());
  const auto observations = (*subject)->run(*lowered, {}, 2);
  ASSERT_TRUE(observations.has_value()) << observations.error().message;
  ASSERT_EQ(observations->size(), 2u);
  EXPECT_EQ(text_of((*observations)[0].outputs[0]), "0");
  EXPECT_EQ(text_of((*observations)[1].outputs[0]), "1");
  EXPECT_EQ((*observations)[1].outputs[1], source.inputs[0]);
}

}  // namespace

int play_external_engine(std::string_view behaviour) { return play_engine(behaviour); }

}  // namespace lockstep::conformance

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--engine") {
    return lockstep::conformance::play_external_engine(argv[2]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
