// QUANTIZE of float32 and DEQUANTIZE to it.
#include "backend/cpu/blockwise_operation.h"
#include "backend/cpu/operations.h"
#include "backend/cpu/quantize_kernels.h"

namespace lockstep::backend::cpu {
namespace {

constexpr double kNanosecondsPerElement = 0.4;

BlockCut cut_of(int64_t elements, const Target& target) {
  return BlockCut::of_elements(elements, kNanosecondsPerElement * static_cast<double>(elements),
                               target);
}

class Quantize final : public BlockwiseOperation {
 public:
  Quantize(const graph::LoweredQuantize& quantize, int64_t elements, const Target& target)
      : BlockwiseOperation("quantize", target, cut_of(elements, target)),
        quantize_(quantize),
        kernels_(quantize_kernels(target.isa)) {}

 private:
  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const Range range = block.columns;
    const float* input = elements<const float>(tensors, quantize_.input) + range.begin;
    uint8_t* output = elements<uint8_t>(tensors, quantize_.output) + range.begin;
    const auto count = static_cast<size_t>(range.size());
    const int32_t zero_point = quantize_.zero_point + 128;
    switch (quantize_.contract) {
      case numerics::Contract::kLitert:
        kernels_.quantize_by_inverse(input, count, 1.0f / quantize_.scale, zero_point, output);
        break;
      case numerics::Contract::kReference:
        kernels_.quantize_in_float(input, count, quantize_.scale, zero_point, output);
        break;
      case numerics::Contract::kTflite:
      case numerics::Contract::kSingle:
        kernels_.quantize_in_double(input, count, quantize_.scale, zero_point, output);
        break;
    }
  }

  graph::LoweredQuantize quantize_;
  const QuantizeKernels& kernels_;
};

class Dequantize final : public BlockwiseOperation {
 public:
  Dequantize(const graph::LoweredDequantize& dequantize, int64_t elements, const Target& target)
      : BlockwiseOperation("dequantize", target, cut_of(elements, target)),
        dequantize_(dequantize),
        kernels_(quantize_kernels(target.isa)) {}

 private:
  void run_block(const Block& block, TensorMemory tensors, std::byte* /*scratch*/) const override {
    const Range range = block.columns;
    kernels_.dequantize(elements<const uint8_t>(tensors, dequantize_.input) + range.begin,
                        static_cast<size_t>(range.size()), dequantize_.scale,
                        dequantize_.zero_point + 128,
                        elements<float>(tensors, dequantize_.output) + range.begin);
  }

  graph::LoweredDequantize dequantize_;
  const QuantizeKernels& kernels_;
};

}  // namespace

OperationPointer make_quantize(const graph::LoweredQuantize& quantize, int64_t elements,
                               const Target& target) {
  return std::make_unique<Quantize>(quantize, elements, target);
}

OperationPointer make_dequantize(const graph::LoweredDequantize& dequantize, int64_t elements,
                                 const Target& target) {
  return std::make_unique<Dequantize>(dequantize, elements, target);
}

}  // namespace lockstep::backend::cpu
