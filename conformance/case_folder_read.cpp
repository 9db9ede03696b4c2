#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <variant>

#include "conformance/case_folder.h"
#include "conformance/case_folder_format.h"
#include "conformance/json_fields.h"
#include "conformance/report.h"
#include "conformance/text.h"
#include "graph/tflite_reader.h"

namespace lockstep::conformance {
namespace {

using nlohmann::json;
using Bytes = std::vector<std::byte>;

constexpr uintmax_t kMaximumDescriptionBytes = uintmax_t{16} << 20;
constexpr size_t kMaximumTensors = 100'000;

// Only what lies in the folder itself: no links that lead elsewhere, no pipes that never end.
Result<uintmax_t> regular_file_size(const std::filesystem::path& file) {
  std::error_code problem;
  const auto status = std::filesystem::symlink_status(file, problem);
  if (!std::filesystem::exists(status)) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is missing", file.string());
  }
  if (!std::filesystem::is_regular_file(status)) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is no regular file", file.string());
  }
  const uintmax_t size = std::filesystem::file_size(file, problem);
  if (problem) {
    return make_error(ErrorCode::kInvalidArgument, "cannot read '{}': {}", file.string(),
                      problem.message());
  }
  return size;
}

Result<Bytes> read_tensor_file(const std::filesystem::path& file, const graph::Shape& shape,
                               graph::DataType type) {
  const auto size = regular_file_size(file);
  if (!size) return tl::unexpected(size.error());
  const auto count = graph::element_count(shape);
  const uintmax_t needed = static_cast<uintmax_t>(count.value_or(0)) * graph::data_type_size(type);
  if (!count || *size != needed) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} bytes; {} of shape {} have {}",
                      file.string(), *size, graph::data_type_name(type),
                      graph::shape_to_string(shape), needed);
  }
  std::ifstream stream(file, std::ios::binary);
  Bytes bytes(static_cast<size_t>(needed));
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!stream) {
    return make_error(ErrorCode::kInvalidArgument, "cannot read '{}'", file.string());
  }
  return bytes;
}

// What case.json says about a file.
struct DescribedFile {
  std::string file;
  std::string tensor;
  std::string type;
  std::vector<int64_t> shape;
  std::string digest;
};

DescribedFile read_described_file(JsonFields& fields) {
  DescribedFile described;
  described.file = fields.text("file");
  described.tensor = fields.text("tensor");
  described.type = fields.text("type");
  described.shape =
      fields.integers("shape", 0, std::numeric_limits<int32_t>::max(), graph::kMaximumRank);
  described.digest = fields.text("digest");
  fields.refuse_unknown();
  return described;
}

struct DescribedContract {
  std::string contract;
  std::vector<DescribedFile> outputs;
  std::vector<DescribedFile> accumulators;
};

struct Description {
  std::string name;
  std::string family;
  std::string lockstep_version;
  std::string suite_version;
  std::string model_digest;
  std::vector<DescribedFile> inputs;
  std::vector<DescribedContract> expected;
  std::optional<FolderFailure> failure;
};

numerics::Contract read_contract(JsonFields& fields) {
  const std::string name = fields.text("contract");
  const auto contract = numerics::parse_contract(name);
  if (fields.ok() && !contract) fields.refuse("contract", "unknown contract");
  return contract.value_or(numerics::Contract::kTflite);
}

FolderFailure read_failure(JsonFields& fields) {
  FolderFailure failure;
  failure.contract = read_contract(fields);
  failure.configuration = fields.text("configuration");
  const auto verdict = parse_verdict(fields.text("verdict"));
  if (fields.ok() && !verdict) fields.refuse("verdict", "unknown verdict");
  failure.verdict = verdict.value_or(Verdict::kFail);
  failure.reason = fields.text("reason");
  failure.kernels = fields.text("kernels");
  fields.object("subject", [](JsonFields&) {});  // read by subject_from_json()
  fields.refuse_unknown();
  return failure;
}

Result<Description> read_description(const std::filesystem::path& file) {
  const auto size = regular_file_size(file);
  if (!size) return tl::unexpected(size.error());
  if (*size > kMaximumDescriptionBytes) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} bytes, more than it may",
                      file.string(), *size);
  }
  const auto parsed = read_json_file(file);
  if (!parsed) return tl::unexpected(parsed.error());
  Status status;
  JsonFields fields(*parsed, "", status);
  fields.integer("format", folder::kFormat, folder::kFormat);
  Description description;
  description.name = fields.text("name");
  description.family = fields.text("family");
  for (const auto& [field, text] :
       {std::pair("name", &description.name), std::pair("family", &description.family)}) {
    if (fields.ok() && (text->empty() || text->size() > folder::kMaximumNameLength)) {
      fields.refuse(field, "empty, or longer than a name may be");
    }
  }
  description.lockstep_version = fields.text("lockstep_version");
  description.suite_version = fields.text("suite_version");
  fields.object("model", [&](JsonFields& model) {
    if (model.text("file") != folder::kModelFile) model.refuse("file", "not model.tflite");
    description.model_digest = model.text("digest");
    model.refuse_unknown();
  });
  fields.objects("inputs", [&](JsonFields& input) {
    description.inputs.push_back(read_described_file(input));
  });
  fields.objects("expected", [&](JsonFields& contract) {
    DescribedContract& described = description.expected.emplace_back();
    described.contract = numerics::contract_name(read_contract(contract));
    contract.objects("outputs", [&](JsonFields& output) {
      described.outputs.push_back(read_described_file(output));
    });
    contract.objects("accumulators", [&](JsonFields& accumulators) {
      described.accumulators.push_back(read_described_file(accumulators));
    });
    contract.refuse_unknown();
  });
  if (fields.has("failure")) {
    fields.object("failure",
                  [&](JsonFields& failure) { description.failure = read_failure(failure); });
  }
  fields.refuse_unknown();
  if (!status) {
    return make_error(ErrorCode::kInvalidArgument, "'{}': {}", file.string(),
                      status.error().message);
  }
  if (description.failure) {
    auto subject = subject_from_json(parsed->at("failure").at("subject"));
    if (!subject) {
      return make_error(ErrorCode::kInvalidArgument, "'{}': failure.subject: {}", file.string(),
                        subject.error().message);
    }
    description.failure->subject = std::move(*subject);
  }
  return description;
}

// Reads a folder whose description is known; every file's name, shape, size and digest must be what
// both the description and the model say.
class FolderReader {
 public:
  FolderReader(std::filesystem::path path, Description description)
      : path_(std::move(path)), description_(std::move(description)) {}

  Result<CaseFolder> read() {
    if (Status status = read_model(); !status) return tl::unexpected(status.error());
    if (Status status = read_inputs(); !status) return tl::unexpected(status.error());
    for (const DescribedContract& contract : description_.expected) {
      if (Status status = read_expected(contract); !status) return tl::unexpected(status.error());
    }
    if (folder_.expected.empty()) return refuse("nothing is expected of it");
    folder_.source.name = description_.name;
    folder_.source.family = description_.family;
    folder_.failure = std::move(description_.failure);
    folder_.lockstep_version = std::move(description_.lockstep_version);
    folder_.suite_version = std::move(description_.suite_version);
    return std::move(folder_);
  }

 private:
  tl::unexpected<Error> refuse(std::string_view reason) const {
    return make_error(ErrorCode::kInvalidArgument, "'{}': {}",
                      (path_ / folder::kDescriptionFile).string(), reason);
  }

  Status read_model() {
    const std::filesystem::path file = path_ / folder::kModelFile;
    if (const auto size = regular_file_size(file); !size) return tl::unexpected(size.error());
    const auto bytes = graph::read_file_bytes(file);
    if (!bytes) return tl::unexpected(bytes.error());
    if (digest_of(*bytes).hex() != description_.model_digest) {
      return make_error(ErrorCode::kInvalidArgument, "'{}' is not the file that case.json is about",
                        file.string());
    }
    auto graph = graph::read_tflite(*bytes, file.string());
    if (!graph) return tl::unexpected(graph.error());
    for (size_t i = 0; i < graph->operators.size(); ++i) {
      const auto* opaque = std::get_if<graph::OpaqueAttributes>(&graph->operators[i].attributes);
      if (opaque != nullptr) {
        return make_error(ErrorCode::kUnsupported, "'{}': {}: {}", file.string(),
                          graph::describe_operator(*graph, i), opaque->reason);
      }
    }
    folder_.source.graph = std::move(*graph);
    return {};
  }

  Result<Bytes> read_tensor(const DescribedFile& described, const std::string& expected_file,
                            const graph::Shape& shape, graph::DataType type) const {
    if (described.file != expected_file) {
      return refuse(fmt::format("names '{}' where it must name '{}'",
                                graph::printable(described.file), expected_file));
    }
    if (described.type != graph::data_type_name(type) ||
        !std::ranges::equal(described.shape, shape)) {
      return refuse(fmt::format("{} is {} {}, not as described", expected_file,
                                graph::data_type_name(type), graph::shape_to_string(shape)));
    }
    auto bytes = read_tensor_file(path_ / expected_file, shape, type);
    if (bytes && digest_of(*bytes).hex() != described.digest) {
      return make_error(ErrorCode::kInvalidArgument,
                        "'{}' has other contents than case.json is about",
                        (path_ / expected_file).string());
    }
    return bytes;
  }

  Status read_inputs() {
    const graph::Graph& graph = folder_.source.graph;
    if (description_.inputs.size() != graph.inputs.size()) {
      return refuse(fmt::format("{} inputs; the model has {}", description_.inputs.size(),
                                graph.inputs.size()));
    }
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      const auto& tensor = graph.tensors[static_cast<size_t>(graph.inputs[i])];
      auto bytes =
          read_tensor(description_.inputs[i], folder::input_file(i), tensor.shape, tensor.type);
      if (!bytes) return tl::unexpected(bytes.error());
      folder_.source.inputs.push_back(std::move(*bytes));
    }
    return {};
  }

  Status read_expected(const DescribedContract& described) {
    const auto contract = *numerics::parse_contract(described.contract);
    if (folder_.expected_under(contract) != nullptr) {
      return refuse(fmt::format("contract {} twice", described.contract));
    }
    const graph::Graph& graph = folder_.source.graph;
    if (described.outputs.size() != graph.outputs.size()) {
      return refuse(fmt::format("{} outputs; the model has {}", described.outputs.size(),
                                graph.outputs.size()));
    }
    if (described.accumulators.size() > kMaximumTensors) return refuse("too many accumulators");
    ExpectedTensors expected;
    expected.contract = contract;
    for (size_t i = 0; i < described.outputs.size(); ++i) {
      const auto& tensor = graph.tensors[static_cast<size_t>(graph.outputs[i])];
      auto bytes = read_tensor(described.outputs[i], folder::output_file(contract, i), tensor.shape,
                               tensor.type);
      if (!bytes) return tl::unexpected(bytes.error());
      expected.outputs.push_back({tensor.name, tensor.type, tensor.shape, std::move(*bytes)});
    }
    for (size_t i = 0; i < described.accumulators.size(); ++i) {
      const graph::Shape shape(described.accumulators[i].shape.begin(),
                               described.accumulators[i].shape.end());
      auto bytes = read_tensor(described.accumulators[i], folder::accumulator_file(contract, i),
                               shape, graph::DataType::kInt32);
      if (!bytes) return tl::unexpected(bytes.error());
      expected.accumulators.push_back(
          {described.accumulators[i].tensor, graph::DataType::kInt32, shape, std::move(*bytes)});
    }
    folder_.expected.push_back(std::move(expected));
    return {};
  }

  std::filesystem::path path_;
  Description description_;
  CaseFolder folder_;
};

}  // namespace

Result<CaseFolder> read_case_folder(const std::filesystem::path& path) {
  std::error_code problem;
  if (!std::filesystem::is_directory(path, problem)) {
    return make_error(ErrorCode::kNotFound, "there is no folder '{}'", path.string());
  }
  auto description = read_description(path / folder::kDescriptionFile);
  if (!description) return tl::unexpected(description.error());
  return FolderReader(path, std::move(*description)).read();
}

}  // namespace lockstep::conformance
