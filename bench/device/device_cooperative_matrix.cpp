#include "bench/device/device_cooperative_matrix.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace lockstep::bench {
namespace {

using backend::vulkan::Buffer;
using backend::vulkan::Capabilities;
using backend::vulkan::CooperativeMatrixShape;
using backend::vulkan::LogicalDevice;
using backend::vulkan::MemoryUse;

// As in multiply_add_cooperative_matrix.comp.
constexpr uint32_t kLefts = 2;
constexpr uint32_t kRights = 8;
constexpr uint32_t kSets = 4;
constexpr uint32_t kMostWorkgroups = 4096;
constexpr uint32_t kCheckedWorkgroups = 5;

// (int8) a + (int8) (a + 1) + ... of `count` numbers: a left element over all steps. 256 of them
// take every value once.
int64_t sum_of_counting(int8_t a, uint32_t count) {
  constexpr int64_t kSumOfAll = -128;
  int64_t sum = kSumOfAll * (count / 256);
  for (uint32_t i = 0; i < count % 256; ++i) {
    sum += static_cast<int8_t>(static_cast<uint8_t>(static_cast<uint8_t>(a) + i));
  }
  return sum;
}

Status check_matrices(const LogicalDevice& device, const CooperativeMatrixShape& shape,
                      std::span<const std::byte> operands, const SteppedKernel& kernel) {
  if (Status status = kernel.sums.invalidate(device); !status) return status;
  const size_t elements = size_t{shape.rows} * shape.columns;
  for (uint32_t i = 0; i < kCheckedWorkgroups; ++i) {
    const auto workgroup =
        static_cast<uint32_t>(uint64_t{i} * (kernel.workgroups - 1) / (kCheckedWorkgroups - 1));
    std::vector<int32_t> computed(elements);
    std::memcpy(computed.data(), kernel.sums.mapped() + sizeof(int32_t) * elements * workgroup,
                sizeof(int32_t) * elements);
    if (computed != expected_matrix(shape, operands, workgroup, kernel.steps)) {
      return make_error(
          ErrorCode::kInternal,
          "'{}' multiplies and adds wrongly in the form '{}': workgroup {} of {} made "
          "another matrix in {} steps",
          device.physical().description.name, kernel.name, workgroup, kernel.workgroups,
          kernel.steps);
    }
  }
  return {};
}

}  // namespace

std::vector<CooperativeMatrixShape> benchmarked_shapes(const Capabilities& capabilities) {
  std::vector<CooperativeMatrixShape> shapes;
  std::ranges::copy_if(capabilities.cooperative_matrices, std::back_inserter(shapes),
                       [](const CooperativeMatrixShape& shape) {
                         return shape.is_left_signed && shape.is_right_signed &&
                                shape.scope == CooperativeMatrixShape::Scope::kSubgroup &&
                                shape.depth % 4 == 0;
                       });
  return shapes;
}

std::string cooperative_matrix_name(const CooperativeMatrixShape& shape) {
  return "cooperative matrix " + backend::vulkan::to_string(shape);
}

std::vector<std::byte> matrix_operands(const CooperativeMatrixShape& shape) {
  std::mt19937 random(42);
  const size_t bytes =
      size_t{kSets} * shape.depth * (size_t{kLefts} * shape.rows + size_t{kRights} * shape.columns);
  std::vector<std::byte> operands(bytes);
  std::ranges::generate(operands, [&] { return static_cast<std::byte>(random()); });
  return operands;
}

std::vector<int32_t> expected_matrix(const CooperativeMatrixShape& shape,
                                     std::span<const std::byte> operands, uint32_t workgroup,
                                     uint32_t steps) {
  const size_t left_bytes = size_t{shape.rows} * shape.depth;
  const size_t right_bytes = size_t{shape.columns} * shape.depth;
  const size_t set = workgroup % kSets * (kLefts * left_bytes + kRights * right_bytes);
  const auto number = [&](size_t index) { return static_cast<int8_t>(operands[set + index]); };
  std::vector<int64_t> lefts(kLefts * left_bytes);
  for (size_t i = 0; i < lefts.size(); ++i) lefts[i] = sum_of_counting(number(i), steps);
  std::vector<int32_t> matrix;
  for (uint32_t row = 0; row < shape.rows; ++row) {
    for (uint32_t column = 0; column < shape.columns; ++column) {
      uint32_t total = 0;
      for (uint32_t sum = 0; sum < kLefts * kRights; ++sum) {
        const size_t left = sum / kRights * left_bytes + size_t{row} * shape.depth;
        const size_t right =
            lefts.size() + sum % kRights * right_bytes + size_t{column} * shape.depth;
        int64_t product = 0;
        for (uint32_t d = 0; d < shape.depth; ++d) product += lefts[left + d] * number(right + d);
        total = 2 * total + static_cast<uint32_t>(product);
      }
      matrix.push_back(static_cast<int32_t>(total));
    }
  }
  return matrix;
}

Result<SteppedKernel> prepare_cooperative_matrix(const LogicalDevice& device,
                                                 const CooperativeMatrixShape& shape,
                                                 double target_seconds) {
  const Capabilities& capabilities = device.capabilities();
  const std::vector<std::byte> operands = matrix_operands(shape);
  const uint32_t most_workgroups = std::min(kMostWorkgroups, capabilities.max_workgroup_count[0]);
  SteppedKernel prepared;
  prepared.name = cooperative_matrix_name(shape);
  prepared.multiply_adds_of_step =
      double{kLefts} * kRights * shape.rows * shape.columns * shape.depth;
  auto buffer = Buffer::create(device, operands.size(), MemoryUse::kUpload, "operands of matrices");
  if (!buffer) return tl::unexpected(buffer.error());
  prepared.operands = std::move(*buffer);
  std::ranges::copy(operands, prepared.operands.mapped());
  if (Status status = prepared.operands.flush(device); !status) {
    return tl::unexpected(status.error());
  }
  auto sums = Buffer::create(
      device, sizeof(int32_t) * uint64_t{shape.rows} * shape.columns * most_workgroups,
      MemoryUse::kDownload, "sums of matrices");
  if (!sums) return tl::unexpected(sums.error());
  prepared.sums = std::move(*sums);
  auto kernel = MicroKernel::create(
      device,
      {.module = "multiply_add_cooperative_matrix",
       .specialization = {capabilities.subgroup_size, shape.rows, shape.columns, shape.depth},
       .push_constants = {0},
       .buffers = {&prepared.operands, &prepared.sums},
       .subgroup_size = capabilities.min_subgroup_size != capabilities.max_subgroup_size
                            ? capabilities.subgroup_size
                            : 0});
  if (!kernel) return tl::unexpected(kernel.error());
  prepared.kernel = std::make_unique<MicroKernel>(std::move(*kernel));
  prepared.check = [&device, shape, operands](const SteppedKernel& timed) {
    return check_matrices(device, shape, operands, timed);
  };
  if (Status status = calibrate(device, most_workgroups, target_seconds, prepared); !status) {
    return tl::unexpected(status.error());
  }
  return prepared;
}

}  // namespace lockstep::bench
