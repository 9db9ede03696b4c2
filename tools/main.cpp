// lockstep: the command line. See `lockstep --help`.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string_view>

#include "bench/models/start_up.h"
#include "conformance/conformance_run.h"
#include "tools/command.h"

namespace lockstep::tools {

int finish(const std::string& command, const Result<int>& result) {
  if (result) return *result;
  std::fflush(stdout);
  fmt::print(stderr, "lockstep {}: {}\n", command, result.error().message);
  return kFailure;
}

}  // namespace lockstep::tools

int main(int argc, char** argv) {
  try {
    if (argc == 3 && argv[1] == lockstep::conformance::kWorkerArgument) {
      return lockstep::tools::finish("conform (worker)",
                                     lockstep::conformance::serve_worker_arguments(argv[2]));
    }
    if (argc == 3 && argv[1] == std::string_view(lockstep::bench::kStartUpArgument)) {
      const lockstep::Status served = lockstep::bench::serve_start_up(argv[2]);
      return lockstep::tools::finish("bench models (worker)", served.transform([] {
        return static_cast<int>(lockstep::tools::kSuccess);
      }));
    }
    CLI::App app{
        "Runs int8 neural networks on Vulkan devices with the bits of the engine you already use.",
        "lockstep"};
    app.set_version_flag("--version", "lockstep " LOCKSTEP_VERSION);
    app.require_subcommand(1);
    int exit_code = lockstep::tools::kSuccess;
    lockstep::tools::add_devices_command(app, exit_code);
    lockstep::tools::add_inspect_command(app, exit_code);
    lockstep::tools::add_run_command(app, exit_code);
    lockstep::tools::add_verify_command(app, exit_code);
    lockstep::tools::add_compare_command(app, exit_code);
    lockstep::tools::add_demo_command(app, exit_code);
    lockstep::tools::add_faces_command(app, exit_code);
    lockstep::tools::add_conform_command(app, exit_code);
    lockstep::tools::add_bench_command(app, exit_code);
    lockstep::tools::add_profile_command(app, exit_code);
    lockstep::tools::add_weights_command(app, exit_code);
    lockstep::tools::add_quantize_command(app, exit_code);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? lockstep::tools::kSuccess : lockstep::tools::kFailure;
    }
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      std::fprintf(stderr, "lockstep: standard output cannot be written\n");
      return lockstep::tools::kFailure;
    }
    return exit_code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lockstep: %s\n", error.what());
    return lockstep::tools::kFailure;
  }
}
