#include "quantization/homogeneous_operators.h"

namespace lockstep::quantization {

using schema::BuiltinOperator;

bool is_homogeneous(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::ABS:
    case BuiltinOperator::ADD:
    case BuiltinOperator::ADD_N:
    case BuiltinOperator::AVERAGE_POOL_2D:
    case BuiltinOperator::BATCH_TO_SPACE_ND:
    case BuiltinOperator::CONCATENATION:
    case BuiltinOperator::EXPAND_DIMS:
    case BuiltinOperator::LEAKY_RELU:
    case BuiltinOperator::MAXIMUM:
    case BuiltinOperator::MAX_POOL_2D:
    case BuiltinOperator::MEAN:
    case BuiltinOperator::MINIMUM:
    case BuiltinOperator::MIRROR_PAD:
    case BuiltinOperator::NEG:
    case BuiltinOperator::PAD:
    case BuiltinOperator::REDUCE_MAX:
    case BuiltinOperator::REDUCE_MIN:
    case BuiltinOperator::RELU:
    case BuiltinOperator::RESHAPE:
    case BuiltinOperator::RESIZE_BILINEAR:
    case BuiltinOperator::RESIZE_NEAREST_NEIGHBOR:
    case BuiltinOperator::SLICE:
    case BuiltinOperator::SPACE_TO_BATCH_ND:
    case BuiltinOperator::SPLIT:
    case BuiltinOperator::SQUEEZE:
    case BuiltinOperator::STRIDED_SLICE:
    case BuiltinOperator::SUB:
    case BuiltinOperator::SUM:
      return true;
    default:
      return false;
  }
}

bool combines_operands(BuiltinOperator code) {
  return code == BuiltinOperator::ADD || code == BuiltinOperator::ADD_N ||
         code == BuiltinOperator::MAXIMUM || code == BuiltinOperator::MINIMUM ||
         code == BuiltinOperator::SUB;
}

}  // namespace lockstep::quantization
