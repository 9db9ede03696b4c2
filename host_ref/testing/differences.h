// How two versions of one tensor differ, for a test's message.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "graph/tensor.h"

namespace lockstep::host_ref::testing {

// "'x': 3 of 100 bytes differ, the first at 7: the engine made -5, we -6"; empty where none does.
std::string differences(const graph::Tensor& tensor, std::span<const std::byte> engine,
                        std::span<const std::byte> ours);

}  // namespace lockstep::host_ref::testing
