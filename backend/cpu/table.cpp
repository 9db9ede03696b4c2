// Element-wise functions of one tensor.
#include "backend/cpu/blockwise_operation.h"
#include "backend/cpu/byte_table.h"
#include "backend/cpu/operations.h"
#include "backend/cpu/table_kernels.h"

namespace lockstep::backend::cpu {
namespace {

class Table final : public BlockwiseOperation {
 public:
  Table(const graph::LoweredTable& table, int64_t elements, const Target& target)
      : BlockwiseOperation(
            "table", target,
            BlockCut::of_elements(elements, kNanosecondsPerElement * static_cast<double>(elements),
                                  target)),
        input_(table.input),
        output_(table.output),
        table_(byte_table(table.table)),
        kernels_(table_kernels(target.isa)) {}

  int64_t constant_bytes() const override { return sizeof(table_); }

 private:
  static constexpr double kNanosecondsPerElement = 0.2;

  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const Range range = block.columns;
    kernels_.look_up(table_, elements<const uint8_t>(tensors, input_) + range.begin,
                     static_cast<size_t>(range.size()),
                     elements<uint8_t>(tensors, output_) + range.begin);
  }

  int32_t input_;
  int32_t output_;
  ByteToByte table_;
  const TableKernels& kernels_;
};

}  // namespace

OperationPointer make_table(const graph::LoweredTable& table, int64_t elements,
                            const Target& target) {
  return std::make_unique<Table>(table, elements, target);
}

}  // namespace lockstep::backend::cpu
