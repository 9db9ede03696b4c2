#include "backend/cpu/processor_name.h"

#include <fstream>

namespace lockstep::backend::cpu {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    // x86, then what some other kernels write.
    if (!line.starts_with("model name") && !line.starts_with("Hardware")) continue;
    if (const size_t colon = line.find(": "); colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return {};
}

}  // namespace lockstep::backend::cpu
