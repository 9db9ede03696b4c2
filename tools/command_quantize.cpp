// lockstep quantize FLOAT.tflite -o OUT.tflite: a float network becomes a quantized one.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "delegate_api/whole_file.h"
#include "graph/editable_model.h"
#include "graph/tflite_reader.h"
#include "quantization/post_training.h"
#include "tools/command.h"
#include "tools/data_set.h"
#include "tools/installation.h"
#include "tools/json_output.h"
#include "tools/progress_line.h"
#include "tools/quantization_report.h"

namespace lockstep::tools {
namespace {

namespace fs = std::filesystem;
using quantization::BorderType;
using quantization::Equalization;
using quantization::QuantizationMode;
using quantization::RangeMethod;

constexpr std::array<std::pair<const char*, BorderType>, 3> kBorders{{
    {"int8", BorderType::kInt8},
    {"uint8", BorderType::kUint8},
    {"float32", BorderType::kFloat32},
}};

constexpr std::array<std::pair<const char*, Equalization>, 3> kEqualizations{{
    {"off", Equalization::kOff},
    {"cautious", Equalization::kCautious},
    {"full", Equalization::kFull},
}};

// Precondition: the command line has checked that the name is one of them.
auto value_of(const auto& named_values, const std::string& name) {
  return std::ranges::find_if(named_values, [&](const auto& named) { return named.first == name; })
      ->second;
}

struct QuantizeOptions {
  fs::path model;
  fs::path output;
  std::string mode = "int8";
  std::string borders = "int8";
  std::string method = "minmax";
  DataOptions data;
  quantization::PostTrainingOptions quantization;
  std::vector<std::string> ranges;
  std::string equalization = "cautious";
  bool no_bias_correction = false;
  fs::path tflite_library;
  bool json = false;
};

// "TENSOR=MINIMUM:MAXIMUM". The name may have anything in it.
Result<quantization::DemandedRange> parse_range(const std::string& text) {
  const size_t equals = text.rfind('=');
  const size_t colon = text.find(':', equals == std::string::npos ? 0 : equals);
  quantization::DemandedRange demanded;
  const auto number = [](std::string_view digits, float& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  const std::string_view whole = text;
  if (equals == std::string::npos || colon == std::string::npos ||
      !number(whole.substr(equals + 1, colon - equals - 1), demanded.range.minimum) ||
      !number(whole.substr(colon + 1), demanded.range.maximum)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is no range: TENSOR=MINIMUM:MAXIMUM is, as in 'logits=-10:10'", text);
  }
  demanded.tensor = text.substr(0, equals);
  return demanded;
}

Status settle(QuantizeOptions& options) {
  quantization::PostTrainingOptions& settled = options.quantization;
  settled.mode = *quantization::parse_quantization_mode(options.mode);
  settled.ranges.method = *quantization::parse_range_method(options.method);
  settled.equalization = value_of(kEqualizations, options.equalization);
  settled.correct_biases = !options.no_bias_correction;
  for (const std::string& text : options.ranges) {
    auto demanded = parse_range(text);
    if (!demanded) return tl::unexpected(demanded.error());
    settled.int8.ranges.push_back(std::move(*demanded));
  }
  settled.int8.borders = value_of(kBorders, options.borders);
  std::error_code ignored;
  if (fs::equivalent(options.model, options.output, ignored)) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' would be replaced by its own result",
                      options.output.string());
  }
  // Said before minutes of calibration, not after.
  const fs::path folder = options.output.parent_path();
  if (!folder.empty() && !fs::is_directory(folder, ignored)) {
    return make_error(ErrorCode::kInvalidArgument, "there is no folder '{}' to write '{}' into",
                      folder.string(), options.output.filename().string());
  }
  return {};
}

// The runtime that calibrates and checks. Without activations to quantize it may be absent.
Result<std::shared_ptr<const host_ref::TfliteLibrary>> load_library(
    const QuantizeOptions& options) {
  const auto path = find_tflite(options.tflite_library);
  if (path) return host_ref::TfliteLibrary::load(*path);
  const bool is_needed = options.quantization.mode == QuantizationMode::kInt8;
  if (is_needed || !options.tflite_library.empty()) return tl::unexpected(path.error());
  return std::shared_ptr<const host_ref::TfliteLibrary>();
}

Result<quantization::SampleSource> open_samples(const QuantizeOptions& options) {
  if (options.quantization.mode != QuantizationMode::kInt8) return quantization::SampleSource{};
  if (options.data.data.empty()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "int8 activations need --data: inputs of the kind that the network will see");
  }
  const auto graph = graph::read_tflite_file(options.model);
  if (!graph) return tl::unexpected(graph.error());
  return open_data_set(*graph, options.data);
}

Result<int> run_quantize(QuantizeOptions& options) {
  if (Status status = settle(options); !status) return tl::unexpected(status.error());
  auto model = graph::read_editable_model_file(options.model);
  if (!model) return tl::unexpected(model.error());
  const auto library = load_library(options);
  if (!library) return tl::unexpected(library.error());
  const auto samples = open_samples(options);
  if (!samples) return tl::unexpected(samples.error());

  Result<quantization::PostTrainingResult> result;
  {
    ProgressLine line("quantize", !options.json);
    options.quantization.progress = [&](std::string_view step, size_t done, size_t count) {
      line.show_now_and_then(fmt::format("{} {} of {}", step, done, count), done == count);
    };
    result = quantization::quantize_after_training(std::move(*model), *library, *samples,
                                                   options.quantization);
  }
  if (!result) {
    return make_error(result.error().code, "{}: {}", options.model.string(),
                      result.error().message);
  }
  const std::string_view contents(reinterpret_cast<const char*>(result->file.data()),
                                  result->file.size());
  if (Status status =
          delegate::write_whole_file(options.output.string(), contents, "the quantized network");
      !status) {
    return tl::unexpected(status.error());
  }

  std::error_code ignored;
  const QuantizationSummary summary{
      .model = options.model,
      .output = options.output,
      .mode = options.quantization.mode,
      .old_size = fs::file_size(options.model, ignored),
      .new_size = result->file.size(),
      .tflite_version = *library == nullptr ? "" : (*library)->version(),
  };
  if (options.json) {
    print_json(quantization_json(summary, result->report));
  } else {
    print_quantization(summary, result->report);
  }
  return kSuccess;
}

}  // namespace

void add_quantize_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<QuantizeOptions>();
  CLI::App& command = *app.add_subcommand(
      "quantize", "Make a float network int8, or store its weights as int8 or float16");
  command.add_option("MODEL", options->model, ".tflite file of a float network")
      ->required()
      ->check(CLI::ExistingFile);
  command.add_option("-o,--output", options->output, "The .tflite file to write")->required();
  command
      .add_option("--mode", options->mode,
                  "int8: weights and activations; dynamic-range: int8 weights, float activations; "
                  "float16: weights as float16")
      ->check(CLI::IsMember({"int8", "dynamic-range", "float16"}))
      ->capture_default_str();
  command
      .add_option("--io", options->borders, "Type of the network's inputs and outputs, for int8")
      ->check(CLI::IsMember({"int8", "uint8", "float32"}))
      ->capture_default_str();
  options->data.add_options(command);
  command
      .add_option("--method", options->method,
                  "How much of what a tensor was seen with its integers stand for")
      ->check(CLI::IsMember({"minmax", "percentile", "mse", "entropy"}))
      ->capture_default_str();
  command
      .add_option("--percentile", options->quantization.ranges.percentile,
                  "For that method: how many of 100 values are kept")
      ->check(CLI::Range(50.0, 100.0))
      ->capture_default_str();
  command
      .add_option("--range", options->ranges,
                  "What a tensor's integers stand for, whatever it was seen with, as in "
                  "'logits=-10:10'; those that share its scale follow")
      ->type_name("TENSOR=MINIMUM:MAXIMUM");
  command.add_flag("--per-channel-fully-connected",
                   options->quantization.int8.per_channel_fully_connected,
                   "A weight scale for each output of FULLY_CONNECTED, as a CONV_2D of 1x1");
  command
      .add_option("--keep-float", options->quantization.int8.keep_float,
                  "Operators that stay float: a name as inspect prints it, or a tensor they make")
      ->type_name("OP|TENSOR");
  command
      .add_option(
          "--equalization", options->equalization,
          "Give an activation's channels about the same range: off; cautious: up to half of "
          "it, for inputs that --data do not hold; full")
      ->check(CLI::IsMember({"off", "cautious", "full"}))
      ->capture_default_str();
  command.add_flag("--no-bias-correction", options->no_bias_correction,
                   "Leave the average error of layers where it is");
  command
      .add_option("--compared-samples", options->quantization.compared_samples,
                  "On how many samples to compare layers with the float network; 0: none")
      ->capture_default_str();
  command.add_option("--threads", options->quantization.threads, "Threads of TFLite")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command.add_option("--tflite", options->tflite_library,
                     "libtensorflowlite_c.so (default: $LOCKSTEP_TFLITE_LIBRARY)");
  command.add_flag("--json", options->json, "Print JSON");
  command.callback(
      [options, &exit_code] { exit_code = finish("quantize", run_quantize(*options)); });
}

}  // namespace lockstep::tools
