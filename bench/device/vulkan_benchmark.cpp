#include "bench/device/vulkan_benchmark.h"

#include <algorithm>
#include <iterator>

#include "backend/vulkan/vulkan_backend.h"
#include "bench/device/device_arithmetic.h"
#include "bench/device/device_memory.h"
#include "bench/device/device_overhead.h"

namespace lockstep::bench {

Result<std::shared_ptr<backend::vulkan::DeviceContext>> open_vulkan_context(
    const backend::DeviceDescription& description, const backend::DeviceOptions& options) {
  const auto listed = backend::vulkan::list_devices();
  if (!listed) return tl::unexpected(listed.error());
  for (size_t i = 0; i < listed->size(); ++i) {
    const backend::DeviceDescription& each = (*listed)[i];
    if (each.name == description.name && each.device_uuid == description.device_uuid &&
        each.driver_uuid == description.driver_uuid && each.driver == description.driver) {
      return backend::vulkan::open_context(i, options);
    }
  }
  return make_error(ErrorCode::kDeviceUnavailable, "'{}' is gone", description.name);
}

Result<std::vector<DeviceMeasurement>> measure_vulkan(const backend::vulkan::LogicalDevice& device,
                                                      const DeviceBenchmarkOptions& options,
                                                      const IsWanted& is_wanted,
                                                      const Progress& progress) {
  const struct {
    const char* what;
    Result<std::vector<DeviceMeasurement>> (*measure)(const backend::vulkan::LogicalDevice&,
                                                      const DeviceBenchmarkOptions&,
                                                      const IsWanted&);
  } parts[] = {{"overheads", measure_overhead},
               {"memory", measure_memory},
               {"multiplying and adding", measure_multiply_add}};
  std::vector<DeviceMeasurement> measurements;
  for (const auto& part : parts) {
    progress(part.what);
    auto measured = part.measure(device, options, is_wanted);
    if (!measured) return measured;
    std::ranges::move(*measured, std::back_inserter(measurements));
  }
  return measurements;
}

}  // namespace lockstep::bench
