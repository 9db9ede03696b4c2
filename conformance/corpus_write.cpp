#include <fmt/format.h>

#include <map>
#include <utility>

#include "conformance/corpus.h"
#include "conformance/corpus_file.h"
#include "conformance/runner.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"

namespace lockstep::conformance {
namespace {

namespace schema = corpus_schema;
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using ByteVector = flatbuffers::Vector<uint8_t>;

// Half of what the format can address, so that names and tables fit with certainty.
constexpr size_t kMaximumCaseBytes = FLATBUFFERS_MAX_BUFFER_SIZE / 2;

tl::unexpected<Error> about_case(const Case& source, const Error& error) {
  return tl::unexpected(
      Error{error.code, fmt::format("case '{}': {}", source.name, error.message)});
}

schema::DigestBytes to_schema(const Digest& digest) {
  return schema::DigestBytes(flatbuffers::span<const uint8_t, 16>(digest.bytes));
}

// The case as a reader of the corpus will have it.
Result<Case> read_back(const Case& source, std::span<const std::byte> model) {
  auto graph = graph::read_tflite(model, source.name);
  if (!graph) return tl::unexpected(graph.error());
  Case result = source;
  result.graph = std::move(*graph);
  return result;
}

Result<schema::Expectation> compute_expectation(const Case& source, numerics::Contract contract) {
  const auto lowered = lower_case(source, contract);
  if (!lowered && lowered.error().code == ErrorCode::kUnsupported) {
    return schema::Expectation({}, {}, schema::ExpectationState::REFUSED);
  }
  if (!lowered) return tl::unexpected(lowered.error());
  const auto reference = compute_reference(*lowered);
  if (!reference) return tl::unexpected(reference.error());
  const Expectation& digests = reference->expectation;
  return schema::Expectation(to_schema(digests.outputs), to_schema(digests.accumulators),
                             schema::ExpectationState::COMPUTED);
}

class CorpusWriter {
 public:
  explicit CorpusWriter(const Suite& suite) : suite_(suite) {
    for (const Case& source : suite.cases) {
      for (const CoveragePoint& point : source.coverage) coverage_indices_.emplace(point, 0);
    }
    uint32_t next = 0;
    for (auto& [point, index] : coverage_indices_) index = next++;
  }

  Result<std::vector<std::byte>> write() && {
    std::vector<Offset<schema::Case>> cases;
    for (const Case& source : suite_.cases) {
      const auto written = write_case(source);
      if (!written) return about_case(source, written.error());
      cases.push_back(*written);
    }
    std::vector<Offset<flatbuffers::String>> contracts;
    for (const numerics::Contract contract : numerics::kAllContracts) {
      contracts.push_back(builder_.CreateString(std::string(numerics::contract_name(contract))));
    }
    std::vector<Offset<schema::CoveragePoint>> points;
    for (const auto& [point, index] : coverage_indices_) {
      points.push_back(schema::CreateCoveragePointDirect(builder_, point.dimension.c_str(),
                                                         point.value.c_str()));
    }
    const SuiteOptions& options = suite_.options;
    builder_.Finish(schema::CreateContentsDirect(
        builder_, suite_.version.c_str(), options.generator.seed, options.generator.random_cases,
        options.quick, &contracts, &points, &cases));
    return seal();
  }

 private:
  Offset<ByteVector> write_bytes(std::span<const std::byte> bytes) {
    return builder_.CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }

  Result<Offset<schema::Case>> write_case(const Case& source) {
    const auto model = graph::write_tflite(source.graph);
    if (!model) return tl::unexpected(model.error());
    case_bytes_ += model->size();
    for (const auto& input : source.inputs) case_bytes_ += input.size();
    if (case_bytes_ > kMaximumCaseBytes) {
      return make_error(ErrorCode::kUnsupported, "with it the cases do not fit a file: {} bytes",
                        case_bytes_);
    }
    const auto read = read_back(source, *model);
    if (!read) return tl::unexpected(read.error());
    std::vector<schema::Expectation> expectations;
    for (const numerics::Contract contract : numerics::kAllContracts) {
      const auto expectation = compute_expectation(*read, contract);
      if (!expectation) return tl::unexpected(expectation.error());
      expectations.push_back(*expectation);
    }
    std::vector<Offset<schema::Bytes>> inputs;
    for (const auto& input : source.inputs) {
      inputs.push_back(schema::CreateBytes(builder_, write_bytes(input)));
    }
    std::vector<uint32_t> coverage;
    for (const CoveragePoint& point : source.coverage) {
      coverage.push_back(coverage_indices_.at(point));
    }
    // One after another: the order of a call's arguments is the compiler's, and so would be the
    // bytes.
    builder_.ForceVectorAlignment(model->size(), 1, kCorpusAlignment);
    const auto model_bytes = write_bytes(*model);
    const auto name = builder_.CreateString(source.name);
    const auto family = builder_.CreateSharedString(source.family);
    const auto all_coverage = builder_.CreateVector(coverage);
    const auto all_inputs = builder_.CreateVector(inputs);
    const auto all_expectations = builder_.CreateVectorOfStructs(expectations);
    return schema::CreateCase(builder_, name, family, source.is_quick, all_coverage, model_bytes,
                              all_inputs, all_expectations);
  }

  // The file around the contents.
  std::vector<std::byte> seal() {
    const auto contents = std::as_bytes(builder_.GetBufferSpan());
    const schema::DigestBytes digest = to_schema(digest_of(contents));
    FlatBufferBuilder file(contents.size() + 256);
    file.ForceVectorAlignment(contents.size(), 1, kCorpusAlignment);
    const auto bytes =
        file.CreateVector(reinterpret_cast<const uint8_t*>(contents.data()), contents.size());
    schema::FinishFileBuffer(file, schema::CreateFile(file, kCorpusFormatVersion, &digest, bytes));
    const auto written = std::as_bytes(file.GetBufferSpan());
    return {written.begin(), written.end()};
  }

  const Suite& suite_;
  FlatBufferBuilder builder_;
  // Numbered in their own order.
  std::map<CoveragePoint, uint32_t> coverage_indices_;
  size_t case_bytes_ = 0;
};

}  // namespace

Result<std::vector<std::byte>> make_corpus(const Suite& suite) {
  return CorpusWriter(suite).write();
}

}  // namespace lockstep::conformance
