// CONV_2D and FULLY_CONNECTED: which variant computes a shape, and how its weights are packed.
#include <algorithm>

#include "backend/vulkan/convolution_cooperative_matrix.h"
#include "backend/vulkan/convolution_gemv.h"
#include "backend/vulkan/convolution_image.h"
#include "backend/vulkan/convolution_parameters.h"
#include "backend/vulkan/convolution_staged.h"
#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/kernel.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredConvolution;

// From the most special to the most general; all but the last are variants of convolution.comp.
enum class Variant : uint8_t {
  kRow,        // a matrix of one row
  kPointwise,  // 1x1: rows of a matrix
  kUnits,      // 16 channels of a tap at a time
  kWords,      // 4 channels of four taps at a time
  kDirect,     // byte by byte
};

std::string_view shader_name(Variant variant) {
  switch (variant) {
    case Variant::kRow:
      return "convolution_row";
    case Variant::kPointwise:
      return "convolution_pointwise";
    case Variant::kUnits:
      return "convolution";
    case Variant::kWords:
      return "convolution_words";
    case Variant::kDirect:
      break;
  }
  return "convolution_direct";
}

// Every variant that computes the operator, best first. A group must begin and end with what a
// variant loads (units, words) and stores (words).
std::vector<Variant> applicable_variants(const LoweredConvolution& op) {
  const int32_t group_channels = op.input_extent.channels / op.groups;
  const int32_t group_outputs = op.output_extent.channels / op.groups;
  const auto groups_are_whole = [&](int32_t loaded_bytes) {
    return op.groups == 1 ||
           (group_channels % loaded_bytes == 0 && group_outputs % kWordBytes == 0);
  };
  const bool has_units = op.input_extent.channels > kWordBytes;
  std::vector<Variant> variants;
  if (has_units && is_matrix_product(op)) {
    variants = {Variant::kPointwise, Variant::kRow};
    if (positions_of(op) == 1) {
      std::ranges::reverse(variants);
    }
  }
  if (has_units && groups_are_whole(kUnitBytes)) {
    variants.push_back(Variant::kUnits);
  }
  if (groups_are_whole(kWordBytes)) {
    variants.push_back(Variant::kWords);
  }
  variants.push_back(Variant::kDirect);
  return variants;
}

// How products are summed: see dot_product.glsl.
enum class Form : uint8_t { kInteger, kTexel, kTexelWide, kFloat32, kIntDot, kIntDotSaturating };

std::string_view form_suffix(Form form) {
  switch (form) {
    case Form::kTexel:
      return "_texel";
    case Form::kTexelWide:
      return "_texel_wide";
    case Form::kFloat32:
      return "_float32";
    case Form::kIntDot:
      return "_int_dot";
    case Form::kIntDotSaturating:
      return "_int_dot_saturating";
    case Form::kInteger:
      break;
  }
  return "";
}

constexpr bool packs_products(Form form) {
  return form == Form::kIntDot || form == Form::kIntDotSaturating;
}
constexpr bool reads_texels(Form form) { return form == Form::kTexel || form == Form::kTexelWide; }

// A variant as shaders/CMakeLists.txt compiles it.
struct Kernel {
  Variant variant;
  Form form = Form::kInteger;

  std::string name() const { return fmt::format("{}{}", shader_name(variant), form_suffix(form)); }
  int32_t tile_positions() const {
    return variant == Variant::kRow ? 1 : form == Form::kTexelWide ? 8 : 4;
  }
  int32_t tile_channels() const { return form == Form::kTexelWide ? 8 : 4; }
};

Steps steps_of(const LoweredConvolution& op, const Kernel& kernel) {
  const int64_t taps = int64_t{op.window.kernel_height} * op.window.kernel_width;
  const int32_t group_channels = op.input_extent.channels / op.groups;
  Steps steps{};
  steps.unit_bytes = kernel.variant == Variant::kWords ? kWordBytes : kUnitBytes;
  steps.group_units = divide_up(group_channels, steps.unit_bytes);
  steps.count = divide_up(taps * steps.group_units * steps.unit_bytes, int64_t{kUnitBytes});
  steps.tile_channels = kernel.tile_channels();
  steps.group_blocks = divide_up(op.output_extent.channels / op.groups, steps.tile_channels);
  return steps;
}

// Of one invocation; see Alternative.
int64_t loop_iterations(const LoweredConvolution& op, const Kernel& kernel) {
  const int64_t rows = op.window.kernel_height;
  const int64_t taps = rows * op.window.kernel_width;
  const int64_t group_channels = op.input_extent.channels / op.groups;
  switch (kernel.variant) {
    case Variant::kRow:
    case Variant::kPointwise:
    case Variant::kWords:
      return steps_of(op, kernel).count;
    case Variant::kUnits:
      return rows + taps * (1 + divide_up(group_channels, int64_t{kUnitBytes}));
    case Variant::kDirect:
      break;
  }
  return kWordBytes * (1 + rows + taps * (1 + group_channels));
}

bool is_cpu_like(const Capabilities& capabilities) {
  return capabilities.device_class == DeviceClass::kCpuLike;
}

// Whether a form's own conditions hold, the variant being applicable.
bool form_fits(const PlanContext& context, const LoweredConvolution& op, const Kernel& kernel) {
  const Capabilities& capabilities = context.capabilities;
  const Steps steps = steps_of(op, kernel);
  if (packs_products(kernel.form) && !capabilities.integer_dot_product) {
    return false;
  }
  if (kernel.form == Form::kIntDotSaturating && !saturating_sums_are_exact(steps.count)) {
    return false;
  }
  if (reads_texels(kernel.form)) {
    const int64_t channels = int64_t{op.groups} * steps.group_blocks * steps.tile_channels;
    if (!fits_texel_buffers(capabilities, context.layout(op.input).bytes() / steps.unit_bytes,
                            steps.weights_bytes(op.groups), channels * kUnitBytes)) {
      return false;
    }
  }
  // The accumulators of a wide tile would not fit a GPU's registers, and take a compiler for narrow
  // vector units many seconds.
  constexpr uint32_t kWideVectorUnit = 8;
  if (kernel.form == Form::kTexelWide &&
      !(is_cpu_like(capabilities) && capabilities.subgroup_size >= kWideVectorUnit)) {
    return false;
  }
  // Whole tiles of a group are stored, and padding at the end of a row takes up to a unit.
  return kernel.tile_channels() == kWordBytes ||
         (op.groups == 1 ? op.output_extent.channels > kWordBytes
                         : op.output_extent.channels / op.groups % kernel.tile_channels() == 0);
}

// Best first.
std::vector<Form> forms_by_preference(const Capabilities& capabilities) {
  if (!is_cpu_like(capabilities)) {
    return {Form::kIntDot, Form::kInteger,          Form::kFloat32,
            Form::kTexel,  Form::kIntDotSaturating, Form::kTexelWide};
  }
  return {Form::kTexelWide, Form::kTexel,  Form::kInteger,
          Form::kFloat32,   Form::kIntDot, Form::kIntDotSaturating};
}

std::vector<Kernel> applicable_kernels(const PlanContext& context, const LoweredConvolution& op) {
  std::vector<Kernel> kernels;
  for (const Variant variant : applicable_variants(op)) {
    if (variant == Variant::kDirect) {
      kernels.push_back({variant});
      continue;
    }
    for (const Form form : forms_by_preference(context.capabilities)) {
      const Kernel kernel{variant, form};
      const bool exists = variant != Variant::kRow || form != Form::kTexelWide;
      if (exists && form_fits(context, op, kernel)) {
        kernels.push_back(kernel);
      }
    }
  }
  return kernels;
}

Binding::View input_view_of(const Kernel& kernel) {
  if (!reads_texels(kernel.form)) {
    return Binding::View::kStorage;
  }
  return kernel.variant == Variant::kWords ? Binding::View::kTexelWords
                                           : Binding::View::kTexelUnits;
}

Result<KernelPlan> plan_fast(const PlanContext& context, const LoweredConvolution& op,
                             const Kernel& kernel) {
  const Steps steps = steps_of(op, kernel);
  if (Status status = check_packed_weights(context.capabilities, steps.weights_bytes(op.groups));
      !status) {
    return tl::unexpected(status.error());
  }
  const TensorLayout input = context.layout(op.input);
  const TensorLayout output = context.layout(op.output);
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = kernel.name();
  const WeightSums sums = sum_weights(op);
  dispatch.specialization = specialization_of(
      context,
      end_constant(op.output_stage, accumulator_bounds(op.bias, op.input_zero_point, sums)),
      {has_asymmetric_weights(op) ? 1u : 0u});
  const graph::Window2d& window = op.window;
  const int32_t channel_blocks = steps.group_blocks * op.groups;
  dispatch.push_constants = push_constants(
      positions_of(op), channel_blocks, steps.group_blocks, input.channel_stride / steps.unit_bytes,
      stride_words(output), steps.group_units, op.input_extent.channels / op.groups, steps.count,
      op.input_extent.height, op.input_extent.width, op.output_extent.height,
      op.output_extent.width, window.kernel_height, window.kernel_width, window.stride_height,
      window.stride_width, window.dilation_height, window.dilation_width, window.padding_top,
      window.padding_left, replicate(op.input_zero_point), op.output_stage.zero_point,
      op.output_stage.activation_min, op.output_stage.activation_max,
      division_multiplier(static_cast<uint32_t>(channel_blocks)),
      division_multiplier(static_cast<uint32_t>(steps.group_blocks)),
      division_multiplier(static_cast<uint32_t>(op.output_extent.width)),
      division_multiplier(static_cast<uint32_t>(op.output_extent.height)));
  const int32_t domain = packs_products(kernel.form) ? 0 : kUnsignedDomain;
  const std::vector<int8_t> weights = pack_weights(op, steps, domain);
  bind_operands(context, op.input, input_view_of(kernel), std::span<const int8_t>(weights),
                channel_parameters(op, bias_in_domain(op.folded_bias, sums, domain), domain,
                                   static_cast<size_t>(steps.tile_channels)),
                op.output, plan, dispatch);
  const uint64_t tiles =
      divide_up(uint64_t{positions_of(op)}, static_cast<uint64_t>(kernel.tile_positions()));
  return with_dispatch(context, tiles * static_cast<uint64_t>(channel_blocks), std::move(dispatch),
                       std::move(plan));
}

Result<KernelPlan> plan_direct(const PlanContext& context, const LoweredConvolution& op) {
  const TensorLayout output = context.layout(op.output);
  KernelPlan plan;
  Dispatch dispatch;
  dispatch.shader = shader_name(Variant::kDirect);
  dispatch.specialization = specialization_of(context, end_constant(op.output_stage));
  const graph::Window2d& window = op.window;
  dispatch.push_constants = push_constants(
      positions_of(op), op.output_extent.channels, op.output_extent.channels / op.groups,
      op.input_extent.channels / op.groups, context.layout(op.input).channel_stride,
      stride_words(output), op.input_extent.height, op.input_extent.width, op.output_extent.height,
      op.output_extent.width, window.kernel_height, window.kernel_width, window.stride_height,
      window.stride_width, window.dilation_height, window.dilation_width, window.padding_top,
      window.padding_left, op.input_zero_point, op.output_stage.zero_point,
      op.output_stage.activation_min, op.output_stage.activation_max);
  std::vector<int8_t> weights = op.weights;
  weights.resize(divide_up(weights.size(), size_t{kWordBytes}) * kWordBytes);
  bind_operands(context, op.input, Binding::View::kStorage, std::span<const int8_t>(weights),
                channel_parameters(op, op.bias, 0, kWordBytes), op.output, plan, dispatch);
  return with_dispatch(context, uint64_t{positions_of(op)} * row_words(output), std::move(dispatch),
                       std::move(plan));
}

// A fully connected layer may flatten its input: one of its rows is then several rows of the
// tensor, [pixels][channels]. That is a convolution whose kernel covers all of the pixels; its
// weights are already in that order.
Result<LoweredConvolution> unflatten(const LoweredConvolution& op, const TensorLayout& input) {
  const int32_t flat_channels = op.input_extent.channels;
  if (input.channels == flat_channels) {
    return op;
  }
  const bool is_fully_connected =
      op.input_extent.height == 1 && op.input_extent.width == 1 && is_matrix_product(op);
  if (!is_fully_connected || flat_channels % input.channels != 0) {
    return make_error(ErrorCode::kUnsupported,
                      "it reads rows of {} channels from a tensor whose rows have {}",
                      flat_channels, input.channels);
  }
  LoweredConvolution unflattened = op;
  unflattened.input_extent.height = flat_channels / input.channels;
  unflattened.input_extent.channels = input.channels;
  unflattened.window.kernel_height = unflattened.input_extent.height;
  return unflattened;
}

// Every way to compute the operator, best first. Both must outlive what is returned.
std::vector<Alternative> alternatives_for(const PlanContext& context,
                                          const LoweredConvolution& op) {
  std::vector<Alternative> alternatives = image_alternatives(context, op);
  for (const Kernel& kernel : applicable_kernels(context, op)) {
    const bool is_direct = kernel.variant == Variant::kDirect;
    alternatives.push_back({.name = kernel.name(),
                            .plan =
                                [&context, &op, kernel, is_direct] {
                                  return is_direct ? plan_direct(context, op)
                                                   : plan_fast(context, op, kernel);
                                },
                            .loop_iterations = loop_iterations(op, kernel)});
  }
  const auto add = [&](const std::vector<Alternative>& others, bool preferred) {
    alternatives.insert(preferred ? alternatives.begin() : alternatives.end(), others.begin(),
                        others.end());
  };
  add(staged_alternatives(context, op), prefers_staging(context, op));
  add(gemv_alternatives(context, op), prefers_gemv(context));
  add(cooperative_matrix_alternatives(context, op), prefers_cooperative_matrices(context, op));
  return alternatives;
}

}  // namespace

Result<KernelPlan> plan_convolution(const PlanContext& context, const LoweredConvolution& op) {
  const TensorLayout output = context.layout(op.output);
  if (output.channels != op.output_extent.channels) {
    return make_error(ErrorCode::kUnsupported,
                      "it writes rows of {} channels to a tensor whose rows have {}",
                      op.output_extent.channels, output.channels);
  }
  const Result<LoweredConvolution> addressable = unflatten(op, context.layout(op.input));
  if (!addressable) {
    return tl::unexpected(addressable.error());
  }
  return plan_one_of(context, alternatives_for(context, *addressable));
}

std::vector<std::string> convolution_kernels(const PlanContext& context,
                                             const LoweredConvolution& op) {
  std::vector<std::string> names;
  for (const Alternative& alternative : alternatives_for(context, op)) {
    if (carries_out(context.capabilities, alternative.loop_iterations)) {
      names.push_back(alternative.name);
    }
  }
  return names;
}

}  // namespace lockstep::backend::vulkan
