#include "graph/builtin_operators.h"

#include <fmt/format.h>

#include <type_traits>

#include "graph/tflite_schema_generated.h"

namespace lockstep::graph {

std::string builtin_operator_name(int32_t builtin_code) {
  const char* name = schema::EnumNameBuiltinOperator(schema::BuiltinOperator{builtin_code});
  if (*name == '\0') return fmt::format("BUILTIN_{}", builtin_code);
  return name;
}

int32_t newest_understood_version(int32_t builtin_code) {
  switch (builtin_code) {
    case builtin::kAdd:
      return 5;
    case builtin::kAveragePool2d:
    case builtin::kMaxPool2d:
      return 3;
    case builtin::kConcatenation:
    case builtin::kResizeBilinear:
    case builtin::kResizeNearestNeighbor:
      return 4;
    case builtin::kConv2d:
      return 8;
    case builtin::kDepthwiseConv2d:
      return 7;
    case builtin::kDequantize:
      return 6;
    case builtin::kFullyConnected:
      return 13;
    case builtin::kMul:
      return 7;
    case builtin::kLogistic:
    case builtin::kRelu:
    case builtin::kRelu6:
    case builtin::kTanh:
    case builtin::kSoftmax:
    case builtin::kMean:
    case builtin::kQuantize:
      return 3;
    case builtin::kPad:
    case builtin::kPadV2:
      return 4;
    case builtin::kSqueeze:
    case builtin::kLeakyRelu:
    case builtin::kDepthToSpace:
    case builtin::kSpaceToDepth:
      return 2;
    case builtin::kReluN1To1:
    case builtin::kReshape:
    case builtin::kExpandDims:
    case builtin::kHardSwish:
      return 1;
    default:
      return 0;
  }
}

int32_t first_version_of(const OperatorAttributes& attributes) {
  const auto* resize = std::get_if<ResizeAttributes>(&attributes);
  return resize != nullptr && resize->half_pixel_centers ? 3 : 1;
}

namespace {

struct CodeOf {
  size_t input_count;

  int32_t operator()(const Conv2dAttributes&) const { return builtin::kConv2d; }
  int32_t operator()(const DepthwiseConv2dAttributes&) const { return builtin::kDepthwiseConv2d; }
  int32_t operator()(const FullyConnectedAttributes&) const { return builtin::kFullyConnected; }
  int32_t operator()(const BinaryAttributes& attributes) const {
    return attributes.kind == BinaryKind::kAdd ? builtin::kAdd : builtin::kMul;
  }
  int32_t operator()(const Pool2dAttributes& attributes) const {
    return attributes.kind == PoolKind::kAverage ? builtin::kAveragePool2d : builtin::kMaxPool2d;
  }
  int32_t operator()(const MeanAttributes&) const { return builtin::kMean; }
  int32_t operator()(const PadAttributes&) const {
    return input_count > 2 ? builtin::kPadV2 : builtin::kPad;
  }
  int32_t operator()(const ConcatenationAttributes&) const { return builtin::kConcatenation; }
  int32_t operator()(const ReshapeAttributes& attributes) const {
    switch (attributes.kind) {
      case ReshapeKind::kSqueeze:
        return builtin::kSqueeze;
      case ReshapeKind::kExpandDims:
        return builtin::kExpandDims;
      case ReshapeKind::kReshape:
        break;
    }
    return builtin::kReshape;
  }
  int32_t operator()(const ResizeAttributes& attributes) const {
    return attributes.kind == ResizeKind::kBilinear ? builtin::kResizeBilinear
                                                    : builtin::kResizeNearestNeighbor;
  }
  int32_t operator()(const PixelBlockAttributes& attributes) const {
    return attributes.kind == PixelBlockKind::kDepthToSpace ? builtin::kDepthToSpace
                                                            : builtin::kSpaceToDepth;
  }
  int32_t operator()(const SoftmaxAttributes&) const { return builtin::kSoftmax; }
  int32_t operator()(const UnaryAttributes& attributes) const {
    switch (attributes.kind) {
      case UnaryKind::kLogistic:
        return builtin::kLogistic;
      case UnaryKind::kTanh:
        return builtin::kTanh;
      case UnaryKind::kRelu:
        return builtin::kRelu;
      case UnaryKind::kReluN1To1:
        return builtin::kReluN1To1;
      case UnaryKind::kRelu6:
        return builtin::kRelu6;
      case UnaryKind::kHardSwish:
        return builtin::kHardSwish;
      case UnaryKind::kLeakyRelu:
        break;
    }
    return builtin::kLeakyRelu;
  }
  int32_t operator()(const QuantizeAttributes&) const { return builtin::kQuantize; }
  int32_t operator()(const DequantizeAttributes&) const { return builtin::kDequantize; }
  int32_t operator()(const OpaqueAttributes&) const { return -1; }
};

}  // namespace

int32_t builtin_code_of(const OperatorAttributes& attributes, size_t input_count) {
  return std::visit(CodeOf{input_count}, attributes);
}

}  // namespace lockstep::graph
