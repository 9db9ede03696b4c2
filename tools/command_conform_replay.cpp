// lockstep conform replay: one case of a folder, against the folder's own files.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "conformance/replay_process.h"
#include "conformance/report.h"
#include "conformance/text.h"
#include "conformance/vendor_report.h"
#include "tools/command.h"
#include "tools/conform_commands.h"

namespace lockstep::tools {
namespace {

using conformance::Replay;
using conformance::ReplayedRun;
using conformance::ReplayedTensor;

struct ReplayCommandOptions {
  std::filesystem::path folder;
  std::vector<std::string> contracts;
  bool recorded_only = false;
  double timeout_seconds = 60;
  std::filesystem::path json;
  std::filesystem::path report;
  std::string worker;  // the child's specification; see replay_process.h
  conformance::ReplayProcessOptions process;
};

void print_tensor(const ReplayedTensor& tensor) {
  fmt::print("  '{}' ({} {}): {} elements differ\n", graph::printable(tensor.name),
             graph::data_type_name(tensor.type), graph::shape_to_string(tensor.shape),
             tensor.differing);
  for (const conformance::ElementDifference& element : tensor.elements) {
    fmt::print("    element {}: expected {}, got {}\n", element.index, element.expected,
               element.actual);
  }
  const auto printed = static_cast<int64_t>(tensor.elements.size());
  if (tensor.differing > printed) fmt::print("    and {} more\n", tensor.differing - printed);
}

void print_run(const ReplayedRun& run) {
  fmt::print("{} {} {}{}{}\n", conformance::verdict_name(run.verdict),
             numerics::contract_name(run.key.contract),
             conformance::one_line(run.key.configuration), run.reason.empty() ? "" : ": ",
             conformance::one_line(run.reason));
  if (!run.kernels.empty()) fmt::print("  kernels: {}\n", conformance::one_line(run.kernels));
  for (const ReplayedTensor& tensor : run.differences) print_tensor(tensor);
}

Result<int> run_replay(ReplayCommandOptions& options) {
  const auto folder = conformance::read_case_folder(options.folder);
  if (!folder) return tl::unexpected(folder.error());
  conformance::ReplayProcessOptions& process = options.process;
  process.program = "/proc/self/exe";
  process.arguments = {"conform", "replay", "--worker"};
  process.run_timeout =
      std::chrono::milliseconds(static_cast<int64_t>(options.timeout_seconds * 1000));
  for (const std::string& name : options.contracts) {
    process.replay.contracts.push_back(*numerics::parse_contract(name));
  }
  if (options.recorded_only) {
    if (!folder->failure) {
      return make_error(ErrorCode::kInvalidArgument, "'{}' records no failed run",
                        options.folder.string());
    }
    process.replay.configuration = folder->failure->configuration;
  }
  const auto replay = conformance::replay_in_process(options.folder, process);
  if (!replay) return tl::unexpected(replay.error());

  if (options.json != "-" && options.report != "-") {
    fmt::print("{} on {}\n", conformance::one_line(folder->source.name),
               conformance::one_line(replay->subject.device.name));
    for (const ReplayedRun& run : replay->runs) print_run(run);
    fmt::print("{}\n", replay->is_success() ? "The expected bits." : "Not the expected bits.");
  }
  if (!options.json.empty()) {
    const std::string text =
        to_json(*replay).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    if (Status status = write_text(options.json, text); !status) {
      return tl::unexpected(status.error());
    }
  }
  if (!options.report.empty()) {
    const auto report = conformance::vendor_report(*folder, *replay);
    if (!report) return tl::unexpected(report.error());
    if (Status status = write_text(options.report, *report); !status) {
      return tl::unexpected(status.error());
    }
  }
  return replay->is_success() ? kSuccess : kDifferent;
}

}  // namespace

void add_replay_command(CLI::App& conform, int& exit_code) {
  auto options = std::make_shared<ReplayCommandOptions>();
  CLI::App& command = *conform.add_subcommand("replay", "Run the case of a folder again");
  command.footer(
      "Exit code: 0 the expected bits, 1 other bits, a crash or a hang (or nothing could be run),\n"
      "2 error. The folder is one that a failure was written to; its README.txt tells what is in "
      "it.");
  command.add_option("DIR", options->folder, "The folder");
  command.add_option("--device", options->process.selector,
                     "As for 'conform'; default: the best accelerator");
  command
      .add_option("--numerics", options->contracts,
                  "These contracts (repeatable); default: the one that failed")
      ->check(CLI::IsMember({"tflite", "litert", "reference", "single"}));
  command.add_flag("--recorded-configuration", options->recorded_only,
                   "Only the configuration that failed; default: all");
  command.add_option("--repeat", options->process.replay.repetitions, "Runs of each configuration")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--timeout", options->timeout_seconds, "Seconds that one run may take")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  command.add_option("--json", options->json, "Write the outcome as JSON ('-': stdout)");
  command.add_option("--report", options->report,
                     "Write a report for the driver's vendor, in Markdown ('-': stdout)");
  command.add_option("--worker", options->worker)->group("");
  command.callback([options, &exit_code] {
    if (!options->worker.empty()) {
      exit_code = conformance::serve_replay(options->worker);
      return;
    }
    exit_code = finish("conform replay", [&]() -> Result<int> {
      if (options->folder.empty()) {
        return make_error(ErrorCode::kInvalidArgument, "which folder?");
      }
      return run_replay(*options);
    }());
  });
}

}  // namespace lockstep::tools
