#include "bench/device/device_arithmetic.h"

#include <algorithm>
#include <cstring>

#include "bench/device/device_cooperative_matrix.h"
#include "bench/device/multiply_add_form.h"
#include "bench/device/stepped_kernel.h"

namespace lockstep::bench {
namespace {

using backend::vulkan::Buffer;
using backend::vulkan::LogicalDevice;
using backend::vulkan::MemoryUse;

constexpr uint32_t kLocalSize = 64;
constexpr uint32_t kMostWorkgroups = 4096;
constexpr uint32_t kCheckedInvocations = 16;
constexpr const char* kNoCooperativeMatrix = "cooperative matrix";

// Invocation 0 multiplies large numbers with large ones of the same sign: its sums of 1,024
// products come close to 2^24, and beyond that float32 would be wrong. The invocations behind it
// differ from it in every bit.
Seeds make_seeds() {
  Seeds seeds;
  for (uint32_t i = 0; i < seeds.size(); ++i) seeds[i] = 0x80808080u + i % 16;
  return seeds;
}

Status check_sums(const LogicalDevice& device, MultiplyAddForm form, const SteppedKernel& timed) {
  if (Status status = timed.sums.invalidate(device); !status) return status;
  const Seeds seeds = make_seeds();
  const uint32_t invocations = timed.workgroups * kLocalSize;
  for (uint32_t i = 0; i < kCheckedInvocations; ++i) {
    // Spread over all of them, the last one included.
    const auto index =
        static_cast<uint32_t>(uint64_t{i} * (invocations - 1) / (kCheckedInvocations - 1));
    int32_t computed = 0;
    std::memcpy(&computed, timed.sums.mapped() + sizeof(int32_t) * index, sizeof(computed));
    const int32_t expected = expected_sum(form, seeds, index, timed.steps);
    if (computed != expected) {
      return make_error(ErrorCode::kInternal,
                        "'{}' multiplies and adds wrongly in the form '{}': invocation {} of {} "
                        "made {} of {} steps, {} is right",
                        device.physical().description.name, timed.name, index, invocations,
                        computed, timed.steps, expected);
    }
  }
  return {};
}

Result<SteppedKernel> prepare(const LogicalDevice& device, MultiplyAddForm form,
                              double target_seconds) {
  const Seeds seeds = make_seeds();
  const uint32_t most_workgroups =
      std::min(kMostWorkgroups, device.capabilities().max_workgroup_count[0]);
  SteppedKernel prepared;
  prepared.name = describe(form).name;
  prepared.multiply_adds_of_step =
      static_cast<double>(describe(form).multiply_adds_of_step) * kLocalSize;
  auto operands = Buffer::create(device, sizeof(seeds), MemoryUse::kUpload, "operands of products");
  if (!operands) return tl::unexpected(operands.error());
  prepared.operands = std::move(*operands);
  std::memcpy(prepared.operands.mapped(), seeds.data(), sizeof(seeds));
  if (Status status = prepared.operands.flush(device); !status) {
    return tl::unexpected(status.error());
  }
  auto sums = Buffer::create(device, sizeof(int32_t) * uint64_t{kLocalSize} * most_workgroups,
                             MemoryUse::kDownload, "sums of products");
  if (!sums) return tl::unexpected(sums.error());
  prepared.sums = std::move(*sums);
  auto kernel = MicroKernel::create(device, {.module = describe(form).module,
                                             .specialization = {kLocalSize, 0},
                                             .push_constants = {0, 0},
                                             .buffers = {&prepared.operands, &prepared.sums}});
  if (!kernel) return tl::unexpected(kernel.error());
  prepared.kernel = std::make_unique<MicroKernel>(std::move(*kernel));
  prepared.check = [&device, form](const SteppedKernel& timed) {
    return check_sums(device, form, timed);
  };
  if (Status status = calibrate(device, most_workgroups, target_seconds, prepared); !status) {
    return tl::unexpected(status.error());
  }
  return prepared;
}

// A form, or a shape of cooperative matrices, as a user can ask for it.
struct Candidate {
  std::string name;
  std::string meaning;
  std::string unavailable;
  std::function<Result<SteppedKernel>()> prepare;
};

std::vector<Candidate> find_candidates(const LogicalDevice& device, double target_seconds) {
  std::vector<Candidate> candidates;
  for (const MultiplyAddForm form : kAllMultiplyAddForms) {
    candidates.push_back(
        {std::string(describe(form).name), std::string(describe(form).meaning),
         std::string(why_unavailable(form, device.capabilities())),
         [&device, form, target_seconds] { return prepare(device, form, target_seconds); }});
  }
  const auto shapes = benchmarked_shapes(device.capabilities());
  if (shapes.empty()) {
    candidates.push_back({kNoCooperativeMatrix,
                          "",
                          "the device has no cooperative matrices of int8 for its subgroups",
                          {}});
  }
  for (const auto& shape : shapes) {
    candidates.push_back({cooperative_matrix_name(shape),
                          "matrices that a subgroup holds, rows x columns x depth", "",
                          [&device, shape, target_seconds] {
                            return prepare_cooperative_matrix(device, shape, target_seconds);
                          }});
  }
  return candidates;
}

}  // namespace

Result<std::vector<DeviceMeasurement>> measure_multiply_add(const LogicalDevice& device,
                                                            const DeviceBenchmarkOptions& options,
                                                            const IsWanted& is_wanted) {
  std::vector<DeviceMeasurement> measurements;
  std::vector<SteppedKernel> kernels;
  std::vector<size_t> measurement_of;
  for (const Candidate& candidate : find_candidates(device, options.quick ? 1e-3 : 10e-3)) {
    const std::string name = "multiply-add/" + candidate.name;
    if (!is_wanted(name)) continue;
    measurements.push_back({.name = name,
                            .meaning = candidate.meaning,
                            .unavailable = candidate.unavailable,
                            .value = 0,
                            .unit = "GOPS",
                            .time = {}});
    if (!candidate.unavailable.empty()) continue;
    auto prepared = candidate.prepare();
    if (!prepared) return tl::unexpected(prepared.error());
    measurement_of.push_back(measurements.size() - 1);
    kernels.push_back(std::move(*prepared));
  }
  std::vector<Competitor> competitors;
  for (SteppedKernel& timed : kernels) {
    competitors.push_back({timed.name, [&timed]() -> Result<double> {
                             const auto time = timed.commands->run();
                             if (!time) return tl::unexpected(time.error());
                             return time->best();
                           }});
  }
  const auto seconds = measure(competitors, options.measure);
  if (!seconds) return tl::unexpected(seconds.error());
  for (size_t i = 0; i < kernels.size(); ++i) {
    if (Status status = kernels[i].check(kernels[i]); !status) {
      return tl::unexpected(status.error());
    }
    DeviceMeasurement& measurement = measurements[measurement_of[i]];
    measurement.time = summarise((*seconds)[i]);
    measurement.value = 2e-9 * kernels[i].multiply_adds() / measurement.time.median_seconds;
  }
  return measurements;
}

}  // namespace lockstep::bench
