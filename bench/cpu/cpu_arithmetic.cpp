#include "bench/cpu/cpu_arithmetic.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "bench/cpu/threads.h"

namespace lockstep::bench {
namespace {

using backend::cpu::Target;

// Empty, or why a form cannot run.
std::string why_unavailable(const RegisterForm& form, const Target& target) {
  const std::string name(backend::cpu::isa_name(form.isa));
  const std::vector<backend::cpu::Isa> isas = backend::cpu::executable_isas();
  if (std::ranges::find(isas, form.isa) == isas.end()) {
    return "the processor does not execute " + name;
  }
  return form.isa > target.isa ? "the device was opened without " + name : "";
}

Result<double> run_form(const RegisterForm& form, int32_t threads) {
  std::atomic<bool> is_right = true;
  const auto seconds = seconds_of_threads(threads, [&](int32_t) {
    if (!form.run()) is_right = false;
  });
  if (seconds && !is_right) {
    return make_error(ErrorCode::kInternal,
                      "the processor multiplies and adds wrongly in this form");
  }
  return seconds;
}

}  // namespace

Result<std::vector<CpuArithmetic>> measure_cpu_arithmetic(const std::vector<RegisterForm>& forms,
                                                          const Target& target,
                                                          const MeasureOptions& options,
                                                          const IsWanted& is_wanted) {
  std::vector<CpuArithmetic> results;
  std::vector<Competitor> competitors;
  std::vector<size_t> result_of;
  std::vector<double> multiply_adds;
  for (const int32_t threads : std::set<int32_t>{1, target.threads}) {
    for (const RegisterForm& form : forms) {
      const std::string name =
          (form.is_exact_int8 ? "multiply-add/" : "float32/") + form.name + threads_suffix(threads);
      const std::string unavailable = why_unavailable(form, target);
      // What is missing is missing for any number of threads.
      if (!is_wanted(name) || (threads > 1 && !unavailable.empty())) continue;
      results.push_back({.isa = form.isa,
                         .is_exact_int8 = form.is_exact_int8,
                         .threads = threads,
                         .measurement = {.name = name,
                                         .meaning = form.meaning,
                                         .unavailable = unavailable,
                                         .value = 0,
                                         .unit = "GOPS",
                                         .time = {}}});
      if (!unavailable.empty()) continue;
      result_of.push_back(results.size() - 1);
      multiply_adds.push_back(form.multiply_adds * threads);
      competitors.push_back({name, [&form, threads] { return run_form(form, threads); }});
    }
  }
  const auto seconds = measure(competitors, options);
  if (!seconds) return tl::unexpected(seconds.error());
  for (size_t i = 0; i < result_of.size(); ++i) {
    DeviceMeasurement& measurement = results[result_of[i]].measurement;
    measurement.time = summarise((*seconds)[i]);
    measurement.value = 2e-9 * multiply_adds[i] / measurement.time.median_seconds;
  }
  return results;
}

double peak_gops(std::span<const CpuArithmetic> measured, const Target& target) {
  double peak = 0;
  for (const CpuArithmetic& each : measured) {
    if (each.is_exact_int8 && each.isa <= target.isa && each.threads == target.threads) {
      peak = std::max(peak, each.measurement.value);
    }
  }
  return peak;
}

}  // namespace lockstep::bench
