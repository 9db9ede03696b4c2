// A program's plans as data for people: see Device::plan().
#pragma once

#include <span>

#include "backend/program_plan.h"
#include "backend/vulkan/memory_plan.h"

namespace lockstep::backend::vulkan {

// `chosen_by`: one for each operator of the graph.
ProgramPlan describe_program(const PlannedGraph& planned, const MemoryPlan& memory,
                             std::span<const ChosenBy> chosen_by);

}  // namespace lockstep::backend::vulkan
