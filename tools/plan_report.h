// A program's plan (backend/program_plan.h) for people and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "backend/program_plan.h"
#include "graph/graph.h"

namespace lockstep::tools {

// Which kernel computes each operator of `graph`, and who chose it.
std::string kernel_table(const graph::Graph& graph, const backend::ProgramPlan& plan);

// Sizes in total, and every tensor's place.
std::string memory_table(const graph::Graph& graph, const backend::ProgramPlan& plan);

// The arena over time: a column for each step (or several, where there are more than
// `maximum_columns`), a row for each of `rows` equal parts of the arena, the lowest addresses at
// the bottom. Tensors that are neighbours have different letters; '.' is free. Empty without an
// arena.
std::string arena_picture(const backend::ProgramPlan& plan, size_t rows, size_t maximum_columns);

nlohmann::json plan_json(const backend::ProgramPlan& plan);

}  // namespace lockstep::tools
