// This machine's processor as a device: SIMD kernels of our own, exact under every contract, and a
// pool of threads. Takes every operator that host_ref computes.
//
// LOCKSTEP_CPU_ISA in the environment, or DeviceOptions::mask "isa=NAME", is the most that kernels
// may use: "avx2". A processor with AMX asks the operating system for its tiles once, which then
// wants alternate signal stacks (sigaltstack) to have room for them, 11 KiB and more, in the whole
// process; with LOCKSTEP_CPU_ISA=avx512-vnni nothing is asked. What a self-test at the first
// opening finds to compute wrongly is not used.
#pragma once

#include <memory>
#include <vector>

#include "backend/device.h"

namespace lockstep::backend::cpu {

// One, or kDeviceUnavailable where there are no kernels for this kind of processor.
Result<std::vector<DeviceDescription>> list_devices();

// kInvalidArgument where a name of an instruction set is unknown or of another architecture.
Result<std::shared_ptr<Device>> open_device(const DeviceOptions& options);

}  // namespace lockstep::backend::cpu
