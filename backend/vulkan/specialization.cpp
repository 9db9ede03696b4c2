#include "backend/vulkan/specialization.h"

#ifdef LOCKSTEP_HAS_SPIRV_OPTIMIZER

#include <spirv-tools/optimizer.hpp>
#include <unordered_map>

namespace lockstep::backend::vulkan {

std::vector<uint32_t> specialize(std::span<const uint32_t> module,
                                 std::span<const uint32_t> values) {
  std::unordered_map<uint32_t, std::vector<uint32_t>> words_of;
  for (uint32_t id = 0; id < values.size(); ++id) {
    words_of[id] = {values[id]};
  }
  spvtools::Optimizer optimizer(SPV_ENV_VULKAN_1_1);
  // No more than it takes to find what is dead: our modules were optimized when they were built, and
  // all passes of -O together take eight times as long and gain nothing measurable.
  optimizer.RegisterPass(spvtools::CreateSetSpecConstantDefaultValuePass(words_of))
      .RegisterPass(spvtools::CreateFreezeSpecConstantValuePass())
      .RegisterPass(spvtools::CreateFoldSpecConstantOpAndCompositePass())
      .RegisterPass(spvtools::CreateCCPPass())
      .RegisterPass(spvtools::CreateDeadBranchElimPass())
      .RegisterPass(spvtools::CreateAggressiveDCEPass());
  spvtools::OptimizerOptions options;
  // Our own modules, valid when they were built.
  options.set_run_validator(false);
  std::vector<uint32_t> specialized;
  if (!optimizer.Run(module.data(), module.size(), &specialized, options)) {
    return {};
  }
  return specialized;
}

bool can_specialize() { return true; }

}  // namespace lockstep::backend::vulkan

#else

namespace lockstep::backend::vulkan {

std::vector<uint32_t> specialize(std::span<const uint32_t>, std::span<const uint32_t>) {
  return {};
}

bool can_specialize() { return false; }

}  // namespace lockstep::backend::vulkan

#endif
