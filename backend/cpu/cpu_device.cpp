#include "backend/cpu/cpu_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>

#include "backend/cpu/isa_choice.h"
#include "backend/cpu/processor_name.h"
#include "backend/cpu/program.h"
#include "backend/cpu/round_to_nearest.h"
#include "backend/cpu/self_test.h"
#include "host_ref/interpreter.h"

namespace lockstep::backend::cpu {
namespace {

constexpr std::string_view kDeviceName = "cpu";

// Once in a process for each.
bool passes_self_test(Isa isa) {
  static std::mutex mutex;
  static std::array<std::optional<bool>, kAllIsas.size()> results;
  const std::lock_guard lock(mutex);
  std::optional<bool>& result = results[static_cast<size_t>(isa)];
  if (!result) {
    const RoundToNearest round_to_nearest;
    result = computes_exactly(isa);
  }
  return *result;
}

std::string_view text_or_empty(const char* text) { return text == nullptr ? "" : text; }

// The smaller of what mask and environment allow.
Result<IsaChoice> choose(const DeviceOptions& options) {
  constexpr std::string_view kMask = "isa=";
  std::string_view cap;
  if (const std::string_view mask = options.mask; !mask.empty()) {
    if (!mask.starts_with(kMask)) {
      return make_error(ErrorCode::kInvalidArgument,
                        "mask '{}': of the device 'cpu' only instruction sets can be hidden, by "
                        "the most that is left: \"isa=avx2\"",
                        mask);
    }
    cap = mask.substr(kMask.size());
  }
  const char* from_environment = std::getenv("LOCKSTEP_CPU_ISA");
  Isa most = kAllIsas.back();
  for (const std::string_view name : {cap, text_or_empty(from_environment)}) {
    if (const auto isa = parse_isa(name)) most = std::min(most, *isa);
  }
  const std::vector<Isa> executable = executable_isas(most);
  auto chosen = choose_isa(executable, cap, passes_self_test);
  if (!chosen || from_environment == nullptr || *from_environment == '\0') return chosen;
  auto by_environment = choose_isa(executable, from_environment, passes_self_test);
  if (!by_environment) {
    return make_error(by_environment.error().code, "LOCKSTEP_CPU_ISA: {}",
                      by_environment.error().message);
  }
  return by_environment->isa < chosen->isa ? by_environment : chosen;
}

std::string name_or_architecture() {
  std::string name = processor_name();
  if (!name.empty()) return name;
#if defined(__aarch64__)
  return "64-bit ARM";
#else
  return "x86-64";
#endif
}

DeviceDescription describe(const Target& target) {
  DeviceDescription description;
  description.backend = "cpu";
  description.name = kDeviceName;
  description.kind = DeviceKind::kCpu;
  description.driver = "lockstep " LOCKSTEP_VERSION;
  description.capabilities = {{"processor", name_or_architecture()},
                              {"isa", std::string(isa_name(target.isa))},
                              {"threads", std::to_string(target.threads)}};
  return description;
}

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(const Target& target) : target_(target), description_(describe(target)) {}

  const DeviceDescription& description() const override { return description_; }

  Status supports(const graph::LoweredGraph&, const graph::LoweredOperator&) const override {
    return {};
  }

  // Which instruction set computes an operator is not chosen by name, but by a mask.
  Result<std::vector<std::string>> kernels(const graph::LoweredGraph&,
                                           const graph::LoweredOperator&) const override {
    return std::vector<std::string>{std::string(isa_name(target_.isa))};
  }

  Result<std::unique_ptr<Program>> compile(const graph::LoweredGraph& graph,
                                           const CompileOptions& options) override {
    if (Status status = host_ref::check_graph(graph); !status) {
      return tl::unexpected(status.error());
    }
    const RoundToNearest round_to_nearest;
    return make_program(graph, target_, pool(), options);
  }

  Result<std::string> fingerprint(const graph::LoweredGraph& graph,
                                  const CompileOptions& options) const override {
    if (Status status = host_ref::check_graph(graph); !status) {
      return tl::unexpected(status.error());
    }
    const RoundToNearest round_to_nearest;
    return describe_program(graph, target_, options);
  }

  Result<ProgramPlan> plan(const graph::LoweredGraph& graph,
                           const CompileOptions& options) const override {
    if (Status status = host_ref::check_graph(graph); !status) {
      return tl::unexpected(status.error());
    }
    const RoundToNearest round_to_nearest;
    return plan_program(graph, target_, options);
  }

 private:
  // Threads are started for the first program: a device that only stands by needs none.
  std::shared_ptr<ThreadPool> pool() {
    const std::lock_guard lock(mutex_);
    if (!pool_) pool_ = shared_thread_pool(target_.threads);
    return pool_;
  }

  const Target target_;
  const DeviceDescription description_;
  std::mutex mutex_;
  std::shared_ptr<ThreadPool> pool_;  // guarded by it
};

}  // namespace

Result<std::vector<DeviceDescription>> list_devices() {
  const auto chosen = choose({});
  if (!chosen) return tl::unexpected(chosen.error());
  return std::vector<DeviceDescription>{describe({chosen->isa, physical_cores()})};
}

Result<std::shared_ptr<Device>> open_device(const DeviceOptions& options) {
  const auto chosen = choose(options);
  if (!chosen) return tl::unexpected(chosen.error());
  for (const Isa liar : chosen->liars) {
    if (options.log) {
      options.log(LogSeverity::kWarning,
                  fmt::format("cpu: {} computes wrongly on this processor and is not used",
                              isa_name(liar)));
    }
  }
  if (options.threads < 0 || options.threads > kMostThreads) {
    return make_error(ErrorCode::kInvalidArgument, "{} threads; 1 to {} are possible",
                      options.threads, kMostThreads);
  }
  const int32_t wanted = options.threads > 0 ? options.threads : physical_cores();
  return std::make_shared<CpuDevice>(Target{chosen->isa, wanted});
}

}  // namespace lockstep::backend::cpu
