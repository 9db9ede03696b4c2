// What people call this machine's processor.
#pragma once

#include <string>

namespace lockstep::backend::cpu {

// "Intel(R) Xeon(R) Processor"; empty where the operating system does not tell.
std::string processor_name();

}  // namespace lockstep::backend::cpu
