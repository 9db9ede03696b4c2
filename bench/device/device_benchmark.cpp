#include "bench/device/device_benchmark.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <tuple>

#include "backend/registry.h"
#include "bench/cpu/cpu_benchmark.h"
#include "bench/device/device_layers.h"
#include "bench/device/vulkan_benchmark.h"
#include "bench/name_filter.h"

namespace lockstep::bench {
namespace {

Roofline roofline_of(const std::vector<DeviceMeasurement>& measurements) {
  Roofline roofline;
  for (const DeviceMeasurement& each : measurements) {
    if (each.name.starts_with("multiply-add/") && each.value > roofline.peak_gops) {
      roofline.peak_gops = each.value;
      roofline.peak_form = each.name.substr(each.name.find('/') + 1);
    }
    if (each.name.starts_with("memory/copy") || each.name.starts_with("memory/read")) {
      roofline.gigabytes_per_second = std::max(roofline.gigabytes_per_second, each.value);
    }
  }
  return roofline;
}

struct Question {
  std::string selector;
  backend::DeviceOptions device_options;
  DeviceBenchmarkOptions options;
  IsWanted is_wanted;
  Progress progress;
};

// What was measured below whole layers, and who is to compute layers.
struct Answer {
  std::string clock;
  std::vector<DeviceMeasurement> measurements;
  std::vector<LayerContender> contenders;
};

LayerContender as_it_is(const std::shared_ptr<backend::Device>& device, double peak_gops) {
  return {.suffix = "",
          .open = [device] { return Result<std::shared_ptr<backend::Device>>(device); },
          .peak_gops = peak_gops};
}

Result<Answer> ask_vulkan(const std::shared_ptr<backend::Device>& device,
                          const Question& question) {
  const auto context = open_vulkan_context(device->description(), question.device_options);
  if (!context) return tl::unexpected(context.error());
  auto measured =
      measure_vulkan(*(*context)->device, question.options, question.is_wanted, question.progress);
  if (!measured) return tl::unexpected(measured.error());
  const double peak_gops = roofline_of(*measured).peak_gops;
  return Answer{.clock = (*context)->device->capabilities().timestamps
                             ? "device timestamps"
                             : "host clock: the device has no timestamps",
                .measurements = std::move(*measured),
                .contenders = {as_it_is(device, peak_gops)}};
}

Result<Answer> ask_cpu(const std::shared_ptr<backend::Device>& device, const Question& question) {
  const auto target = target_of(device->description());
  if (!target) return tl::unexpected(target.error());
  auto measured = measure_cpu(*target, question.options, question.is_wanted, question.progress);
  if (!measured) return tl::unexpected(measured.error());
  Answer answer{.clock = "host clock", .measurements = {}, .contenders = {}};
  for (const CpuArithmetic& each : measured->arithmetic) {
    answer.measurements.push_back(each.measurement);
  }
  std::ranges::move(measured->memory, std::back_inserter(answer.measurements));
  for (const backend::cpu::Isa isa : backend::cpu::executable_isas()) {
    if (isa > target->isa) continue;
    answer.contenders.push_back(
        {.suffix = fmt::format("-{}", backend::cpu::isa_name(isa)),
         .open = [&question,
                  isa] { return open_with_isa(question.selector, question.device_options, isa); },
         .peak_gops = peak_gops(measured->arithmetic, {.isa = isa, .threads = target->threads})});
  }
  return answer;
}

Result<Answer> ask(const std::shared_ptr<backend::Device>& device, const Question& question) {
  const std::string& backend = device->description().backend;
  if (backend == "vulkan") return ask_vulkan(device, question);
  if (backend == "cpu") return ask_cpu(device, question);
  return Answer{.clock = "host clock", .measurements = {}, .contenders = {as_it_is(device, 0)}};
}

}  // namespace

Result<DeviceBenchmark> run_device_benchmark(const std::string& selector,
                                             const backend::DeviceOptions& device_options,
                                             const DeviceBenchmarkOptions& options,
                                             const Progress& progress) {
  const auto filter = NameFilter::create(options.filter);
  if (!filter) return tl::unexpected(filter.error());
  const auto device = backend::open_device(selector, device_options);
  if (!device) return tl::unexpected(device.error());
  const Question question{
      .selector = selector,
      .device_options = device_options,
      .options = options,
      .is_wanted = [&filter](const std::string& name) { return filter->matches(name); },
      .progress = progress};
  auto answer = ask(*device, question);
  if (!answer) return tl::unexpected(answer.error());
  DeviceBenchmark benchmark{.device = (*device)->description(),
                            .clock = std::move(answer->clock),
                            .measurements = std::move(answer->measurements),
                            .roofline = {}};
  benchmark.roofline = roofline_of(benchmark.measurements);
  progress("whole layers");
  auto layers = measure_device_layers(answer->contenders, options.measure, question.is_wanted);
  if (!layers) return tl::unexpected(layers.error());
  std::ranges::move(*layers, std::back_inserter(benchmark.measurements));
  if (benchmark.measurements.empty()) return filter->matches_nothing("measurement");
  return benchmark;
}

Result<Roofline> quick_roofline(const std::string& selector,
                                const backend::DeviceOptions& options) {
  static std::mutex mutex;
  static std::map<std::tuple<std::string, std::string, int32_t>, Roofline> known;
  const std::lock_guard lock(mutex);
  const std::tuple key(selector, options.mask, options.threads);
  if (const auto found = known.find(key); found != known.end()) return found->second;
  const auto device = backend::open_device(selector, options);
  if (!device) return tl::unexpected(device.error());
  const std::string& backend = (*device)->description().backend;
  if (backend != "vulkan" && backend != "cpu") return Roofline{};
  DeviceBenchmarkOptions quick;
  quick.filter = "multiply-add/|memory/(copy|read)";
  quick.measure = {.minimum_seconds = 0.05, .repetitions = 2};
  quick.quick = true;
  const auto benchmark = run_device_benchmark(selector, options, quick, [](const std::string&) {});
  if (!benchmark) return tl::unexpected(benchmark.error());
  return known.emplace(key, benchmark->roofline).first->second;
}

}  // namespace lockstep::bench
