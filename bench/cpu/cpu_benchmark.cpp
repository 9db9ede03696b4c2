#include "bench/cpu/cpu_benchmark.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

#include "backend/registry.h"
#include "bench/cpu/cpu_memory.h"

namespace lockstep::bench {
namespace {

using backend::cpu::Target;

std::string capability(const backend::DeviceDescription& description, std::string_view name) {
  const auto found = std::ranges::find(description.capabilities, name,
                                       &std::pair<std::string, std::string>::first);
  return found == description.capabilities.end() ? "" : found->second;
}

}  // namespace

Result<Target> target_of(const backend::DeviceDescription& description) {
  Target target;
  const std::string isa = capability(description, "isa");
  const auto parsed = backend::cpu::parse_isa(isa);
  if (!parsed) {
    return make_error(ErrorCode::kInternal, "'{}' has the instruction set '{}', which is none",
                      description.name, isa);
  }
  target.isa = *parsed;
  const std::string threads = capability(description, "threads");
  if (threads.empty()) return target;
  constexpr int32_t kMostThreads = 4096;
  const char* end = threads.data() + threads.size();
  const auto [stopped_at, problem] = std::from_chars(threads.data(), end, target.threads);
  if (problem != std::errc{} || stopped_at != end || target.threads < 1 ||
      target.threads > kMostThreads) {
    return make_error(ErrorCode::kInternal, "'{}' has '{}' threads, which is no number of them",
                      description.name, threads);
  }
  return target;
}

Result<CpuMeasurements> measure_cpu(const Target& target, const DeviceBenchmarkOptions& options,
                                    const IsWanted& is_wanted, const Progress& progress) {
  progress("multiplying and adding");
  auto arithmetic = measure_cpu_arithmetic(register_forms(), target, options.measure, is_wanted);
  if (!arithmetic) return tl::unexpected(arithmetic.error());
  progress("memory");
  auto memory = measure_cpu_memory(target, options, is_wanted);
  if (!memory) return tl::unexpected(memory.error());
  return CpuMeasurements{.arithmetic = std::move(*arithmetic), .memory = std::move(*memory)};
}

std::string mask_with_isa(const std::string& mask, backend::cpu::Isa isa) {
  std::string result;
  std::istringstream entries(mask);
  for (std::string entry; std::getline(entries, entry, ',');) {
    if (!entry.starts_with("isa=")) result += entry + ",";
  }
  return fmt::format("{}isa={}", result, backend::cpu::isa_name(isa));
}

Result<std::shared_ptr<backend::Device>> open_with_isa(const std::string& selector,
                                                       backend::DeviceOptions options,
                                                       backend::cpu::Isa isa) {
  options.mask = mask_with_isa(options.mask, isa);
  auto device = backend::open_device(selector, options);
  if (!device) return device;
  const auto target = target_of((*device)->description());
  if (!target) return tl::unexpected(target.error());
  if (target->isa != isa) {
    return make_error(ErrorCode::kUnsupported, "opened with the mask '{}', the device takes {}",
                      options.mask, backend::cpu::isa_name(target->isa));
  }
  return device;
}

}  // namespace lockstep::bench
