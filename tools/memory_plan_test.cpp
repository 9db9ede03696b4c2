// The promise of the memory planner: on every network that can be had here, on every device, with
// inputs and outputs in place and staged, the arena is within 15 % of what no plan can beat.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "backend/registry.h"
#include "backend/testing/random_networks.h"
#include "delegate_api/partitioner.h"
#include "graph/tflite_reader.h"

namespace lockstep::tools {
namespace {

namespace fs = std::filesystem;

constexpr double kLargestRatio = 1.15;

class MemoryPlan : public testing::Test {
 protected:
  void SetUp() override {
    const auto devices = backend::list_devices();
    for (size_t i = 0; i < devices.size(); ++i) {
      for (const char* mask : {"", "unified-memory", "all"}) {
        if (devices[i].backend != "vulkan") continue;
        auto device = backend::open_device(std::to_string(i), {.mask = mask});
        ASSERT_TRUE(device) << device.error().message;
        devices_.push_back({devices[i].name + ", mask '" + mask + "'", *std::move(device)});
      }
    }
    if (devices_.empty()) GTEST_SKIP() << "no Vulkan device";
  }

  // Tensors of a few bytes are left out of the judgement: padding to the device's alignment counts
  // more there than any plan.
  void expect_tight(const graph::Graph& graph) {
    for (const auto& [name, device] : devices_) {
      SCOPED_TRACE(graph.name + " on " + name);
      const delegate::Partitioning partitioning = delegate::partition_graph(graph, *device, {});
      for (const delegate::Partition& partition : partitioning.partitions) {
        const auto lowered =
            delegate::lower_partition(graph, partition, numerics::Contract::kTflite);
        ASSERT_TRUE(lowered) << lowered.error().message;
        const auto plan = device->plan(*lowered);
        ASSERT_TRUE(plan) << plan.error().message;
        EXPECT_GE(plan->arena_bytes, plan->arena_lower_bound);
        EXPECT_LE(static_cast<double>(plan->arena_bytes),
                  kLargestRatio * static_cast<double>(plan->arena_lower_bound));
        expect_apart(*plan);
        ++plans_;
      }
    }
  }

  // No two tensors are in one place at one time, and none reaches beyond its memory.
  static void expect_apart(const backend::ProgramPlan& plan) {
    using Memory = backend::PlannedTensor::Memory;
    for (size_t i = 0; i < plan.tensors.size(); ++i) {
      const backend::PlannedTensor& a = plan.tensors[i];
      const int64_t size = a.memory == Memory::kArena    ? plan.arena_bytes
                           : a.memory == Memory::kBorder ? plan.border_bytes
                                                         : plan.constant_bytes;
      ASSERT_LE(a.offset + a.bytes, size);
      for (size_t j = 0; j < i; ++j) {
        const backend::PlannedTensor& b = plan.tensors[j];
        const bool together = a.memory == b.memory &&
                              (a.memory == Memory::kConstants || a.memory == Memory::kBorder ||
                               (a.first <= b.last && b.first <= a.last));
        ASSERT_TRUE(!together || a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset)
            << "tensors " << a.tensors[0] << " and " << b.tensors[0];
      }
    }
  }

  std::vector<std::pair<std::string, std::shared_ptr<backend::Device>>> devices_;
  int plans_ = 0;
};

TEST_F(MemoryPlan, IsTightOnAllModels) {
  std::vector<fs::path> models;
  if (fs::is_directory(LOCKSTEP_MODELS_DIR)) {
    for (const auto& entry : fs::directory_iterator(LOCKSTEP_MODELS_DIR)) {
      if (entry.path().extension() == ".tflite") models.push_back(entry.path());
    }
  }
  if (const char* const ssd = std::getenv("LOCKSTEP_SSD_MODEL")) models.emplace_back(ssd);
  for (const fs::path& model : models) {
    const auto graph = graph::read_tflite_file(model);
    ASSERT_TRUE(graph) << graph.error().message;
    expect_tight(*graph);
  }
  if (models.empty()) GTEST_SKIP() << "no models at " << LOCKSTEP_MODELS_DIR;
  EXPECT_GT(plans_, 0);
}

TEST_F(MemoryPlan, IsTightOnGeneratedNetworks) {
  using backend::testing::NetworkKind;
  std::mt19937 random(4);
  for (int i = 0; i < 40; ++i) {
    expect_tight(backend::testing::random_network(
        NetworkKind::kMixed, i % 2 == 0 ? graph::DataType::kInt8 : graph::DataType::kUint8,
        random));
  }
  EXPECT_GT(plans_, 0);
}

}  // namespace
}  // namespace lockstep::tools
