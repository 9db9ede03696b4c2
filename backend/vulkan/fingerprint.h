// What a program's plans come down to, as a text that can be compared: see Device::fingerprint().
#pragma once

#include <span>
#include <string>

#include "backend/device.h"
#include "backend/vulkan/capabilities.h"
#include "backend/vulkan/kernel.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::backend::vulkan {

// `plans`: one for each of graph.operators. One line for everything that all commands have in
// common and one for each dispatch: shader, specialization, push constants, workgroups, and where
// each binding lies; of constant blocks size and checksum. Fails as plan_activations() does.
Result<std::string> fingerprint_of(const graph::LoweredGraph& graph,
                                   std::span<const KernelPlan> plans,
                                   const Capabilities& capabilities, const CompileOptions& options);

}  // namespace lockstep::backend::vulkan
