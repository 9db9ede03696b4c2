// Work that several threads begin at the same moment.
#pragma once

#include <cstdint>
#include <functional>

#include "graph/status.h"

namespace lockstep::bench {

// Calls work(0) to work(threads - 1) at once, the first one in the calling thread, and returns the
// seconds from the moment when the first begins until the last has ended; starting threads does not
// count. kOutOfMemory where the system grants no more threads.
Result<double> seconds_of_threads(int32_t threads, const std::function<void(int32_t)>& work);

// "" for one, "-2-threads": how the names of measurements end.
std::string threads_suffix(int32_t threads);

}  // namespace lockstep::bench
