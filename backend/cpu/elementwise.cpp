// ADD and MUL of two tensors.
#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "backend/cpu/affine_sum.h"
#include "backend/cpu/blockwise_operation.h"
#include "backend/cpu/broadcasting.h"
#include "backend/cpu/elementwise_kernels.h"
#include "backend/cpu/operations.h"

namespace lockstep::backend::cpu {
namespace {

struct Operands {
  int32_t left = 0;
  int32_t right = 0;
  int32_t output = 0;
  Broadcasting broadcasting;

  explicit Operands(const auto& operation)
      : left(operation.left),
        right(operation.right),
        output(operation.output),
        broadcasting(operation.extents) {}
};

// Function: how rows are computed, by operator()(const PairedRows&).
template <typename Function>
class Elementwise final : public BlockwiseOperation {
 public:
  Elementwise(std::string_view name, const Operands& operands, Function function,
              double nanoseconds_per_element, const Target& target)
      : BlockwiseOperation(
            name, target,
            BlockCut::of_elements(
                operands.broadcasting.elements(),
                nanoseconds_per_element * static_cast<double>(operands.broadcasting.elements()),
                target)),
        operands_(operands),
        function_(std::move(function)) {}

  int64_t constant_bytes() const override { return function_.constant_bytes(); }

 private:
  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const auto* left = elements<const uint8_t>(tensors, operands_.left);
    const auto* right = elements<const uint8_t>(tensors, operands_.right);
    auto* output = elements<uint8_t>(tensors, operands_.output);
    const Broadcasting& broadcasting = operands_.broadcasting;
    broadcasting.for_each_rows(block.columns, [&](const OperandRows& at) {
      compute({.left = left + at.left,
               .right = right + at.right,
               .output = output + at.output,
               .rows = at.rows,
               .columns = at.columns,
               .left_stride = at.left_stride,
               .right_stride = at.right_stride,
               .right_repeats = broadcasting.right_repeats()});
    });
  }

  // Several rows at a time where they share a short row of the right operand: beside its copies.
  void compute(const PairedRows& rows) const {
    constexpr int64_t kShort = 512;
    const int64_t group = std::min(kShort / rows.columns, rows.rows);
    if (rows.right_stride != 0 || rows.right_repeats || rows.left_stride != rows.columns ||
        group < 2) {
      function_(rows);
      return;
    }
    std::array<uint8_t, kShort + kReadSlack> copies{};
    for (int64_t i = 0; i < group; ++i) {
      std::copy_n(rows.right, rows.columns, copies.data() + i * rows.columns);
    }
    PairedRows grouped = rows;
    grouped.right = copies.data();
    grouped.rows = rows.rows / group;
    grouped.columns = grouped.left_stride = group * rows.columns;
    function_(grouped);
    PairedRows rest = grouped;
    rest.left += grouped.rows * grouped.columns;
    rest.output += grouped.rows * grouped.columns;
    rest.rows = 1;
    rest.columns = rows.rows % group * rows.columns;
    function_(rest);
  }

  Operands operands_;
  Function function_;
};

struct Adder {
  const ElementwiseKernels& kernels;
  AffineSum sum;

  void operator()(const PairedRows& rows) const { kernels.add(sum, rows); }
  static int64_t constant_bytes() { return sizeof(AffineSum); }
};

struct Multiplier {
  const ElementwiseKernels& kernels;
  Product product;

  void operator()(const PairedRows& rows) const { kernels.multiply(product, rows); }
  int64_t constant_bytes() const { return product.requantization.constant_bytes(); }
};

struct Lookup {
  PairTable table;

  void operator()(const PairedRows& rows) const { look_up_pairs(table, rows); }
  int64_t constant_bytes() const { return static_cast<int64_t>(table.size()); }
};

template <typename Function>
OperationPointer make_elementwise(std::string_view name, const Operands& operands,
                                  Function function, double nanoseconds_per_element,
                                  const Target& target) {
  return std::make_unique<Elementwise<Function>>(name, operands, std::move(function),
                                                 nanoseconds_per_element, target);
}

OperationPointer make_lookup(std::string_view name, const Operands& operands, PairTable table,
                             const Target& target) {
  constexpr double kNanosecondsPerElement = 1.0;
  return make_elementwise(name, operands, Lookup{std::move(table)}, kNanosecondsPerElement, target);
}

void swap_operands(auto& operation) {
  graph::BroadcastExtents& extents = operation.extents;
  std::swap(operation.left, operation.right);
  std::swap(extents.left_strides, extents.right_strides);
  std::swap(operation.left_zero_point, operation.right_zero_point);
}

// Only the right operand is repeated below; sums and products do not mind.
graph::LoweredAdd with_repetition_on_the_right(graph::LoweredAdd add) {
  if (Broadcasting(add.extents).left_repeats_more()) {
    swap_operands(add);
    std::swap(add.left_scale, add.right_scale);
  }
  return add;
}
graph::LoweredMul with_repetition_on_the_right(graph::LoweredMul mul) {
  if (Broadcasting(mul.extents).left_repeats_more()) {
    swap_operands(mul);
  }
  return mul;
}

}  // namespace

OperationPointer make_operation(const graph::LoweredAdd& given, const Target& target) {
  constexpr double kNanosecondsPerElement = 0.15;
  const graph::LoweredAdd add = with_repetition_on_the_right(given);
  const Operands operands(add);
  const auto make_adder = [&](const AffineSum& sum) {
    return make_elementwise("add", operands, Adder{elementwise_kernels(target.isa), sum},
                            kNanosecondsPerElement, target);
  };
  if (add.arithmetic == graph::AddArithmetic::kSharedShift) {
    if (const std::optional<AffineSum> sum = affine_sum_of_shared_shift(add)) {
      return make_adder(*sum);
    }
    return make_lookup("add_lookup", operands, pair_table(add), target);
  }
  PairTable table = pair_table(add);
  if (const std::optional<AffineSum> sum = affine_sum_of_rescaled_operands(add, table)) {
    return make_adder(*sum);
  }
  return make_lookup("add_lookup", operands, std::move(table), target);
}

OperationPointer make_operation(const graph::LoweredMul& given, const Target& target) {
  constexpr double kNanosecondsPerElement = 0.5;
  constexpr std::array<int32_t, 1> kNoBias = {0};
  constexpr std::array<AccumulatorRange, 1> kProducts = {{{-255 * 255, 255 * 255}}};
  const graph::LoweredMul mul = with_repetition_on_the_right(given);
  const Operands operands(mul);
  Requantization requantization = make_requantization(mul.output_stage, kNoBias, kProducts);
  if (requantization.form == ScaleForm::kGeneral) {
    return make_lookup("mul_lookup", operands, pair_table(mul), target);
  }
  return make_elementwise("mul", operands,
                          Multiplier{elementwise_kernels(target.isa),
                                     {.left_zero_point = mul.left_zero_point + 128,
                                      .right_zero_point = mul.right_zero_point + 128,
                                      .requantization = std::move(requantization)}},
                          kNanosecondsPerElement, target);
}

}  // namespace lockstep::backend::cpu
