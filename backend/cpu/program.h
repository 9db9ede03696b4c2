// A lowered graph made ready to run on this processor.
#pragma once

#include <memory>
#include <string>

#include "backend/cpu/operation.h"
#include "backend/cpu/thread_pool.h"
#include "backend/device.h"
#include "graph/lowered_graph.h"

namespace lockstep::backend::cpu {

// `graph` has passed host_ref::check_graph().
Result<std::unique_ptr<Program>> make_program(const graph::LoweredGraph& graph,
                                              const Target& target,
                                              std::shared_ptr<ThreadPool> pool,
                                              const CompileOptions& options);

// As Device::fingerprint() and Device::plan().
Result<std::string> describe_program(const graph::LoweredGraph& graph, const Target& target,
                                     const CompileOptions& options);
Result<ProgramPlan> plan_program(const graph::LoweredGraph& graph, const Target& target,
                                 const CompileOptions& options);

}  // namespace lockstep::backend::cpu
