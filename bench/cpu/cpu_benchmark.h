// What this machine's processor can do at best, below whole layers: see README.md in the folder
// above.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/operation.h"
#include "backend/device.h"
#include "bench/cpu/cpu_arithmetic.h"
#include "bench/device_measurement.h"
#include "graph/status.h"

namespace lockstep::bench {

// The instruction set and the number of threads of an opened processor, from its capabilities "isa"
// and "threads" (1 where it does not say). kInternal where they are none.
Result<backend::cpu::Target> target_of(const backend::DeviceDescription& description);

struct CpuMeasurements {
  std::vector<CpuArithmetic> arithmetic;
  std::vector<DeviceMeasurement> memory;
};

// Those that `is_wanted` by name. kInternal where the processor adds or copies wrongly: that has no
// speed.
Result<CpuMeasurements> measure_cpu(const backend::cpu::Target& target,
                                    const DeviceBenchmarkOptions& options,
                                    const IsWanted& is_wanted, const Progress& progress);

// `mask` with the entry "isa=..." instead of another one.
std::string mask_with_isa(const std::string& mask, backend::cpu::Isa isa);

// The device that `selector` and `options` open, once more with that instruction set. kUnsupported
// where it then has another one.
Result<std::shared_ptr<backend::Device>> open_with_isa(const std::string& selector,
                                                       backend::DeviceOptions options,
                                                       backend::cpu::Isa isa);

}  // namespace lockstep::bench
