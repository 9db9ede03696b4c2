#include "conformance/operation_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <span>
#include <variant>

namespace lockstep::conformance {
namespace {

constexpr size_t kMaximumValues = 32;

template <typename T>
std::string list_text(std::span<const T> values) {
  std::string text;
  for (size_t i = 0; i < std::min(values.size(), kMaximumValues); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", static_cast<int64_t>(values[i]));
  }
  if (values.size() > kMaximumValues) text += fmt::format(", ... ({} in all)", values.size());
  return text;
}

template <typename T>
std::string list_text(const std::vector<T>& values) {
  return list_text(std::span<const T>(values));
}

// In the notation of numerics/fixed_point.h and float_rounding.h.
std::string_view rounding_formula(numerics::Rounding rounding) {
  switch (rounding) {
    case numerics::Rounding::kDoubleTiesUp:
      return "h = ((x << max(shift, 0)) * multiplier + 2^30) >> 31 in 64 bits; n = max(-shift, 0); "
             "round(x) = n > 0 ? (h + 2^(n-1)) >> n : h";
    case numerics::Rounding::kDoubleTiesAway:
      return "h = ((x << max(shift, 0)) * multiplier + 2^30) >> 31 in 64 bits; n = max(-shift, 0); "
             "round(x) = n > 0 ? (h + 2^(n-1) - (h < 0 ? 1 : 0)) >> n : h";
    case numerics::Rounding::kSingle:
      return "round(x) = (x * multiplier + 2^(30 - shift)) >> (31 - shift) in 64 bits";
    case numerics::Rounding::kFloat32TiesEven:
      return "round(x) = rint(float32(x) * scale), both roundings to nearest, ties to even; "
             "scale = multiplier * 2^shift exactly";
  }
  return "";
}

std::string output_stage_text(const graph::OutputStage& stage) {
  if (stage.scales.empty()) {
    return fmt::format("- output zero point {}, clamped to [{}, {}]\n", stage.zero_point,
                       stage.activation_min, stage.activation_max);
  }
  std::string scales;
  for (size_t i = 0; i < std::min(stage.scales.size(), kMaximumValues); ++i) {
    scales += fmt::format("{}({}, {})", i == 0 ? "" : ", ", stage.scales[i].multiplier,
                          stage.scales[i].shift);
  }
  if (stage.scales.size() > kMaximumValues) {
    scales += fmt::format(", ... ({} in all)", stage.scales.size());
  }
  return fmt::format(
      "- {}\n"
      "- (multiplier, shift){}: {}\n"
      "- output zero point {}, clamped to [{}, {}]\n",
      rounding_formula(stage.rounding), stage.scales.size() > 1 ? " by output channel" : "", scales,
      stage.zero_point, stage.activation_min, stage.activation_max);
}

std::string window_text(const graph::Window2d& window) {
  return fmt::format(
      "- kernel {}x{}, stride {}x{}, dilation {}x{}, padding {} above and {} left "
      "(height x width)\n",
      window.kernel_height, window.kernel_width, window.stride_height, window.stride_width,
      window.dilation_height, window.dilation_width, window.padding_top, window.padding_left);
}

// Between a row or column of the input and the next, and the weights of both.
std::string interpolation_text(const std::vector<graph::Interpolation>& interpolations,
                               graph::InterpolationArithmetic arithmetic) {
  const bool in_float32 = arithmetic == graph::InterpolationArithmetic::kFloat32;
  std::string text;
  for (size_t i = 0; i < std::min(interpolations.size(), kMaximumValues); ++i) {
    const auto& [first, second, first_weight, second_weight] = interpolations[i];
    text += i == 0 ? "" : ", ";
    text +=
        in_float32
            ? fmt::format("({}, {}, {:.9g}, {:.9g})", first, second,
                          std::bit_cast<float>(first_weight), std::bit_cast<float>(second_weight))
            : fmt::format("({}, {}, {}, {})", first, second, first_weight, second_weight);
  }
  if (interpolations.size() > kMaximumValues) {
    text += fmt::format(", ... ({} in all)", interpolations.size());
  }
  return text;
}

std::string interpolation_formula(const graph::LoweredResizeBilinear& resize) {
  const std::string notation =
      "With r and c the two rows and columns of the input that an output's row and column name, "
      "and w their weights";
  const int32_t bits = 2 * resize.fraction_bits;
  const std::string sum = notation +
                          ":\n`s = (x[r1][c1] * wc1 + x[r1][c2] * wc2) * wr1 + (x[r2][c1] * wc1 + "
                          "x[r2][c2] * wc2) * wr2` in int32;\n";
  switch (resize.arithmetic) {
    case graph::InterpolationArithmetic::kFixedPointTiesUp:
      return sum + fmt::format("`output = (s + 2^{}) >> {}`\n\n", bits - 1, bits);
    case graph::InterpolationArithmetic::kFixedPointTiesAway:
      return sum + fmt::format("`output = (s + 2^{} - (s < 0 ? 1 : 0)) >> {}`\n\n", bits - 1, bits);
    case graph::InterpolationArithmetic::kFloat32:
      break;
  }
  return notation +
         ", every operation rounded to float32, ties to even:\n"
         "`s = (((x[r1][c1] + 128) * (wr1 * wc1) + (x[r1][c2] + 128) * (wr1 * wc2)) + "
         "(x[r2][c1] + 128) * (wr2 * wc1)) + (x[r2][c2] + 128) * (wr2 * wc2)`;\n"
         "`output = truncate(s + 0.5) - 128`\n\n";
}

struct OperationText {
  template <typename Convolution>
  std::string weights_text(const Convolution& convolution, std::string_view layout) const {
    return fmt::format("- weights ({}): {}\n- weight zero points: {}\n- bias: {}\n", layout,
                       list_text(convolution.weights), list_text(convolution.weights_zero_points),
                       list_text(convolution.bias));
  }

  std::string operator()(const graph::LoweredConvolution& convolution) const {
    return fmt::format(
               "`accumulator[o] = bias[o] + sum over taps and channels of (x - input_zero_point) * "
               "(w[o] - weight_zero_point[o])` in int32; taps outside the image add nothing.\n"
               "`output = clamp(round(accumulator) + output_zero_point)`\n\n"
               "- input zero point {}, {} group{}\n",
               convolution.input_zero_point, convolution.groups,
               convolution.groups == 1 ? "" : "s") +
           window_text(convolution.window) + weights_text(convolution, "OHWI") +
           output_stage_text(convolution.output_stage);
  }
  std::string operator()(const graph::LoweredDepthwiseConvolution& convolution) const {
    return fmt::format(
               "`accumulator[o] = bias[o] + sum over taps of (x[o / depth_multiplier] - "
               "input_zero_point) * (w[o] - weight_zero_point[o])` in int32; taps outside the "
               "image "
               "add nothing.\n"
               "`output = clamp(round(accumulator) + output_zero_point)`\n\n"
               "- input zero point {}, depth multiplier {}\n",
               convolution.input_zero_point, convolution.depth_multiplier) +
           window_text(convolution.window) + weights_text(convolution, "HWO") +
           output_stage_text(convolution.output_stage);
  }
  std::string operator()(const graph::LoweredAdd& add) const {
    if (add.arithmetic == graph::AddArithmetic::kSharedShift) {
      return fmt::format(
                 "`output = clamp(((bias + left * left_multiplier + right * right_multiplier) >> "
                 "shift) + output_zero_point)`, an arithmetic shift\n\n"
                 "- bias {}, left multiplier {}, right multiplier {}, shift {}\n",
                 add.shared_bias, add.left_scale.multiplier, add.right_scale.multiplier,
                 add.shared_shift) +
             output_stage_text(add.output_stage);
    }
    return fmt::format(
               "`l = round((left - left_zero_point) << left_shift)` with the left operand's "
               "multiplier and shift, `r` likewise;\n"
               "`output = clamp(round(l + r) + output_zero_point)` with the output's\n\n"
               "- left: zero point {}, (multiplier, shift) ({}, {})\n"
               "- right: zero point {}, (multiplier, shift) ({}, {})\n"
               "- left_shift {} (of both operands)\n",
               add.left_zero_point, add.left_scale.multiplier, add.left_scale.shift,
               add.right_zero_point, add.right_scale.multiplier, add.right_scale.shift,
               add.left_shift) +
           output_stage_text(add.output_stage);
  }
  std::string operator()(const graph::LoweredMul& mul) const {
    return fmt::format(
               "`output = clamp(round((left - left_zero_point) * (right - right_zero_point)) + "
               "output_zero_point)`\n\n"
               "- left zero point {}, right zero point {}\n",
               mul.left_zero_point, mul.right_zero_point) +
           output_stage_text(mul.output_stage);
  }
  std::string operator()(const graph::LoweredPool& pool) const {
    const std::string formula =
        pool.kind == graph::PoolKind::kMax
            ? "`output = clamp(largest x of the taps inside the image)`\n\n"
            : fmt::format(
                  "`s = sum of (x + {0})` over the n taps inside the image;\n"
                  "`output = clamp((s > 0 ? (s + n / 2) / n : (s - n / 2) / n) - {0})`, where `/` "
                  "truncates\n\n",
                  pool.accumulator_offset);
    return formula + window_text(pool.window) +
           fmt::format("- clamped to [{}, {}]\n", pool.activation_min, pool.activation_max);
  }
  std::string operator()(const graph::LoweredMean& mean) const {
    return fmt::format(
        "The tensor seen as [{}][{}][{}], summed over the middle.\n"
        "`output = -128 + number of thresholds t with sum >= t`\n\n- thresholds: {}\n",
        mean.outer, mean.reduced, mean.inner, list_text(std::span<const int32_t>(mean.thresholds)));
  }
  std::string operator()(const graph::LoweredPad& pad) const {
    return fmt::format(
        "The input [{}] copied into the output [{}] behind [{}] elements of each dimension; {} "
        "elsewhere.\n",
        fmt::join(pad.input_extents, ", "), fmt::join(pad.output_extents, ", "),
        fmt::join(pad.before, ", "), pad.value);
  }
  std::string operator()(const graph::LoweredConcatenation& concatenation) const {
    std::string text = fmt::format(
        "For each of {} rows the inputs one after another, {} elements of each in turn.\n",
        concatenation.outer, list_text(concatenation.axis_sizes));
    for (size_t i = 0; i < concatenation.tables.size(); ++i) {
      if (!concatenation.tables[i].empty()) {
        text += fmt::format("- input {} goes through a table of 256 bytes\n", i);
      }
    }
    return text;
  }
  std::string operator()(const graph::LoweredReshape&) const {
    return "The same elements in the same order.\n";
  }
  std::string operator()(const graph::LoweredTransposition& transposition) const {
    return fmt::format(
        "The input seen as [{0}][{1}][{2}][{3}], the output as [{0}][{2}][{1}][{3}].\n",
        transposition.outer, transposition.rows, transposition.columns, transposition.inner);
  }
  std::string operator()(const graph::LoweredResizeNearestNeighbor& resize) const {
    return fmt::format(
        "`output[y][x] = input[rows[y]][columns[x]]`, all channels\n\n- rows: {}\n- columns: {}\n",
        list_text(resize.rows), list_text(resize.columns));
  }
  std::string operator()(const graph::LoweredResizeBilinear& resize) const {
    return interpolation_formula(resize) +
           fmt::format(
               "- rows (1st, 2nd, their weights): {}\n"
               "- columns (1st, 2nd, their weights): {}\n",
               interpolation_text(resize.rows, resize.arithmetic),
               interpolation_text(resize.columns, resize.arithmetic));
  }
  std::string operator()(const graph::LoweredTable& table) const {
    return fmt::format("`output = table[x + 128]`\n\n- table, from x = -128 on: {}\n",
                       fmt::join(table.table, ", "));
  }
  std::string operator()(const graph::LoweredSoftmax&) const {
    return "Softmax in float32, computed by the host.\n";
  }
  std::string operator()(const graph::LoweredQuantize&) const {
    return "float32 to 8 bits, computed by the host.\n";
  }
  std::string operator()(const graph::LoweredDequantize&) const {
    return "8 bits to float32, computed by the host.\n";
  }
};

std::string tensor_text(const graph::LoweredTensor& tensor) {
  return fmt::format("{} {}", graph::data_type_name(tensor.type),
                     graph::shape_to_string(tensor.shape));
}

bool has_unsigned_tensor(const graph::LoweredGraph& graph, const graph::LoweredOperator& op) {
  std::vector<int32_t> tensors = graph::operation_inputs(op.operation);
  tensors.push_back(graph::operation_output(op.operation));
  return std::ranges::any_of(tensors, [&](int32_t tensor) {
    return graph.tensors[static_cast<size_t>(tensor)].type == graph::DataType::kUint8;
  });
}

}  // namespace

std::string operation_text(const graph::LoweredGraph& graph, const graph::LoweredOperator& op) {
  std::string inputs;
  for (const int32_t input : graph::operation_inputs(op.operation)) {
    inputs += fmt::format("{}{}", inputs.empty() ? "" : ", ",
                          tensor_text(graph.tensors[static_cast<size_t>(input)]));
  }
  const auto output = static_cast<size_t>(graph::operation_output(op.operation));
  std::string text =
      fmt::format("{}: {} -> {}\n\n", op.name, inputs, tensor_text(graph.tensors[output]));
  text += std::visit(OperationText{}, op.operation);
  if (has_unsigned_tensor(graph, op)) {
    text += "- a uint8 value q is written here as q - 128, and so are zero points and bounds\n";
  }
  return text;
}

}  // namespace lockstep::conformance
