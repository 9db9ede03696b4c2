#include "bench/device/device_benchmark.h"

#include <map>
#include <mutex>
#include <regex>

#include "backend/registry.h"
#include "backend/vulkan/vulkan_backend.h"
#include "bench/device/device_arithmetic.h"
#include "bench/device/device_memory.h"
#include "bench/device/device_overhead.h"
#include "bench/name_filter.h"

namespace lockstep::bench {
namespace {

using backend::vulkan::DeviceContext;

bool is_exact_peak(const DeviceMeasurement& measurement) {
  return measurement.name.starts_with("multiply-add/") && measurement.unavailable.empty();
}

Roofline roofline_of(const std::vector<DeviceMeasurement>& measurements) {
  Roofline roofline;
  for (const DeviceMeasurement& each : measurements) {
    if (is_exact_peak(each) && each.value > roofline.peak_gops) {
      roofline.peak_gops = each.value;
      roofline.peak_form = each.name.substr(each.name.find('/') + 1);
    }
    if (each.name == "memory/copy" || each.name == "memory/read") {
      roofline.gigabytes_per_second = std::max(roofline.gigabytes_per_second, each.value);
    }
  }
  return roofline;
}

}  // namespace

Result<std::shared_ptr<DeviceContext>> open_vulkan_context(const std::string& selector,
                                                           const backend::DeviceOptions& options) {
  const auto opened = backend::open_device(selector, options);
  if (!opened) return tl::unexpected(opened.error());
  const backend::DeviceDescription& wanted = (*opened)->description();
  if (wanted.backend != "vulkan") {
    return make_error(ErrorCode::kUnsupported,
                      "'{}' is no Vulkan device: there is nothing to "
                      "measure below whole layers",
                      wanted.name);
  }
  const auto listed = backend::vulkan::list_devices();
  if (!listed) return tl::unexpected(listed.error());
  for (size_t i = 0; i < listed->size(); ++i) {
    const backend::DeviceDescription& each = (*listed)[i];
    if (each.name == wanted.name && each.device_uuid == wanted.device_uuid &&
        each.driver_uuid == wanted.driver_uuid && each.driver == wanted.driver) {
      return backend::vulkan::open_context(i, options);
    }
  }
  return make_error(ErrorCode::kDeviceUnavailable, "'{}' is gone", wanted.name);
}

Result<DeviceBenchmark> run_device_benchmark(const std::shared_ptr<DeviceContext>& context,
                                             const DeviceBenchmarkOptions& options,
                                             const Progress& progress) {
  const auto filter = NameFilter::create(options.filter);
  if (!filter) return tl::unexpected(filter.error());
  const auto is_wanted = [&](const std::string& name) { return filter->matches(name); };
  DeviceBenchmark benchmark;
  benchmark.device = context->device->physical().description;
  benchmark.clock = context->device->capabilities().timestamps
                        ? "device timestamps"
                        : "host clock: the device has no timestamps";
  const struct {
    const char* what;
    Result<std::vector<DeviceMeasurement>> (*measure)(
        const backend::vulkan::LogicalDevice&, const DeviceBenchmarkOptions&,
        const std::function<bool(const std::string&)>&);
  } parts[] = {{"overheads", measure_overhead},
               {"memory", measure_memory},
               {"multiplying and adding", measure_multiply_add}};
  for (const auto& part : parts) {
    progress(part.what);
    auto measured = part.measure(*context->device, options, is_wanted);
    if (!measured) return tl::unexpected(measured.error());
    std::ranges::move(*measured, std::back_inserter(benchmark.measurements));
  }
  if (benchmark.measurements.empty()) return filter->matches_nothing("measurement");
  benchmark.roofline = roofline_of(benchmark.measurements);
  return benchmark;
}

Result<Roofline> quick_roofline(const std::string& selector,
                                const backend::DeviceOptions& options) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, std::string>, Roofline> known;
  const std::lock_guard lock(mutex);
  const std::pair key(selector, options.mask);
  if (const auto found = known.find(key); found != known.end()) return found->second;
  const auto context = open_vulkan_context(selector, options);
  if (!context && context.error().code == ErrorCode::kUnsupported) return Roofline{};
  if (!context) return tl::unexpected(context.error());
  DeviceBenchmarkOptions quick;
  quick.filter = "multiply-add/|memory/(copy|read)";
  quick.measure = {.minimum_seconds = 0.05, .repetitions = 2};
  quick.quick = true;
  const auto benchmark = run_device_benchmark(*context, quick, [](const std::string&) {});
  if (!benchmark) return tl::unexpected(benchmark.error());
  return known.emplace(key, benchmark->roofline).first->second;
}

}  // namespace lockstep::bench
