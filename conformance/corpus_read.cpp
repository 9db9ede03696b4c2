#include <algorithm>
#include <string_view>
#include <utility>

#include "conformance/corpus.h"
#include "conformance/corpus_file.h"
#include "conformance/report.h"
#include "graph/tflite_reader.h"

namespace lockstep::conformance {
namespace {

namespace schema = corpus_schema;
using Bytes = std::vector<std::byte>;
using graph::printable;

// Tables nest two deep in the contents. Their number is bounded because a small file may point to
// one table from many places.
constexpr flatbuffers::uoffset_t kMaximumDepth = 8;
constexpr flatbuffers::uoffset_t kMaximumTables = 4'000'000;
constexpr size_t kMaximumNameBytes = 1000;

std::span<const std::byte> bytes_of(const flatbuffers::Vector<uint8_t>& vector) {
  return std::as_bytes(std::span(vector.data(), vector.size()));
}

std::string_view text_of(const flatbuffers::String& text) { return {text.c_str(), text.size()}; }

template <typename Vector>
flatbuffers::uoffset_t size_or_zero(const Vector* vector) {
  return vector == nullptr ? 0 : vector->size();
}

Digest to_digest(const schema::DigestBytes& bytes) {
  Digest digest;
  std::copy_n(bytes.bytes()->data(), digest.bytes.size(), digest.bytes.begin());
  return digest;
}

// Names end up in reports, journals and on terminals.
bool is_usable_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaximumNameBytes &&
         std::ranges::none_of(name, [](char letter) {
           const auto code = static_cast<unsigned char>(letter);
           return code < 0x20 || code == 0x7f;
         });
}

// What a graph holds besides the constants that stay in the file.
size_t copied_bytes(const graph::Graph& graph) {
  size_t bytes = 0;
  for (const graph::Tensor& tensor : graph.tensors) {
    bytes += tensor.name.size() +
             sizeof(int32_t) * (tensor.shape.size() + tensor.shape_signature.size()) +
             sizeof(float) * tensor.quantization.scales.size() +
             sizeof(int32_t) * tensor.quantization.zero_points.size();
  }
  for (const graph::Operator& op : graph.operators) {
    bytes += sizeof(int32_t) * (op.inputs.size() + op.outputs.size());
  }
  return bytes;
}

class CorpusReader {
 public:
  CorpusReader(std::shared_ptr<const Bytes> file, std::string name)
      : file_(std::move(file)),
        name_(std::move(name)),
        copies_left_(kCopiesOfTheFile * file_->size()) {}

  Result<Corpus> read() && {
    if (Status status = open(); !status) return tl::unexpected(status.error());
    if (Status status = read_contracts(); !status) return tl::unexpected(status.error());
    corpus_.suite_version = text_of(*contents_->suite_version());
    if (!is_usable_name(corpus_.suite_version)) return invalid("the suite's version is no name");
    corpus_.seed = contents_->seed();
    corpus_.random_cases = contents_->random_cases();
    corpus_.is_quick = contents_->is_quick();
    if (corpus_.random_cases < 0) return invalid("the number of random cases is negative");
    for (const schema::Case* source : *contents_->cases()) {
      if (Status status = read_case(*source); !status) return tl::unexpected(status.error());
    }
    return std::move(corpus_);
  }

 private:
  // Every case has bytes of its own, so that honest files need one copy at most: of names, inputs,
  // and what a graph copies of its model. A hostile one may point to one list from many places.
  static constexpr size_t kCopiesOfTheFile = 4;

  template <typename... Args>
  tl::unexpected<Error> invalid(fmt::format_string<Args...> format, Args&&... args) const {
    return make_error(ErrorCode::kInvalidModel, "{}: {}", name_,
                      fmt::format(format, std::forward<Args>(args)...));
  }

  // From bytes to contents that can be walked.
  Status open() {
    constexpr size_t kHeaderSize = 8;  // root offset and identifier
    if (file_->size() < kHeaderSize || !schema::FileBufferHasIdentifier(file_->data())) {
      return invalid("not a corpus: no identifier \"{}\"", schema::FileIdentifier());
    }
    if (file_->size() >= FLATBUFFERS_MAX_BUFFER_SIZE) {
      return make_error(ErrorCode::kUnsupported,
                        "{}: {} bytes, files of 2 GiB and more are not read", name_, file_->size());
    }
    flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(file_->data()), file_->size(),
                                   kMaximumDepth, kMaximumTables);
    if (!schema::VerifyFileBuffer(verifier)) {
      return invalid("damaged or cut off: an offset leaves the {} bytes of the file",
                     file_->size());
    }
    const schema::File& file = *schema::GetFile(file_->data());
    if (file.format_version() != kCorpusFormatVersion) {
      return make_error(ErrorCode::kUnsupported, "{}: format version {}, only {} is known", name_,
                        file.format_version(), kCorpusFormatVersion);
    }
    const auto contents = bytes_of(*file.contents());
    corpus_.digest = to_digest(*file.digest());
    if (const Digest actual = digest_of(contents); actual != corpus_.digest) {
      return invalid("damaged: the digest of its contents is {}, not {}", actual.hex(),
                     corpus_.digest.hex());
    }
    return open_contents(contents);
  }

  // A forger can make the digest right, so the contents are believed no more than before.
  Status open_contents(std::span<const std::byte> contents) {
    const auto* data = reinterpret_cast<const uint8_t*>(contents.data());
    if (reinterpret_cast<uintptr_t>(data) % kCorpusAlignment != 0) {
      return invalid("the contents do not begin at a multiple of {} bytes", kCorpusAlignment);
    }
    flatbuffers::Verifier verifier(data, contents.size(), kMaximumDepth, kMaximumTables);
    if (!verifier.VerifyBuffer<schema::Contents>(nullptr)) {
      return invalid("damaged: an offset leaves the {} bytes of the contents", contents.size());
    }
    contents_ = flatbuffers::GetRoot<schema::Contents>(data);
    return {};
  }

  Status read_contracts() {
    for (const flatbuffers::String* text : *contents_->contracts()) {
      const auto contract = numerics::parse_contract(text_of(*text));
      if (!contract) {
        return make_error(ErrorCode::kUnsupported,
                          "{}: the contract '{}' is not known to this build", name_,
                          printable(text_of(*text)));
      }
      if (std::ranges::find(contracts_, *contract) != contracts_.end()) {
        return invalid("the contract '{}' is there twice", text_of(*text));
      }
      contracts_.push_back(*contract);
    }
    if (contracts_.empty()) return invalid("it has no contract");
    return {};
  }

  Status read_case(const schema::Case& source) {
    const std::string_view name = text_of(*source.name());
    const std::string_view family = text_of(*source.family());
    if (!is_usable_name(name)) return invalid("'{}' is no name of a case", printable(name));
    const auto bad = [&](const std::string& problem) {
      return invalid("case '{}': {}", name, problem);
    };
    if (family_of(name) != family) {
      return bad(fmt::format("it cannot be of the family '{}'", printable(family)));
    }
    if (corpus_.recorded.contains(std::string(name))) return bad("it is there twice");
    if (!spend(name.size() + family.size() + source.model()->size())) return too_repetitive(name);

    Case read;
    read.name = name;
    read.family = family;
    read.is_quick = source.is_quick();
    auto graph = graph::read_tflite(bytes_of(*source.model()),
                                    fmt::format("{}: case '{}'", name_, name), file_);
    if (!graph) return tl::unexpected(graph.error());
    read.graph = std::move(*graph);
    read.graph.name = name;
    if (!spend(copied_bytes(read.graph))) return too_repetitive(name);
    if (Status status = read_inputs(source, read); !status) return status;
    if (Status status = read_coverage(source, read); !status) return status;
    if (Status status = read_expectations(source, read); !status) return status;
    corpus_.cases.push_back(std::move(read));
    return {};
  }

  Status read_inputs(const schema::Case& source, Case& read) {
    const auto count = size_or_zero(source.inputs());
    if (count != read.graph.inputs.size()) {
      return invalid("case '{}': contents for {} of {} inputs", read.name, count,
                     read.graph.inputs.size());
    }
    for (flatbuffers::uoffset_t i = 0; i < count; ++i) {
      const graph::Tensor& tensor = read.graph.tensors[static_cast<size_t>(read.graph.inputs[i])];
      const auto input = bytes_of(*source.inputs()->Get(i)->bytes());
      const auto elements = graph::element_count(tensor.shape);
      const size_t element_size = graph::data_type_size(tensor.type);
      if (element_size == 0 || !elements ||
          input.size() != static_cast<size_t>(*elements) * element_size) {
        return invalid("case '{}': {} bytes for input '{}', which is {} {}", read.name,
                       input.size(), printable(tensor.name), graph::data_type_name(tensor.type),
                       graph::shape_to_string(tensor.shape));
      }
      if (!spend(input.size())) return too_repetitive(read.name);
      read.inputs.emplace_back(input.begin(), input.end());
    }
    return {};
  }

  Status read_coverage(const schema::Case& source, Case& read) {
    if (!spend(sizeof(uint32_t) * size_or_zero(source.coverage()))) {
      return too_repetitive(read.name);
    }
    for (flatbuffers::uoffset_t i = 0; i < size_or_zero(source.coverage()); ++i) {
      const uint32_t index = source.coverage()->Get(i);
      if (index >= size_or_zero(contents_->coverage_points())) {
        return invalid("case '{}': there is no coverage point {}", read.name, index);
      }
      const schema::CoveragePoint& point = *contents_->coverage_points()->Get(index);
      if (!is_usable_name(text_of(*point.dimension())) ||
          !is_usable_name(text_of(*point.value()))) {
        return invalid("case '{}': coverage point {} has no name", read.name, index);
      }
      // Points are shared by design, and short.
      constexpr size_t kFree = 100;
      const size_t length = point.dimension()->size() + point.value()->size();
      if (length > kFree && !spend(length)) return too_repetitive(read.name);
      read.coverage.push_back(
          {std::string(text_of(*point.dimension())), std::string(text_of(*point.value()))});
    }
    return {};
  }

  Status read_expectations(const schema::Case& source, const Case& read) {
    const auto count = size_or_zero(source.expectations());
    if (count != contracts_.size()) {
      return invalid("case '{}': {} expectations for {} contracts", read.name, count,
                     contracts_.size());
    }
    RecordedCase& recorded = corpus_.recorded[read.name];
    for (flatbuffers::uoffset_t i = 0; i < count; ++i) {
      const schema::Expectation& expectation = *source.expectations()->Get(i);
      RecordedExpectation& result = recorded[contracts_[i]];
      result.digests.outputs = to_digest(expectation.outputs());
      result.digests.accumulators = to_digest(expectation.accumulators());
      result.is_refused = expectation.state() == schema::ExpectationState::REFUSED;
      const bool is_believable = result.is_refused
                                     ? result.digests == Expectation{}
                                     : expectation.state() == schema::ExpectationState::COMPUTED &&
                                           !result.digests.outputs.is_empty();
      if (!is_believable) {
        return invalid("case '{}': the digests under the contract '{}' cannot be right", read.name,
                       numerics::contract_name(contracts_[i]));
      }
    }
    return {};
  }

  // Whether `bytes` more may be copied.
  bool spend(size_t bytes) {
    if (bytes > copies_left_) return false;
    copies_left_ -= bytes;
    return true;
  }

  tl::unexpected<Error> too_repetitive(std::string_view case_name) const {
    return invalid("case '{}': its cases share bytes that together are far longer than the file",
                   case_name);
  }

  std::shared_ptr<const Bytes> file_;
  std::string name_;
  size_t copies_left_;
  const schema::Contents* contents_ = nullptr;
  std::vector<numerics::Contract> contracts_;
  Corpus corpus_;
};

}  // namespace

Result<Corpus> read_corpus(std::shared_ptr<const Bytes> bytes, std::string name) {
  return CorpusReader(std::move(bytes), std::move(name)).read();
}

Result<Corpus> read_corpus_file(const std::filesystem::path& path) {
  // Before the bytes are asked for: a sparse file of any size takes no room on the disk.
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (!error && size >= FLATBUFFERS_MAX_BUFFER_SIZE) {
    return make_error(ErrorCode::kUnsupported, "{}: {} bytes, files of 2 GiB and more are not read",
                      path.string(), size);
  }
  auto bytes = graph::read_file_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  return read_corpus(std::make_shared<const Bytes>(std::move(*bytes)), path.string());
}

}  // namespace lockstep::conformance
