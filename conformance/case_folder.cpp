#include "conformance/case_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "conformance/case_folder_format.h"
#include "conformance/report.h"
#include "conformance/suite.h"
#include "conformance/text.h"
#include "graph/lowering.h"
#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"

namespace lockstep::conformance {
namespace {

using nlohmann::json;
using Bytes = std::vector<std::byte>;

json tensor_to_json(std::string file, std::string_view name, graph::DataType type,
                    const graph::Shape& shape, std::span<const std::byte> bytes) {
  return {{"file", std::move(file)},
          {"tensor", valid_utf8(name)},
          {"type", graph::data_type_name(type)},
          {"shape", shape},
          {"digest", digest_of(bytes).hex()}};
}

json expected_to_json(const ExpectedTensors& expected) {
  json outputs = json::array();
  for (size_t i = 0; i < expected.outputs.size(); ++i) {
    const ExpectedTensor& tensor = expected.outputs[i];
    outputs.push_back(tensor_to_json(folder::output_file(expected.contract, i), tensor.name,
                                     tensor.type, tensor.shape, tensor.bytes));
  }
  json accumulators = json::array();
  for (size_t i = 0; i < expected.accumulators.size(); ++i) {
    const ExpectedTensor& tensor = expected.accumulators[i];
    accumulators.push_back(tensor_to_json(folder::accumulator_file(expected.contract, i),
                                          tensor.name, tensor.type, tensor.shape, tensor.bytes));
  }
  return {{"contract", numerics::contract_name(expected.contract)},
          {"outputs", std::move(outputs)},
          {"accumulators", std::move(accumulators)}};
}

json failure_to_json(const FolderFailure& failure) {
  return {{"contract", numerics::contract_name(failure.contract)},
          {"configuration", valid_utf8(failure.configuration)},
          {"verdict", verdict_name(failure.verdict)},
          {"reason", valid_utf8(failure.reason)},
          {"kernels", valid_utf8(failure.kernels)},
          {"subject", to_json(failure.subject)}};
}

json folder_to_json(const CaseFolder& folder, std::span<const std::byte> model) {
  const Case& source = folder.source;
  json inputs = json::array();
  for (size_t i = 0; i < source.inputs.size(); ++i) {
    const auto& tensor = source.graph.tensors[static_cast<size_t>(source.graph.inputs[i])];
    inputs.push_back(tensor_to_json(folder::input_file(i), tensor.name, tensor.type, tensor.shape,
                                    source.inputs[i]));
  }
  json expected = json::array();
  for (const ExpectedTensors& tensors : folder.expected) {
    expected.push_back(expected_to_json(tensors));
  }
  json result = {{"format", folder::kFormat},
                 {"name", valid_utf8(source.name)},
                 {"family", valid_utf8(source.family)},
                 {"lockstep_version", folder.lockstep_version},
                 {"suite_version", folder.suite_version},
                 {"model", {{"file", folder::kModelFile}, {"digest", digest_of(model).hex()}}},
                 {"inputs", std::move(inputs)},
                 {"expected", std::move(expected)}};
  if (folder.failure) result["failure"] = failure_to_json(*folder.failure);
  return result;
}

std::string tensor_line(const std::string& file, const std::string& name, graph::DataType type,
                        const graph::Shape& shape) {
  return fmt::format("  {:<36} {} {}  {}\n", file, data_type_name(type),
                     graph::shape_to_string(shape), graph::printable(name));
}

std::string readme_text(const CaseFolder& folder) {
  const Case& source = folder.source;
  std::string text = fmt::format(
      "{}\n\n"
      "A quantized network, its inputs, and the exact bytes it must give. Nothing but these files\n"
      "is needed to run it in any engine:\n\n"
      "1. Load model.tflite (flatbuffers, schema version 3).\n"
      "2. Fill the inputs, in the order of the file's graph inputs, from input_0.bin, ...\n"
      "3. Run it once and compare the outputs, byte by byte, with expected_CONTRACT_0.bin, ...\n\n"
      "Every .bin file holds nothing but the tensor's elements: dense, little-endian, the last\n"
      "dimension fastest (NHWC for images), int8 as two's complement, no header.\n\n",
      one_line(source.name));
  text += "Inputs:\n";
  for (size_t i = 0; i < source.inputs.size(); ++i) {
    const auto& tensor = source.graph.tensors[static_cast<size_t>(source.graph.inputs[i])];
    text += tensor_line(folder::input_file(i), tensor.name, tensor.type, tensor.shape);
  }
  for (const ExpectedTensors& expected : folder.expected) {
    text += fmt::format("\nExpected under the contract '{}':\n",
                        numerics::contract_name(expected.contract));
    for (size_t i = 0; i < expected.outputs.size(); ++i) {
      const ExpectedTensor& tensor = expected.outputs[i];
      text += tensor_line(folder::output_file(expected.contract, i), tensor.name, tensor.type,
                          tensor.shape);
    }
    for (size_t i = 0; i < expected.accumulators.size(); ++i) {
      const ExpectedTensor& tensor = expected.accumulators[i];
      text += tensor_line(folder::accumulator_file(expected.contract, i), tensor.name, tensor.type,
                          tensor.shape);
    }
  }
  text +=
      "\nA contract says whose rounding the outputs have:\n"
      "  tflite     TensorFlow Lite's builtin kernels (ruy) on CPUs with AVX or later\n"
      "  litert     XNNPACK, and so LiteRT's default CPU path\n"
      "  reference  TensorFlow Lite's reference kernels, gemmlowp\n"
      "  single     builds with TFLITE_SINGLE_ROUNDING\n"
      "Accumulators are the int32 sums (bias included) before they are scaled; they are the same\n"
      "in every engine, which usually shows none of them.\n";
  if (folder.failure) {
    const FolderFailure& failure = *folder.failure;
    text += fmt::format(
        "\nWritten because of this run:\n"
        "  device         {}\n"
        "  driver         {}\n"
        "  contract       {}\n"
        "  configuration  {}\n"
        "  outcome        {}: {}\n",
        one_line(failure.subject.device.name), one_line(failure.subject.device.driver),
        numerics::contract_name(failure.contract), one_line(failure.configuration),
        verdict_name(failure.verdict), one_line(failure.reason));
  }
  text +=
      "\nWith Lockstep:\n"
      "  lockstep conform replay DIR                  on the best accelerator\n"
      "  lockstep conform replay DIR --device ref     on the host\n"
      "Digests in case.json are XXH3-128 of the files, in hexadecimal.\n";
  return text;
}

// Removed with its contents unless it was put in place.
class PartialFolder {
 public:
  explicit PartialFolder(std::filesystem::path path) : path_(std::move(path)) {}
  ~PartialFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  PartialFolder(const PartialFolder&) = delete;
  PartialFolder& operator=(const PartialFolder&) = delete;

  Status write(std::string_view name, std::span<const std::byte> bytes) const {
    const std::filesystem::path file = path_ / name;
    std::ofstream stream(file, std::ios::binary);
    stream.write(reinterpret_cast<const char*>(bytes.data()),
                 static_cast<std::streamsize>(bytes.size()));
    stream.close();
    if (!stream) {
      return make_error(ErrorCode::kInvalidArgument, "cannot write '{}': {}", file.string(),
                        std::strerror(errno));
    }
    return {};
  }

  Status move_to(const std::filesystem::path& path) {
    std::error_code problem;
    std::filesystem::rename(path_, path, problem);
    if (problem) {
      return make_error(ErrorCode::kInvalidArgument, "cannot write '{}': {}", path.string(),
                        problem.message());
    }
    path_.clear();
    return {};
  }

 private:
  std::filesystem::path path_;
};

std::vector<std::pair<std::string, std::span<const std::byte>>> binary_files(
    const CaseFolder& folder) {
  std::vector<std::pair<std::string, std::span<const std::byte>>> files;
  for (size_t i = 0; i < folder.source.inputs.size(); ++i) {
    files.emplace_back(folder::input_file(i), folder.source.inputs[i]);
  }
  for (const ExpectedTensors& expected : folder.expected) {
    for (size_t i = 0; i < expected.outputs.size(); ++i) {
      files.emplace_back(folder::output_file(expected.contract, i), expected.outputs[i].bytes);
    }
    for (size_t i = 0; i < expected.accumulators.size(); ++i) {
      files.emplace_back(folder::accumulator_file(expected.contract, i),
                         expected.accumulators[i].bytes);
    }
  }
  return files;
}

}  // namespace

const ExpectedTensors* CaseFolder::expected_under(numerics::Contract contract) const {
  const auto found = std::ranges::find(expected, contract, &ExpectedTensors::contract);
  return found == expected.end() ? nullptr : &*found;
}

RecordedCase CaseFolder::record() const {
  const auto digest = [](const std::vector<ExpectedTensor>& tensors) {
    DigestBuilder builder;
    for (const ExpectedTensor& tensor : tensors) builder.add(tensor.bytes);
    return builder.finish();
  };
  RecordedCase result;
  for (const ExpectedTensors& tensors : expected) {
    RecordedExpectation& expectation = result[tensors.contract];
    expectation.digests.outputs = digest(tensors.outputs);
    if (!tensors.accumulators.empty()) {
      expectation.digests.accumulators = digest(tensors.accumulators);
    }
  }
  return result;
}

Result<CaseFolder> make_case_folder(const Case& source,
                                    std::span<const numerics::Contract> contracts,
                                    std::optional<FolderFailure> failure) {
  CaseFolder folder{.source = source,
                    .expected = {},
                    .failure = std::move(failure),
                    .lockstep_version = LOCKSTEP_VERSION,
                    .suite_version = std::string(kSuiteVersion)};
  std::optional<Error> refusal;
  for (const numerics::Contract contract : contracts) {
    const auto lowered = lower_case(source, contract);
    if (!lowered) {
      if (lowered.error().code != ErrorCode::kUnsupported) return tl::unexpected(lowered.error());
      if (!refusal) refusal = lowered.error();
      continue;
    }
    auto reference = compute_reference(*lowered);
    if (!reference) return tl::unexpected(reference.error());
    ExpectedTensors& expected = folder.expected.emplace_back();
    expected.contract = contract;
    for (size_t i = 0; i < reference->outputs.size(); ++i) {
      const auto& tensor = lowered->graph.tensors[static_cast<size_t>(lowered->graph.outputs[i])];
      auto& tensors = i < lowered->output_count ? expected.outputs : expected.accumulators;
      tensors.push_back({tensor.name, tensor.type, tensor.shape, std::move(reference->outputs[i])});
    }
  }
  if (folder.expected.empty()) {
    return make_error(ErrorCode::kUnsupported, "no contract computes '{}'{}{}", source.name,
                      refusal ? ": " : "", refusal ? refusal->message : "");
  }
  return folder;
}

Status write_case_folder(const std::filesystem::path& path, const CaseFolder& folder,
                         std::span<const FolderFile> further) {
  const auto model = graph::write_tflite(folder.source.graph);
  if (!model) return tl::unexpected(model.error());
  // What cannot be read again is no case to hand on.
  if (const auto read = graph::read_tflite(*model, path.string()); !read) {
    return tl::unexpected(read.error());
  }
  std::filesystem::path target = path.lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // "DIR/"
  std::error_code problem;
  if (std::filesystem::exists(target, problem) && !std::filesystem::is_empty(target, problem)) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' exists and is not empty", target.string());
  }
  std::string pattern = target.string() + ".partial-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    return make_error(ErrorCode::kInvalidArgument, "cannot write '{}': {}", pattern,
                      std::strerror(errno));
  }
  PartialFolder partial(pattern);
  // mkdtemp's folder is for its owner alone; this one is to be handed on.
  using std::filesystem::perms;
  std::filesystem::permissions(pattern,
                               perms::owner_all | perms::group_read | perms::group_exec |
                                   perms::others_read | perms::others_exec,
                               problem);
  auto files = binary_files(folder);
  const std::string description = folder_to_json(folder, *model).dump(1) + "\n";
  const std::string readme = readme_text(folder);
  files.emplace_back(folder::kModelFile, *model);
  files.emplace_back(folder::kDescriptionFile, std::as_bytes(std::span(description)));
  files.emplace_back(folder::kReadmeFile, std::as_bytes(std::span(readme)));
  for (const FolderFile& file : further) {
    files.emplace_back(file.name, std::as_bytes(std::span(file.contents)));
  }
  for (const auto& [name, bytes] : files) {
    if (Status status = partial.write(name, bytes); !status) return status;
  }
  return partial.move_to(target);
}

}  // namespace lockstep::conformance
