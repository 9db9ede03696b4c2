// What a program will be made of, before it is made: for people (`lockstep inspect`) and tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::backend {

// Why an operator has its kernel.
enum class ChosenBy : uint8_t {
  kOnlyKernel,  // there is no other
  kHeuristics,  // the device's kind prefers it
  kTuning,      // measured to be the fastest
  kForce,       // CompileOptions::kernel
};
std::string_view chosen_by_name(
    ChosenBy chosen_by);  // "only kernel", "heuristics", "tuning", "force"

struct PlannedOperator {
  int32_t source_operator = 0;
  std::string kernel;
  ChosenBy chosen_by = ChosenBy::kOnlyKernel;
  // 0: it only gives memory another name, or other operators' dispatches compute it too.
  int64_t dispatches = 0;
  int64_t constant_bytes = 0;
};

// A piece of memory and the steps during which its contents matter. Operator i is step i + 1 (in
// the order of LoweredGraph::operators), 0 comes before all of them.
struct PlannedTensor {
  enum class Memory : uint8_t { kArena, kBorder, kConstants };
  std::vector<int32_t> tensors;  // that live there: one, and those that are the same bytes
  Memory memory = Memory::kArena;
  int64_t offset = 0;
  int64_t bytes = 0;
  int32_t first = 0;             // of kArena and kBorder: written
  int32_t last = 0;              // last read
  std::vector<int32_t> parts{};  // tensors that are some of the bytes
};
std::string_view planned_memory_name(
    PlannedTensor::Memory memory);  // "arena", "border", "constants"

struct ProgramPlan {
  std::vector<PlannedOperator> operators;  // in the order of LoweredGraph::operators
  std::vector<PlannedTensor> tensors;      // by memory, then offset
  int64_t arena_bytes = 0;
  int64_t arena_lower_bound = 0;  // largest sum of simultaneously live tensors
  int64_t border_bytes = 0;       // inputs and outputs that the host sees in place
  int64_t staging_bytes = 0;      // or copies of them, where it cannot
  int64_t constant_bytes = 0;
};

}  // namespace lockstep::backend
