#include "tools/verification.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <map>
#include <utility>

#include "graph/tflite_reader.h"
#include "graph/tflite_writer.h"
#include "tools/engine_options.h"
#include "tools/installation.h"

namespace lockstep::tools {
namespace {

using host_ref::TfliteInterpreter;
using host_ref::TfliteLibrary;
using host_ref::TfliteOptions;

// A file name of our own in the temporary folder, removed on the way out.
class TemporaryFile {
 public:
  TemporaryFile()
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("lockstep-report-{}-{}.json", getpid(), next_number_++)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  static inline int next_number_ = 0;
  std::filesystem::path path_;
};

// The same network in two engines, fed alike.
struct EnginePair {
  std::unique_ptr<TfliteInterpreter> expected;
  std::unique_ptr<TfliteInterpreter> actual;
};

Result<EnginePair> create_pair(const std::shared_ptr<const TfliteLibrary>& library,
                               std::span<const std::byte> model, const TfliteOptions& peer,
                               const TfliteOptions& plugin) {
  EnginePair pair;
  auto expected = TfliteInterpreter::create(library, model, peer);
  if (!expected) return tl::unexpected(expected.error());
  pair.expected = std::move(*expected);
  auto actual = TfliteInterpreter::create(library, model, plugin);
  if (!actual) return tl::unexpected(actual.error());
  pair.actual = std::move(*actual);
  return pair;
}

Status run_pair(const EnginePair& pair, const Sample& sample) {
  for (TfliteInterpreter* engine : {pair.expected.get(), pair.actual.get()}) {
    for (size_t i = 0; i < sample.size(); ++i) {
      if (Status status = engine->set_input(i, sample[i]); !status) return status;
    }
    if (Status status = engine->invoke(); !status) return status;
  }
  return {};
}

Result<TensorComparison> compare_outputs(const EnginePair& pair, size_t index) {
  const auto expected = pair.expected->output(index);
  const auto actual = pair.actual->output(index);
  auto comparison = compare_tensors(expected.type, expected.data, actual.data);
  if (!comparison) {
    return make_error(ErrorCode::kInternal, "tensor '{}': {}", expected.name,
                      comparison.error().message);
  }
  return comparison;
}

void accumulate(TensorComparison& sum, const TensorComparison& sample) {
  if (sum.differing == 0) sum.first_differing = sample.first_differing;
  sum.elements += sample.elements;
  sum.differing += sample.differing;
  sum.largest_difference = std::max(sum.largest_difference, sample.largest_difference);
}

Result<nlohmann::json> read_report(const std::filesystem::path& path) {
  std::ifstream file(path);
  auto report = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (report.is_discarded()) {
    return make_error(ErrorCode::kInternal, "the plugin wrote no report");
  }
  return report;
}

}  // namespace

void EngineSettings::add_options(CLI::App& command) {
  command.add_option("--device", device, "Device name, index, 'cpu' or 'ref'");
  command.add_option("--mask", mask, "Capabilities to hide, see 'devices'");
  add_cache_option(command, cache_dir);
  command.add_flag("--tune", tune, "First measure which kernels are the fastest");
  command
      .add_option("--threads", threads, "Threads of TFLite's own kernels, and of the device 'cpu'")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_option("--tflite", tflite_library, "libtensorflowlite_c.so")
      ->check(CLI::ExistingFile);
  command.add_option("--plugin", plugin_library, "liblockstep_tflite.so")->check(CLI::ExistingFile);
}

Status EngineSettings::find_libraries() {
  auto tflite = find_tflite(tflite_library);
  if (!tflite) return tl::unexpected(tflite.error());
  auto plugin = find_plugin(plugin_library);
  if (!plugin) return tl::unexpected(plugin.error());
  tflite_library = std::move(*tflite);
  plugin_library = std::move(*plugin);
  return {};
}

Result<VerifiedModel> read_model_for_verification(const std::filesystem::path& path) {
  VerifiedModel model;
  auto bytes = graph::read_file_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  model.bytes = std::move(*bytes);
  auto graph = graph::read_tflite(model.bytes, path.string());
  if (!graph) return tl::unexpected(graph.error());
  model.graph = std::move(*graph);
  auto exposed = graph::expose_all_tensors(model.bytes);
  if (!exposed) return tl::unexpected(exposed.error());
  model.exposed = std::move(*exposed);
  auto exposed_graph = graph::read_tflite(model.exposed, path.string());
  if (!exposed_graph) return tl::unexpected(exposed_graph.error());
  model.exposed_graph = std::move(*exposed_graph);
  return model;
}

Result<TfliteOptions> peer_options(const EngineSettings& settings) {
  TfliteOptions options;
  options.threads = settings.threads;
  switch (settings.contract) {
    case numerics::Contract::kTflite:
      return options;
    case numerics::Contract::kLitert:
      options.use_xnnpack = true;
      return options;
    case numerics::Contract::kReference:
    case numerics::Contract::kSingle:
      break;
  }
  return make_error(ErrorCode::kUnsupported,
                    "no engine in TFLite computes with the contract '{}'; verify compares 'tflite' "
                    "(builtin kernels) and 'litert' (XNNPACK)",
                    numerics::contract_name(settings.contract));
}

TfliteOptions plugin_options(const EngineSettings& settings, const std::filesystem::path& report) {
  TfliteOptions options;
  options.threads = settings.threads;
  options.plugin.library = settings.plugin_library;
  options.plugin.options.emplace_back("numerics", numerics::contract_name(settings.contract));
  // Empty is an answer, too: nothing is kept.
  options.plugin.options.emplace_back("cache_dir", settings.cache_dir);
  const std::pair<const char*, std::string> optional[] = {
      {"device", settings.device},
      {"mask", settings.mask},
      {"tune", settings.tune ? "1" : ""},
      {"threads", std::to_string(settings.threads)},
      {"report", report.string()}};
  for (const auto& [key, value] : optional) {
    if (!value.empty()) options.plugin.options.emplace_back(key, value);
  }
  return options;
}

size_t Verification::equal_tensors() const {
  return static_cast<size_t>(
      std::count_if(tensors.begin(), tensors.end(),
                    [](const VerifiedTensor& tensor) { return tensor.comparison.is_equal(); }));
}

Result<Verification> verify(const VerifiedModel& model, const EngineSettings& settings,
                            std::span<const Sample> samples) {
  const auto library = TfliteLibrary::load(settings.tflite_library);
  if (!library) return tl::unexpected(library.error());
  const auto peer = peer_options(settings);
  if (!peer) return tl::unexpected(peer.error());
  const TemporaryFile report;
  const auto exposed = create_pair(*library, model.exposed, *peer, plugin_options(settings, {}));
  if (!exposed) return tl::unexpected(exposed.error());
  const auto whole =
      create_pair(*library, model.bytes, *peer, plugin_options(settings, report.path()));
  if (!whole) return tl::unexpected(whole.error());

  const auto placed = read_report(report.path());
  if (!placed) return tl::unexpected(placed.error());
  if (const std::string problem = placed->value("problem", ""); !problem.empty()) {
    // The host alone would be compared with itself.
    return make_error(ErrorCode::kDeviceUnavailable, "{}", problem);
  }

  Verification result;
  std::map<int32_t, size_t> producers;
  for (size_t i = 0; i < model.exposed_graph.operators.size(); ++i) {
    for (const int32_t tensor : model.exposed_graph.operators[i].outputs) producers[tensor] = i;
  }
  for (const int32_t tensor : model.exposed_graph.outputs) {
    result.tensors.push_back(
        {.tensor = tensor, .source_operator = producers[tensor], .comparison = {}});
  }
  result.outputs_compared = model.graph.outputs.size();
  std::vector<TensorComparison> outputs(result.outputs_compared);
  for (const Sample& sample : samples) {
    if (Status status = run_pair(*exposed, sample); !status) {
      return tl::unexpected(status.error());
    }
    if (Status status = run_pair(*whole, sample); !status) return tl::unexpected(status.error());
    for (size_t i = 0; i < result.tensors.size(); ++i) {
      const auto comparison = compare_outputs(*exposed, i);
      if (!comparison) return tl::unexpected(comparison.error());
      accumulate(result.tensors[i].comparison, *comparison);
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto comparison = compare_outputs(*whole, i);
      if (!comparison) return tl::unexpected(comparison.error());
      accumulate(outputs[i], *comparison);
    }
  }
  result.outputs_equal = static_cast<size_t>(
      std::count_if(outputs.begin(), outputs.end(), [](const auto& c) { return c.is_equal(); }));
  auto placement = read_report(report.path());
  if (!placement) return tl::unexpected(placement.error());
  result.placement = std::move(*placement);
  return result;
}

}  // namespace lockstep::tools
