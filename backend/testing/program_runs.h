// Runs of programs, and what they may differ in, for tests of any device.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "backend/device.h"

namespace lockstep::backend::testing {

// The outputs of a run, dense host bytes; a run that fails fails the test.
std::vector<std::vector<std::byte>> run(Program& program, const graph::LoweredGraph& graph,
                                        const std::vector<std::vector<std::byte>>& inputs);

// The first byte of the outputs that is not as expected, for people; empty where there is none.
std::string first_difference(const graph::LoweredGraph& graph,
                             const std::vector<std::vector<std::byte>>& actual,
                             const std::vector<std::vector<std::byte>>& expected);

}  // namespace lockstep::backend::testing
