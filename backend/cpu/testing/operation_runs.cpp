#include "backend/cpu/testing/operation_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <random>
#include <utility>

#include "backend/cpu/thread_pool.h"

namespace lockstep::backend::cpu::testing {
namespace {

constexpr std::byte kCanary{0xa5};

// Aligned memory of a tensor and kReadSlack, the slack full of canaries.
class Buffer {
 public:
  explicit Buffer(int64_t size)
      : size_(static_cast<size_t>(size)),
        memory_(static_cast<std::byte*>(::operator new (
            size_ + kReadSlack, std::align_val_t{static_cast<size_t>(kAlignment)}))) {
    std::fill_n(memory_, size_ + kReadSlack, kCanary);
  }
  explicit Buffer(std::span<const std::byte> contents)
      : Buffer(static_cast<int64_t>(contents.size())) {
    std::ranges::copy(contents, memory_);
  }
  Buffer(Buffer&& other) noexcept
      : size_(other.size_), memory_(std::exchange(other.memory_, nullptr)) {}
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer() { ::operator delete (memory_, std::align_val_t{static_cast<size_t>(kAlignment)}); }

  std::byte* data() const { return memory_; }
  std::span<const std::byte> contents() const { return {memory_, size_}; }
  std::span<const std::byte> slack() const { return {memory_ + size_, size_t{kReadSlack}}; }

 private:
  size_t size_;
  std::byte* memory_;
};

// The first difference, or that there is none: a matcher would print all of a large tensor.
::testing::AssertionResult equal(std::span<const std::byte> actual,
                                 std::span<const std::byte> expected) {
  const auto [a, e] = std::ranges::mismatch(actual, expected);
  if (a == actual.end() && e == expected.end()) return ::testing::AssertionSuccess();
  if (a == actual.end() || e == expected.end()) {
    return ::testing::AssertionFailure() << "sizes differ";
  }
  return ::testing::AssertionFailure()
         << "byte " << a - actual.begin() << " of " << actual.size() << " is "
         << std::to_integer<int>(*a) << " instead of " << std::to_integer<int>(*e);
}

enum class Order : uint8_t { kForwards, kBackwards, kAtOnce };

void run_tasks(const Operation& operation, TensorMemory tensors, Order order) {
  static ThreadPool pool(3);
  const int64_t tasks = operation.tasks();
  std::vector<Buffer> scratch;  // of each worker
  for (int32_t worker = 0; worker < pool.threads(); ++worker) {
    scratch.emplace_back(operation.scratch_bytes());
  }
  const auto run = [&](int64_t task, int32_t worker) {
    operation.run(task, tensors, scratch[static_cast<size_t>(worker)].data());
  };
  if (order == Order::kAtOnce) {
    ThreadPool::Lease lease = pool.lease();
    lease.run(tasks, run);
  } else {
    for (int64_t i = 0; i < tasks; ++i) run(order == Order::kBackwards ? tasks - 1 - i : i, 0);
  }
  for (const Buffer& buffer : scratch) EXPECT_THAT(buffer.slack(), ::testing::Each(kCanary));
}

}  // namespace

std::vector<int8_t> random_values(int64_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<int8_t> values;
  for (int64_t i = 0; i < count; ++i) {
    const auto bits = static_cast<uint32_t>(generator());
    const bool is_extreme = bits >> 29 == 0;
    values.push_back(is_extreme ? (bits % 2 == 0 ? int8_t{-128} : int8_t{127})
                                : static_cast<int8_t>(bits & 0xffu));
  }
  return values;
}

std::vector<std::byte> to_bytes(std::span<const int8_t> stored) {
  std::vector<std::byte> bytes;
  for (const int8_t value : stored) bytes.push_back(std::byte{to_byte(value)});
  return bytes;
}

void expect_output(const Maker& make, std::span<const std::vector<std::byte>> inputs,
                   std::span<const std::byte> expected) {
  for (const Isa isa : executable_isas()) {
    for (const int32_t threads : {1, 3}) {
      for (const Order order : {Order::kForwards, Order::kBackwards, Order::kAtOnce}) {
        const OperationPointer operation = make({.isa = isa, .threads = threads});
        if (order != Order::kForwards && operation->tasks() == 1) continue;
        SCOPED_TRACE(operation->variant() + " for " + std::to_string(threads) + " threads");
        std::vector<Buffer> buffers;
        std::vector<std::byte*> tensors;
        for (const std::vector<std::byte>& input : inputs) buffers.emplace_back(input);
        const Buffer& output = buffers.emplace_back(static_cast<int64_t>(expected.size()));
        for (const Buffer& buffer : buffers) tensors.push_back(buffer.data());
        run_tasks(*operation, tensors, order);
        ASSERT_TRUE(equal(output.contents(), expected));
        ASSERT_THAT(output.slack(), ::testing::Each(kCanary));
        for (size_t i = 0; i < inputs.size(); ++i) {
          ASSERT_TRUE(equal(buffers[i].contents(), inputs[i])) << "input " << i << " was changed";
        }
      }
    }
  }
}

void expect_values(const Maker& make, std::span<const std::vector<int8_t>> inputs,
                   std::span<const int8_t> expected) {
  std::vector<std::vector<std::byte>> bytes;
  for (const std::vector<int8_t>& input : inputs) bytes.push_back(to_bytes(input));
  expect_output(make, bytes, to_bytes(expected));
}

}  // namespace lockstep::backend::cpu::testing
