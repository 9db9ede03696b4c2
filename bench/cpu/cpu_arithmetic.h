// The part of `bench device` about what a processor multiplies and adds at best.
#pragma once

#include <span>
#include <vector>

#include "backend/cpu/operation.h"
#include "bench/cpu/register_form.h"
#include "bench/device_measurement.h"
#include "graph/status.h"

namespace lockstep::bench {

struct CpuArithmetic {
  backend::cpu::Isa isa;
  bool is_exact_int8 = true;
  int32_t threads = 1;
  DeviceMeasurement measurement;
};

// Measurements "multiply-add/..." of exact int8 forms and "float32/..." for comparison, those that
// `is_wanted` by name, from registers alone: by one thread, and where the target has more by all of
// its threads at once. Forms beyond the target's instruction set say why they are missing.
// kInternal, before anything is timed or after, where a form's sums are wrong.
Result<std::vector<CpuArithmetic>> measure_cpu_arithmetic(const std::vector<RegisterForm>& forms,
                                                          const backend::cpu::Target& target,
                                                          const MeasureOptions& options,
                                                          const IsWanted& is_wanted);

// The fastest exact form up to an instruction set, by so many threads; 0 where none was measured.
double peak_gops(std::span<const CpuArithmetic> measured, const backend::cpu::Target& target);

}  // namespace lockstep::bench
