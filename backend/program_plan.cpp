#include "backend/program_plan.h"

namespace lockstep::backend {

std::string_view chosen_by_name(ChosenBy chosen_by) {
  switch (chosen_by) {
    case ChosenBy::kOnlyKernel:
      return "only kernel";
    case ChosenBy::kHeuristics:
      return "heuristics";
    case ChosenBy::kTuning:
      return "tuning";
    case ChosenBy::kForce:
      return "force";
  }
  return "";
}

std::string_view planned_memory_name(PlannedTensor::Memory memory) {
  switch (memory) {
    case PlannedTensor::Memory::kArena:
      return "arena";
    case PlannedTensor::Memory::kBorder:
      return "border";
    case PlannedTensor::Memory::kConstants:
      return "constants";
  }
  return "";
}

}  // namespace lockstep::backend
