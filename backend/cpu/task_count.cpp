#include <algorithm>

#include "backend/cpu/operation.h"

namespace lockstep::backend::cpu {

int64_t task_count(int64_t rows, double nanoseconds, const Target& target) {
  // Below this, waking another thread and waiting for it costs more than it saves.
  constexpr double kWorthwhile = 5000.0;
  constexpr int64_t kTasksPerThread = 4;
  if (target.threads == 1 || rows <= 1) return 1;
  const auto worthwhile = static_cast<int64_t>(nanoseconds / kWorthwhile);
  if (worthwhile < 2) return 1;
  return std::min({rows, worthwhile, target.threads * kTasksPerThread});
}

}  // namespace lockstep::backend::cpu
