// The real numpy, for tests of what is exchanged with it.
#pragma once

#include <optional>
#include <string>

namespace lockstep::tools::testing {

// What a Python program prints that may `import numpy`; its error where it fails. nullopt where
// there is no Python with numpy: such a test is skipped.
std::optional<std::string> run_numpy(const std::string& program);

}  // namespace lockstep::tools::testing
