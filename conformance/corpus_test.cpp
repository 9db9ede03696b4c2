#include "conformance/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <random>

#include "conformance/corpus_file.h"
#include "conformance/in_process.h"
#include "conformance/report.h"
#include "conformance/runner.h"
#include "graph/graph_builder.h"
#include "graph/testing/sample_graphs.h"
#include "graph/tflite_writer.h"

namespace lockstep::conformance {
namespace {

namespace schema = corpus_schema;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Bytes = std::vector<std::byte>;

Case make_case(std::string name, graph::Graph graph, bool is_quick) {
  Case result;
  result.family = family_of(name);
  result.name = std::move(name);
  result.graph = std::move(graph);
  for (const int32_t input : result.graph.inputs) {
    const graph::Tensor& tensor = result.graph.tensors[static_cast<size_t>(input)];
    Bytes contents(static_cast<size_t>(*graph::element_count(tensor.shape)) *
                   graph::data_type_size(tensor.type));
    for (size_t i = 0; i < contents.size(); ++i) contents[i] = static_cast<std::byte>(i * 37 % 64);
    result.inputs.push_back(std::move(contents));
  }
  result.coverage = {{"size", std::to_string(result.inputs.front().size())}, {"sample", "yes"}};
  result.is_quick = is_quick;
  return result;
}

// Three samples and a network.
Suite sample_suite() {
  Suite suite;
  suite.options.generator.seed = 7;
  suite.options.generator.random_cases = 3;
  for (const graph::Graph& graph : graph::testing::sample_graphs()) {
    if (suite.cases.size() < 3) {
      suite.cases.push_back(make_case("sample/" + graph.name, graph, true));
    }
  }
  suite.cases.push_back(make_case("network/small", graph::testing::sample_network(), false));
  return suite;
}

// Written once for all tests.
const Bytes& sample_bytes() {
  static const Bytes kBytes = make_corpus(sample_suite()).value();
  return kBytes;
}

Result<Corpus> read(const Bytes& bytes) {
  return read_corpus(std::make_shared<const Bytes>(bytes), "some.lockstep");
}

RecordedCase reference_record(const Case& source) {
  RecordedCase record;
  for (const numerics::Contract contract : numerics::kAllContracts) {
    RecordedExpectation& expectation = record[contract];
    const auto lowered = lower_case(source, contract);
    if (lowered) {
      expectation.digests = compute_reference(*lowered).value().expectation;
    } else {
      expectation.is_refused = true;
    }
  }
  return record;
}

// A file with these contents, and their digest.
Bytes seal(std::span<const uint8_t> contents, uint32_t version = kCorpusFormatVersion) {
  const Digest digest = digest_of(std::as_bytes(contents));
  const schema::DigestBytes digest_bytes{flatbuffers::span<const uint8_t, 16>(digest.bytes)};
  flatbuffers::FlatBufferBuilder file;
  file.ForceVectorAlignment(contents.size(), 1, kCorpusAlignment);
  const auto bytes = file.CreateVector(contents.data(), contents.size());
  schema::FinishFileBuffer(file, schema::CreateFile(file, version, &digest_bytes, bytes));
  const auto written = std::as_bytes(file.GetBufferSpan());
  return {written.begin(), written.end()};
}

std::span<const uint8_t> contents_of(const Bytes& file) {
  const auto* contents = schema::GetFile(file.data())->contents();
  return {contents->data(), contents->size()};
}

// The sample with a lie in it, and the digest that belongs to it.
Bytes with(const std::function<void(schema::ContentsT&)>& lie) {
  schema::ContentsT contents;
  flatbuffers::GetRoot<schema::Contents>(contents_of(sample_bytes()).data())->UnPackTo(&contents);
  lie(contents);
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(schema::Contents::Pack(builder, &contents));
  return seal(builder.GetBufferSpan());
}

std::string refusal(const Bytes& bytes) {
  const auto corpus = read(bytes);
  return corpus ? "accepted" : corpus.error().message;
}

std::string refusal_of(const std::function<void(schema::ContentsT&)>& lie) {
  return refusal(with(lie));
}

TEST(Corpus, HoldsTheCasesAndWhatHostRefComputes) {
  const Suite suite = sample_suite();
  const auto corpus = read(sample_bytes());
  ASSERT_TRUE(corpus) << corpus.error().message;
  EXPECT_EQ(corpus->suite_version, kSuiteVersion);
  EXPECT_EQ(corpus->seed, 7u);
  EXPECT_EQ(corpus->random_cases, 3);
  EXPECT_FALSE(corpus->is_quick);
  EXPECT_FALSE(corpus->digest.is_empty());
  ASSERT_EQ(corpus->cases.size(), suite.cases.size());
  ASSERT_EQ(corpus->recorded.size(), suite.cases.size());
  for (size_t i = 0; i < suite.cases.size(); ++i) {
    const Case& original = suite.cases[i];
    const Case& copy = corpus->cases[i];
    SCOPED_TRACE(original.name);
    EXPECT_EQ(copy.name, original.name);
    EXPECT_EQ(copy.family, original.family);
    EXPECT_EQ(copy.is_quick, original.is_quick);
    EXPECT_EQ(copy.coverage, original.coverage);
    EXPECT_EQ(copy.inputs, original.inputs);
    EXPECT_EQ(copy.graph.name, original.name);
    EXPECT_EQ(graph::write_tflite(copy.graph).value(), graph::write_tflite(original.graph).value());
    EXPECT_EQ(corpus->recorded.at(copy.name), reference_record(original));
  }
}

// XNNPACK has no FULLY_CONNECTED with asymmetric int8 weights.
TEST(Corpus, RecordsWhichContractsRefuseACase) {
  graph::GraphBuilder builder;
  const int32_t input =
      builder.input("x", graph::DataType::kInt8, {2, 4}, graph::per_tensor(0.5f, 1));
  const int32_t weights = builder.constant<int8_t>("w", {5, 4}, std::vector<int8_t>(20, 3),
                                                   graph::per_tensor(0.25f, 2));
  const int32_t output =
      builder.fully_connected(input, weights, graph::kAbsentTensor, graph::per_tensor(1.0f));
  Suite suite;
  suite.cases.push_back(make_case("sample/asymmetric", builder.build({output}).value(), true));
  const auto corpus = read(make_corpus(suite).value());
  ASSERT_TRUE(corpus) << corpus.error().message;
  const RecordedCase& record = corpus->recorded.at("sample/asymmetric");
  EXPECT_TRUE(record.at(numerics::Contract::kLitert).is_refused);
  EXPECT_FALSE(record.at(numerics::Contract::kTflite).is_refused);
  EXPECT_EQ(record, reference_record(suite.cases.front()));
}

TEST(Corpus, SameSuiteGivesSameBytes) {
  EXPECT_EQ(make_corpus(sample_suite()).value(), sample_bytes());
  Suite other = sample_suite();
  other.cases.back().inputs.front().front() ^= std::byte{1};
  const auto changed = make_corpus(other).value();
  EXPECT_NE(read(changed)->digest, read(sample_bytes())->digest);
}

TEST(Corpus, ConstantsPointIntoTheFileAndKeepIt) {
  auto bytes = std::make_shared<const Bytes>(sample_bytes());
  const std::span<const std::byte> file = *bytes;
  const std::weak_ptr<const Bytes> observer = bytes;
  std::vector<Case> cases = read_corpus(std::move(bytes), "some.lockstep").value().cases;
  size_t constants = 0;
  for (const Case& source : cases) {
    for (const graph::Tensor& tensor : source.graph.tensors) {
      if (!tensor.is_constant()) continue;
      ++constants;
      EXPECT_GE(tensor.data.data(), file.data());
      EXPECT_LE(tensor.data.data() + tensor.data.size(), file.data() + file.size());
    }
  }
  EXPECT_GT(constants, 0u);
  EXPECT_FALSE(observer.expired());
  cases.clear();
  EXPECT_TRUE(observer.expired());
}

TEST(Corpus, NamesTheCaseThatCannotBeWritten) {
  Suite suite = sample_suite();
  suite.cases[1].inputs.clear();
  const auto bytes = make_corpus(suite);
  ASSERT_FALSE(bytes);
  EXPECT_THAT(bytes.error().message, HasSubstr("case '" + suite.cases[1].name + "'"));
}

TEST(Corpus, RefusesWhatIsNoCorpus) {
  EXPECT_THAT(refusal({}), HasSubstr("not a corpus"));
  EXPECT_THAT(refusal(graph::write_tflite(graph::testing::sample_network()).value()),
              AllOf(StartsWith("some.lockstep: "), HasSubstr("not a corpus")));
  const auto missing = read_corpus_file("/no/such/file.lockstep");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

TEST(Corpus, RefusesANewerVersionAndUnknownContracts) {
  const auto newer = read(seal(contents_of(sample_bytes()), kCorpusFormatVersion + 1));
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(newer.error().message, HasSubstr("format version 2"));
  const auto contract = read(with([](auto& contents) { contents.contracts[1] = "dsp"; }));
  ASSERT_FALSE(contract);
  EXPECT_EQ(contract.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(contract.error().message, HasSubstr("'dsp'"));
}

TEST(Corpus, RefusesLiesAndNamesTheCase) {
  EXPECT_EQ(refusal_of([](auto&) {}), "accepted");
  const std::string first = sample_suite().cases[0].name;
  const auto about_first = AllOf(StartsWith("some.lockstep: "), HasSubstr("'" + first + "'"));

  EXPECT_THAT(refusal_of([](auto& c) { c.cases[1]->name = c.cases[0]->name; }),
              AllOf(about_first, HasSubstr("twice")));
  EXPECT_THAT(refusal_of([](auto& c) { c.cases[0]->family = "network"; }),
              AllOf(about_first, HasSubstr("family 'network'")));
  EXPECT_THAT(refusal_of([](auto& c) { c.cases[0]->name = "sample/\x1b[31m"; }),
              AllOf(HasSubstr("no name"), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(refusal_of([](auto& c) { c.cases[0]->name = ""; }), HasSubstr("no name"));
  EXPECT_THAT(refusal_of([](auto& c) { c.cases[0]->name.resize(2000, 'x'); }),
              HasSubstr("no name"));

  EXPECT_THAT(refusal_of([](auto& c) { c.cases[0]->inputs[0]->bytes.push_back(0); }),
              AllOf(about_first, HasSubstr("bytes for input")));
  EXPECT_THAT(refusal_of([](auto& c) { c.cases[0]->inputs[0]->bytes.clear(); }),
              AllOf(about_first, HasSubstr("bytes for input")));
  EXPECT_THAT(refusal_of([](auto& c) { c.cases[0]->inputs.clear(); }),
              AllOf(about_first, HasSubstr("contents for 0 of 1 inputs")));
  EXPECT_THAT(refusal_of([](auto& c) { c.cases[0]->model.resize(40); }), about_first);
  EXPECT_THAT(refusal_of([](auto& c) { c.cases[0]->model.clear(); }), about_first);

  EXPECT_THAT(refusal_of([](auto& c) { c.cases[0]->coverage[0] = 1000; }),
              AllOf(about_first, HasSubstr("no coverage point 1000")));
  EXPECT_THAT(refusal_of([](auto& c) { c.coverage_points[0]->value = "\n"; }),
              HasSubstr("has no name"));
  EXPECT_THAT(refusal_of([](auto& c) { c.contracts[1] = c.contracts[0]; }), HasSubstr("twice"));
  EXPECT_THAT(refusal_of([](auto& c) { c.contracts.clear(); }), HasSubstr("no contract"));
  EXPECT_THAT(refusal_of([](auto& c) { c.random_cases = -1; }), HasSubstr("negative"));
  EXPECT_THAT(refusal_of([](auto& c) { c.suite_version = "1\n"; }), HasSubstr("version"));
}

TEST(Corpus, RefusesDigestsThatCannotBeRight) {
  const auto set_first = [](schema::Expectation expectation) {
    return [expectation](schema::ContentsT& contents) {
      contents.cases[0]->expectations[0] = expectation;
    };
  };
  const std::array<uint8_t, 16> ones = {1, 1, 1};
  const schema::DigestBytes some{flatbuffers::span<const uint8_t, 16>(ones)};
  const schema::DigestBytes none;
  using schema::ExpectationState;
  const auto is_wrong =
      AllOf(HasSubstr(sample_suite().cases[0].name), HasSubstr("'tflite'"), HasSubstr("digests"));
  EXPECT_THAT(refusal_of(set_first({none, none, ExpectationState::COMPUTED})), is_wrong);
  EXPECT_THAT(refusal_of(set_first({none, some, ExpectationState::COMPUTED})), is_wrong);
  EXPECT_THAT(refusal_of(set_first({some, none, ExpectationState::REFUSED})), is_wrong);
  EXPECT_THAT(refusal_of(set_first({none, some, ExpectationState::REFUSED})), is_wrong);
  EXPECT_THAT(refusal_of(set_first({some, none, ExpectationState{2}})), is_wrong);
  EXPECT_EQ(refusal_of(set_first({some, none, ExpectationState::COMPUTED})), "accepted");
  EXPECT_EQ(refusal_of(set_first({none, none, ExpectationState::REFUSED})), "accepted");
  EXPECT_THAT(refusal_of([](auto& contents) { contents.cases[0]->expectations.pop_back(); }),
              HasSubstr("3 expectations for 4 contracts"));
}

// A small file whose cases all point to one long model or input.
TEST(Corpus, BoundsWhatAHostileFileMakesItCopy) {
  constexpr size_t kCases = 100;
  const auto model = graph::write_tflite(graph::testing::sample_network()).value();
  const Case source = make_case("network/x", graph::testing::sample_network(), false);
  flatbuffers::FlatBufferBuilder builder;
  builder.ForceVectorAlignment(model.size(), 1, kCorpusAlignment);
  const auto model_bytes =
      builder.CreateVector(reinterpret_cast<const uint8_t*>(model.data()), model.size());
  const auto& input = source.inputs.front();
  const std::vector inputs{schema::CreateBytes(
      builder, builder.CreateVector(reinterpret_cast<const uint8_t*>(input.data()), input.size()))};
  const auto all_inputs = builder.CreateVector(inputs);
  const std::vector expectations{schema::Expectation({}, {}, schema::ExpectationState::REFUSED)};
  std::vector<flatbuffers::Offset<schema::Case>> cases;
  for (size_t i = 0; i < kCases; ++i) {
    const auto name = builder.CreateString("network/" + std::to_string(i));
    const auto family = builder.CreateString("network");
    cases.push_back(schema::CreateCase(builder, name, family, false, 0, model_bytes, all_inputs,
                                       builder.CreateVectorOfStructs(expectations)));
  }
  const std::vector contracts{builder.CreateString("tflite")};
  builder.Finish(
      schema::CreateContentsDirect(builder, "1", 1, 0, false, &contracts, nullptr, &cases));
  EXPECT_THAT(refusal(seal(builder.GetBufferSpan())), HasSubstr("far longer than the file"));
}

// ---- Damage ----

struct Outcome {
  int accepted = 0;
  int refused = 0;
};

// A damaged file must give an error or cases that can be believed, and nothing else; run it under
// the address and undefined-behaviour sanitizers.
void survive(std::span<const std::byte> damaged, Outcome& outcome) {
  const auto corpus = read(Bytes(damaged.begin(), damaged.end()));
  if (!corpus) {
    ++outcome.refused;
    ASSERT_TRUE(corpus.error().code == ErrorCode::kInvalidModel ||
                corpus.error().code == ErrorCode::kUnsupported);
    ASSERT_THAT(corpus.error().message, StartsWith("some.lockstep: "));
    return;
  }
  ++outcome.accepted;
  for (const Case& source : corpus->cases) {
    ASSERT_TRUE(graph::validate(source.graph)) << source.name;
    ASSERT_TRUE(corpus->recorded.contains(source.name));
    const auto contract = numerics::kAllContracts[static_cast<size_t>(outcome.accepted) % 4];
    const auto lowered = lower_case(source, contract);
    ASSERT_TRUE(lowered || lowered.error().code == ErrorCode::kUnsupported)
        << lowered.error().message;
  }
}

size_t below(std::mt19937_64& generator, size_t limit) {
  return static_cast<size_t>(generator() % limit);
}

void flip_bits(std::span<uint8_t> bytes, std::mt19937_64& generator) {
  for (size_t flips = 1 + below(generator, 6); flips > 0; --flips) {
    bytes[below(generator, bytes.size())] ^= static_cast<uint8_t>(1u << below(generator, 8));
  }
}

// Offsets, lengths and indices are 32-bit words: these values are what breaks a reader.
void overwrite_word(std::span<uint8_t> bytes, std::mt19937_64& generator) {
  const uint32_t words[] = {0,
                            1,
                            4,
                            0xffff,
                            0x7fffffff,
                            0x80000000u,
                            0xfffffffcu,
                            0xffffffffu,
                            static_cast<uint32_t>(bytes.size()),
                            static_cast<uint32_t>(below(generator, bytes.size())),
                            static_cast<uint32_t>(0u - below(generator, bytes.size()))};
  const uint32_t word = words[below(generator, std::size(words))];
  std::memcpy(bytes.data() + below(generator, bytes.size() / 4) * 4, &word, sizeof(word));
}

TEST(CorpusCorruption, EveryTruncationIsRefused) {
  const Bytes& bytes = sample_bytes();
  Outcome outcome;
  for (size_t size = 0; size < bytes.size() && !HasFatalFailure(); ++size) {
    survive(std::span(bytes).first(size), outcome);
  }
  EXPECT_EQ(outcome.accepted, 0);
}

TEST(CorpusCorruption, NoFlippedBitOfTheContentsGoesUnnoticed) {
  std::mt19937_64 generator{20240611};
  Outcome outcome;
  const Bytes& bytes = sample_bytes();
  const auto contents = std::as_bytes(contents_of(bytes));
  const auto begin = static_cast<size_t>(contents.data() - bytes.data());
  for (int i = 0; i < 4000 && !HasFatalFailure(); ++i) {
    Bytes damaged = bytes;
    const size_t position = begin + below(generator, contents.size());
    damaged[position] ^= std::byte{1} << below(generator, 8);
    survive(damaged, outcome);
  }
  EXPECT_EQ(outcome.accepted, 0);
}

TEST(CorpusCorruption, DamageAroundTheContentsIsSurvived) {
  std::mt19937_64 generator{20240612};
  Outcome outcome;
  const size_t around = sample_bytes().size() - contents_of(sample_bytes()).size();
  for (int i = 0; i < 4000 && !HasFatalFailure(); ++i) {
    Bytes damaged = sample_bytes();
    const std::span header(reinterpret_cast<uint8_t*>(damaged.data()), around);
    if (i % 2 == 0) {
      flip_bits(header, generator);
    } else {
      overwrite_word(header, generator);
    }
    survive(damaged, outcome);
  }
  EXPECT_GT(outcome.refused, 1000);
}

// With a digest that belongs to the damage: what a forger would write.
TEST(CorpusCorruption, ForgedContentsAreSurvived) {
  std::mt19937_64 generator{20240613};
  Outcome outcome;
  const auto original = contents_of(sample_bytes());
  for (int i = 0; i < 8000 && !HasFatalFailure(); ++i) {
    std::vector<uint8_t> damaged(original.begin(), original.end());
    if (i % 2 == 0) {
      flip_bits(damaged, generator);
    } else {
      overwrite_word(damaged, generator);
    }
    survive(seal(damaged), outcome);
  }
  EXPECT_GT(outcome.refused, 1000) << "the damage hardly reaches the structure";
  EXPECT_GT(outcome.accepted, 1000) << "the damage never gets past the verifier";
}

// ---- Suites of a corpus ----

class CorpusSuite : public ::testing::Test {
 protected:
  void SetUp() override { write(sample_bytes()); }
  void TearDown() override { std::filesystem::remove(path_); }

  void write(const Bytes& bytes) {
    const auto status = write_file(
        path_, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    ASSERT_TRUE(status) << status.error().message;
  }

  SuiteOptions options() const {
    SuiteOptions result;
    result.corpus = path_;
    return result;
  }

  std::vector<RunResult> run_on_reference() const {
    const Suite suite = make_suite(options()).value();
    std::vector<size_t> indices;
    for (size_t i = 0; i < suite.cases.size(); ++i) indices.push_back(i);
    InProcessOptions in_process;
    in_process.selector = "ref";
    in_process.run.check_reference = false;
    std::vector<RunResult> results;
    const auto subject = run_in_process(
        suite, indices, in_process, [&](const RunResult& result) { results.push_back(result); },
        [](const Progress&) {});
    EXPECT_TRUE(subject) << subject.error().message;
    return results;
  }

  const std::filesystem::path path_ = std::filesystem::path(::testing::TempDir()) /
                                      ("corpus_suite_" + std::to_string(::getpid()) + ".lockstep");
};

TEST_F(CorpusSuite, HasTheCasesAndTheRecordOfTheFile) {
  const auto suite = make_suite(options());
  ASSERT_TRUE(suite) << suite.error().message;
  const auto corpus = read(sample_bytes());
  ASSERT_EQ(suite->cases.size(), corpus->cases.size());
  EXPECT_EQ(suite->recorded, corpus->recorded);
  EXPECT_EQ(suite->corpus_digest, corpus->digest);
  EXPECT_EQ(suite->version, corpus->suite_version);
  EXPECT_EQ(suite->options.generator.seed, 7u);
  EXPECT_EQ(suite->options.generator.random_cases, 3);
}

TEST_F(CorpusSuite, GivesTheSameFileAgain) {
  EXPECT_EQ(make_corpus(make_suite(options()).value()).value(), sample_bytes());
}

TEST_F(CorpusSuite, IsFilteredAsGeneratedCasesAre) {
  const auto names = [](const Suite& suite) {
    std::vector<std::string> result;
    for (const Case& source : suite.cases) result.push_back(source.name);
    return result;
  };
  SuiteOptions filtered = options();
  filtered.filters = {"network/"};
  EXPECT_THAT(names(make_suite(filtered).value()), ElementsAre("network/small"));
  SuiteOptions quick = options();
  quick.quick = true;
  EXPECT_THAT(names(make_suite(quick).value()), AllOf(Not(IsEmpty()), Each(StartsWith("sample/"))));
  SuiteOptions shard = options();
  shard.shard_index = 3;
  shard.shard_count = 4;
  EXPECT_THAT(names(make_suite(shard).value()), ElementsAre("network/small"));
}

TEST_F(CorpusSuite, TellsWhichFileIsDamaged) {
  write(Bytes(100));
  const auto suite = make_suite(options());
  ASSERT_FALSE(suite);
  EXPECT_THAT(suite.error().message, StartsWith(path_.string() + ": "));
}

TEST_F(CorpusSuite, ReferencePassesAndAWrongDigestFails) {
  const auto is_failed = [](const RunResult& result) { return is_failure(result.verdict); };
  std::vector<RunResult> results = run_on_reference();
  EXPECT_GE(results.size(), 4u);
  EXPECT_EQ(std::ranges::count_if(results, is_failed), 0);

  write(with([](schema::ContentsT& contents) {
    schema::Expectation& expectation = contents.cases[3]->expectations[0];
    std::array<uint8_t, 16> other{};
    std::copy_n(expectation.outputs().bytes()->data(), other.size(), other.begin());
    other[15] ^= 1;
    expectation =
        schema::Expectation(schema::DigestBytes(flatbuffers::span<const uint8_t, 16>(other)),
                            expectation.accumulators(), schema::ExpectationState::COMPUTED);
  }));
  results = run_on_reference();
  ASSERT_EQ(std::ranges::count_if(results, is_failed), 1);
  const RunResult& failed = *std::ranges::find_if(results, is_failed);
  EXPECT_EQ(failed.case_name, "network/small");
  EXPECT_EQ(failed.contract, numerics::Contract::kTflite);
}

}  // namespace
}  // namespace lockstep::conformance
