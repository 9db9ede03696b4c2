// Engines of which a test says where every operator runs.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "delegate_api/engine.h"
#include "delegate_api/testing/fake_device.h"

namespace lockstep::delegate::testing {

// Takes every `every`-th operator of a graph.
inline std::shared_ptr<FakeDevice> fake_device(int32_t every = 1) {
  return std::make_shared<FakeDevice>(
      [every](const graph::LoweredOperator& op) { return op.source_operator % every == 0; });
}

// Keeps light partitions, so that the fake device's choice is what happens. Null, and the test has
// failed, where there is no engine.
inline std::unique_ptr<Engine> create(const graph::Graph& graph,
                                      std::shared_ptr<backend::Device> device,
                                      EngineOptions options = {}) {
  options.partition.keep_light_partitions = true;
  auto engine = Engine::create(graph, std::move(device), options);
  EXPECT_TRUE(engine) << engine.error().message;
  return engine ? *std::move(engine) : nullptr;
}

}  // namespace lockstep::delegate::testing
