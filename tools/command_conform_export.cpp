// lockstep conform export: the cases, and what they must give, as one file for a phone.
#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "conformance/corpus.h"
#include "conformance/report.h"
#include "tools/command.h"
#include "tools/conform_commands.h"

namespace lockstep::tools {
namespace {

constexpr std::string_view kFileInFolder = "corpus.lockstep";

struct ExportOptions {
  conformance::SuiteOptions suite;
  std::filesystem::path output;
};

// Where the corpus goes: the file itself, or corpus.lockstep in a folder, which is made.
Result<std::filesystem::path> output_file(const std::filesystem::path& output) {
  const bool is_file = output.extension() == conformance::kCorpusExtension;
  const std::filesystem::path folder = is_file ? output.parent_path() : output;
  if (!folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      return make_error(ErrorCode::kInvalidArgument, "cannot make the folder '{}': {}",
                        folder.string(), error.message());
    }
  }
  return is_file ? output : folder / kFileInFolder;
}

Result<int> run_export(const ExportOptions& options) {
  const auto file = output_file(options.output);
  if (!file) return tl::unexpected(file.error());
  const auto suite = conformance::make_suite(options.suite);
  if (!suite) return tl::unexpected(suite.error());
  const auto started = std::chrono::steady_clock::now();
  auto bytes = conformance::make_corpus(*suite);
  if (!bytes) return tl::unexpected(bytes.error());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;

  // Whoever gets the file must be able to read it.
  const auto shared = std::make_shared<const std::vector<std::byte>>(std::move(*bytes));
  const auto corpus = conformance::read_corpus(shared, file->string());
  if (!corpus) return tl::unexpected(corpus.error());
  const std::string_view text(reinterpret_cast<const char*>(shared->data()), shared->size());
  if (Status status = conformance::write_file(*file, text); !status) {
    return tl::unexpected(status.error());
  }
  fmt::print("{}: {} cases, {:.1f} MiB, host_ref took {:.1f} s\n", file->string(),
             corpus->cases.size(), static_cast<double>(shared->size()) / (1 << 20),
             seconds.count());
  fmt::print("digest {}\n", corpus->digest.hex());
  return kSuccess;
}

}  // namespace

void add_export_command(CLI::App& conform, int& exit_code) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App& command = *conform.add_subcommand(
      "export", "Write cases and what they must give as one file, for 'conform --corpus'");
  command.footer("Exit code: 0 written, 2 error.");
  command
      .add_option("OUTPUT", options->output,
                  "A file *.lockstep, or a folder for corpus.lockstep; made where it is missing")
      ->required();
  conformance::SuiteOptions& suite = options->suite;
  command.add_flag("--quick", suite.quick, "Only the quick suite");
  command.add_option("--filter", suite.filters, "Only cases whose name contains TEXT (repeatable)")
      ->type_name("TEXT");
  command
      .add_option("--exclude", suite.exclusions, "No cases whose name contains TEXT (repeatable)")
      ->type_name("TEXT");
  command.add_option("--model", suite.models, "Also a whole network (repeatable)")
      ->check(CLI::ExistingFile);
  command.add_option("--corpus", suite.corpus, "Of another corpus, not of generated cases")
      ->check(CLI::ExistingFile);
  command.add_option("--seed", suite.generator.seed, "Of random contents")->capture_default_str();
  command
      .add_option("--random", suite.generator.random_cases, "Further random cases for each family")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command.callback(
      [options, &exit_code] { exit_code = finish("conform export", run_export(*options)); });
}

}  // namespace lockstep::tools
