// What a kernel family hands to the program builder for one operator: plain data, no Vulkan
// objects. A family (convolution.cpp, pool.cpp, ...) decides applicability, packs parameters and
// sizes dispatches; program_builder.cpp turns the result into pipelines, memory, descriptors and
// commands.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/vulkan/capabilities.h"
#include "backend/vulkan/epilogue.h"
#include "backend/vulkan/layout.h"
#include "backend/vulkan/pieces_in_place.h"
#include "graph/lowered_graph.h"
#include "graph/status.h"

namespace lockstep::backend::vulkan {

// Vulkan 1.1 promises no more storage buffers than this to one shader stage; uniform texel buffers
// are counted apart, and there are at least 16.
inline constexpr size_t kMaximumStorageBuffers = 4;

// One buffer of a dispatch: an activation (or constant operand) of the graph, or a constant
// block of the plan (packed weights, channel parameters, tables).
struct Binding {
  enum class Kind : uint8_t { kTensor, kConstant };
  // What the shader declares: a storage buffer, or a uniform texel buffer (usamplerBuffer) whose
  // texels are units of 16 bytes (R32G32B32A32_UINT) or words (R32_UINT). Texel buffers can only be
  // inputs, and have a limit of their own: Capabilities::max_texel_buffer_elements.
  enum class View : uint8_t { kStorage, kTexelUnits, kTexelWords };
  Kind kind = Kind::kTensor;
  int32_t index = 0;  // kTensor: LoweredGraph::tensors; kConstant: KernelPlan::constants
  View view = View::kStorage;
};

struct Dispatch {
  std::string shader;  // name of the embedded SPIR-V module, "convolution_int_dot"
  std::vector<uint32_t> specialization;  // values of constant_id 0, 1, 2, ...
  uint32_t subgroup_size = 0;            // that the kernel is made for; 0: any
  std::vector<uint32_t> push_constants;  // at most Capabilities::max_push_constants / 4 words
  std::vector<Binding> inputs;           // bindings 0 .. inputs.size() - 1, only read
  Binding output;                        // the next binding, written; what an earlier dispatch of
                                         // the same plan left there may be read
  std::array<uint32_t, 3> workgroups{1, 1, 1};
};

struct KernelPlan {
  std::string variant;               // the kernel's name
  std::vector<std::string> kernels;  // of all that fit the operator, best first; families with
                                     // one kernel leave it to plan_operator()
  std::vector<std::vector<std::byte>> constants;  // uploaded once
  // In order; the builder places barriers wherever one touches a tensor that another has written.
  std::vector<Dispatch> dispatches;
  // The output has the input's bytes and layout: no dispatch; the builder lets both share memory.
  bool is_alias = false;
  // Of CONCATENATION: inputs that are parts of the output's memory, for which nothing is left to
  // do. Where that is all of them, there is no dispatch either.
  std::vector<PieceInPlace> pieces_in_place;
};

struct PlanContext {
  const graph::LoweredGraph& graph;
  const Capabilities& capabilities;
  // The kernel to plan for if it fits the operator; empty, or not one of them: the best.
  std::string_view kernel{};
  // Null: none. One that takes_epilogue() says the operator can have.
  const Epilogue* epilogue = nullptr;
  // Of CONCATENATION: inputs that will be in their place already.
  std::span<const PieceInPlace> pieces_in_place{};

  TensorLayout layout(int32_t tensor) const {
    return layout_of(graph.tensors[static_cast<size_t>(tensor)]);
  }
  Epilogue ends() const { return epilogue != nullptr ? *epilogue : Epilogue{}; }
};

// kUnsupported with the reason when the operator is not for this device.
Result<KernelPlan> plan_operator(const PlanContext& context, const graph::LoweredOperator& op);

// Whether the operator can have that epilogue on the device. All kernels of a family can, so that
// plan_operator() chooses the same one with it. Looks at shapes only, not at weights.
bool takes_epilogue(const PlanContext& context, const graph::LoweredOperator& op,
                    const Epilogue& epilogue);

// The families, one file each. plan_operator dispatches to them.
Result<KernelPlan> plan_convolution(const PlanContext&, const graph::LoweredConvolution&);
// KernelPlan::kernels of that plan; looks at shapes only, not at weights.
std::vector<std::string> convolution_kernels(const PlanContext&, const graph::LoweredConvolution&);
Result<KernelPlan> plan_depthwise_convolution(const PlanContext&,
                                              const graph::LoweredDepthwiseConvolution&);
Result<KernelPlan> plan_add(const PlanContext&, const graph::LoweredAdd&);
Result<KernelPlan> plan_mul(const PlanContext&, const graph::LoweredMul&);
Result<KernelPlan> plan_pool(const PlanContext&, const graph::LoweredPool&);
Result<KernelPlan> plan_mean(const PlanContext&, const graph::LoweredMean&);
Result<KernelPlan> plan_pad(const PlanContext&, const graph::LoweredPad&);
Result<KernelPlan> plan_concatenation(const PlanContext&, const graph::LoweredConcatenation&);
Result<KernelPlan> plan_reshape(const PlanContext&, const graph::LoweredReshape&);
Result<KernelPlan> plan_transposition(const PlanContext&, const graph::LoweredTransposition&);
Result<KernelPlan> plan_resize_nearest_neighbor(const PlanContext&,
                                                const graph::LoweredResizeNearestNeighbor&);
Result<KernelPlan> plan_resize_bilinear(const PlanContext&, const graph::LoweredResizeBilinear&);
Result<KernelPlan> plan_table(const PlanContext&, const graph::LoweredTable&);

}  // namespace lockstep::backend::vulkan
