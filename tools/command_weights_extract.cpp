// lockstep weights extract MODEL -o DIRECTORY|FILE.npz: every constant as an array for numpy.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "delegate_api/whole_file.h"
#include "graph/tflite_tensors.h"
#include "quantization/constants.h"
#include "tools/command.h"
#include "tools/constant_summary.h"
#include "tools/json_output.h"
#include "tools/npy.h"
#include "tools/npz.h"
#include "tools/weights_commands.h"

namespace lockstep::tools {
namespace {

namespace schema = graph::schema;

struct ExtractOptions {
  std::filesystem::path model;
  std::filesystem::path output;
  bool dequantize = false;
};

// The array of a constant, or of the real numbers that it stands for.
Result<NumberArray> make_array(const schema::ModelT& model, const schema::TensorT& source,
                               NumberType type, bool dequantize) {
  NumberArray array{.type = dequantize ? NumberType::kFloat32 : type,
                    .shape = {source.shape.begin(), source.shape.end()},
                    .data = {}};
  if (!dequantize) {
    auto contents = quantization::dense_contents(model, source);
    if (!contents) return tl::unexpected(contents.error());
    array.data = std::move(*contents);
    return array;
  }
  const auto values = quantization::real_contents(model, source);
  if (!values) return tl::unexpected(values.error());
  const auto bytes = std::as_bytes(std::span(*values));
  array.data.assign(bytes.begin(), bytes.end());
  return array;
}

// A file name of the constant's own: letters, digits and a few signs of its name behind its number.
std::string array_name(const ConstantSummary& constant, bool has_subgraphs) {
  constexpr size_t kLongestName = 100;
  std::string name = has_subgraphs ? fmt::format("{}_{}_", constant.subgraph, constant.tensor)
                                   : fmt::format("{}_", constant.tensor);
  for (const char letter : std::string_view(constant.name).substr(0, kLongestName)) {
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                          (letter >= '0' && letter <= '9') || letter == '-' || letter == '.';
    name += is_plain ? letter : '_';
  }
  return name;
}

struct Extraction {
  std::vector<NpzMember> arrays;
  nlohmann::json constants = nlohmann::json::array();
  std::vector<std::string> left_out;  // "'name' (string)"
};

Result<Extraction> extract(const graph::EditableModel& model, bool dequantize) {
  const auto constants = summarize_constants(model);
  if (!constants) return tl::unexpected(constants.error());
  Extraction extraction;
  for (const ConstantSummary& constant : *constants) {
    const schema::TensorT& source =
        *model.tree.subgraphs[constant.subgraph]->tensors[constant.tensor];
    const auto type = number_type_of(graph::data_type_from_file(source.type));
    if (!type) {
      extraction.left_out.push_back(
          fmt::format("'{}' ({})", graph::printable(constant.name), constant.type));
      continue;
    }
    auto array = make_array(model.tree, source, *type, dequantize);
    if (!array) return tl::unexpected(array.error());
    const std::string name = array_name(constant, model.tree.subgraphs.size() > 1);
    extraction.arrays.push_back({name, std::move(*array)});
    nlohmann::json entry = to_json(constant);
    entry["array"] = name;
    entry["dequantized"] = dequantize;
    extraction.constants.push_back(std::move(entry));
  }
  return extraction;
}

// Where the description goes: into the folder, or beside the archive.
Result<std::filesystem::path> write_arrays(const Extraction& extraction,
                                           const std::filesystem::path& output) {
  if (output.extension() == ".npz") {
    if (auto status = write_npz(extraction.arrays, output); !status) {
      return tl::unexpected(status.error());
    }
    return std::filesystem::path(output).replace_extension(".json");
  }
  std::error_code error;
  std::filesystem::create_directories(output, error);
  if (error) {
    return make_error(ErrorCode::kNotFound, "{}: {}", output.string(), error.message());
  }
  for (const NpzMember& member : extraction.arrays) {
    if (auto status = write_npy(member.array, output / (member.name + ".npy")); !status) {
      return tl::unexpected(status.error());
    }
  }
  return output / "constants.json";
}

Result<int> run_extract(const ExtractOptions& options) {
  const auto model = graph::read_editable_model_file(options.model);
  if (!model) return tl::unexpected(model.error());
  const auto extraction = extract(*model, options.dequantize);
  if (!extraction) {
    return make_error(extraction.error().code, "{}: {}", options.model.string(),
                      extraction.error().message);
  }
  const auto description = write_arrays(*extraction, options.output);
  if (!description) return tl::unexpected(description.error());
  const nlohmann::json json{{"model", options.model.string()},
                            {"constants", extraction->constants}};
  if (auto status = delegate::write_whole_file(description->string(), json_text(json) + "\n",
                                               "the description");
      !status) {
    return tl::unexpected(status.error());
  }
  for (const std::string& constant : extraction->left_out) {
    fmt::print(stderr, "left out, as numpy has no such type: {}\n", constant);
  }
  fmt::print("{} arrays in {}, described in {}\n", extraction->arrays.size(),
             options.output.string(), description->string());
  return kSuccess;
}

}  // namespace

void add_weights_extract_command(CLI::App& weights, int& exit_code) {
  auto options = std::make_shared<ExtractOptions>();
  CLI::App& command =
      *weights.add_subcommand("extract", "Write every constant as an array that numpy loads");
  command.add_option("MODEL", options->model, ".tflite file")->required()->check(CLI::ExistingFile);
  command
      .add_option("-o,--output", options->output,
                  "A folder for .npy files and constants.json, or FILE.npz, which gets FILE.json "
                  "beside it")
      ->required();
  command.add_flag("--dequantize", options->dequantize,
                   "Real numbers as float32 instead of what is stored");
  command.callback(
      [options, &exit_code] { exit_code = finish("weights extract", run_extract(*options)); });
}

}  // namespace lockstep::tools
