// The part of `bench device` about a processor's caches and memory: copies and reads.
#pragma once

#include <vector>

#include "backend/cpu/operation.h"
#include "bench/device_measurement.h"
#include "graph/status.h"

namespace lockstep::bench {

// Measurements "cache/copy-l1", "cache/read-l1", the same of "l2", "memory/copy" and "memory/read",
// those that `is_wanted` by name: by one thread, and where the target has more by all of its
// threads at once, each with memory of its own. A copy's bytes are those read and those written.
Result<std::vector<DeviceMeasurement>> measure_cpu_memory(const backend::cpu::Target& target,
                                                          const DeviceBenchmarkOptions& options,
                                                          const IsWanted& is_wanted);

}  // namespace lockstep::bench
