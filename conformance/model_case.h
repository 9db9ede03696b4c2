// A whole network that the user gives, as a case.
#pragma once

#include <filesystem>

#include "conformance/case.h"
#include "graph/status.h"

namespace lockstep::conformance {

// "model/FILE NAME", family "model": the operators of a .tflite file that at least one contract
// computes and that need nothing of the others; every tensor that they compute is an output. The
// inputs are random, the same in every build. kUnsupported where no operator is left.
Result<Case> make_model_case(const std::filesystem::path& path);

}  // namespace lockstep::conformance
