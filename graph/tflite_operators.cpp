#include "graph/tflite_operators.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "graph/builtin_operators.h"

namespace lockstep::graph {
namespace {

using schema::ActivationFunctionType;
using schema::FullyConnectedOptionsWeightsFormat;

// ---- Enumerations, both directions in one list ----

constexpr std::pair<schema::Padding, Padding> kPaddings[] = {
    {schema::Padding::SAME, Padding::kSame},
    {schema::Padding::VALID, Padding::kValid},
};

constexpr std::pair<ActivationFunctionType, Activation> kActivations[] = {
    {ActivationFunctionType::NONE, Activation::kNone},
    {ActivationFunctionType::RELU, Activation::kRelu},
    {ActivationFunctionType::RELU_N1_TO_1, Activation::kReluN1To1},
    {ActivationFunctionType::RELU6, Activation::kRelu6},
    {ActivationFunctionType::TANH, Activation::kTanh},
    {ActivationFunctionType::SIGN_BIT, Activation::kSignBit},
};

// Reading puts the first reason it meets into `reason`, which makes the operator opaque.
template <typename InFile, typename Ours, size_t kCount>
Ours read_enumerator(const std::pair<InFile, Ours> (&table)[kCount], InFile value,
                     std::string_view what, std::string& reason) {
  for (const auto& [in_file, ours] : table) {
    if (in_file == value) return ours;
  }
  if (reason.empty()) reason = fmt::format("{} {} is not known", what, static_cast<int>(value));
  return table[0].second;
}

template <typename InFile, typename Ours, size_t kCount>
InFile write_enumerator(const std::pair<InFile, Ours> (&table)[kCount], Ours value) {
  for (const auto& [in_file, ours] : table) {
    if (ours == value) return in_file;
  }
  return table[0].first;
}

// ---- Reading ----

// Options of the wanted kind, or nullptr.
template <typename Options>
const Options* options_of(const schema::Operator& source) {
  return source.builtin_options_type() == schema::BuiltinOptionsTraits<Options>::enum_value
             ? static_cast<const Options*>(source.builtin_options())
             : nullptr;
}

class AttributesReader {
 public:
  AttributesReader(const schema::Operator& source, const Operator& op,
                   std::span<const Tensor> tensors)
      : source_(source), op_(op), tensors_(tensors) {}

  // The attributes, opaque with a reason where they cannot be read.
  OperatorAttributes read() {
    const int32_t newest = newest_understood_version(op_.builtin_code);
    if (newest == 0) return OpaqueAttributes{fmt::format("{} is not supported", op_.name)};
    if (op_.version < 1 || op_.version > newest) {
      return OpaqueAttributes{fmt::format("version {} of {} is not known", op_.version, op_.name)};
    }
    OperatorAttributes attributes = interpret();
    if (!reason_.empty()) return OpaqueAttributes{reason_};
    return attributes;
  }

 private:
  OperatorAttributes interpret() {
    switch (op_.builtin_code) {
      case builtin::kConv2d:
        return conv_2d();
      case builtin::kDepthwiseConv2d:
        return depthwise_conv_2d();
      case builtin::kFullyConnected:
        return fully_connected();
      case builtin::kAdd:
        return binary<schema::AddOptions>(BinaryKind::kAdd);
      case builtin::kMul:
        return binary<schema::MulOptions>(BinaryKind::kMul);
      case builtin::kAveragePool2d:
        return pool_2d(PoolKind::kAverage);
      case builtin::kMaxPool2d:
        return pool_2d(PoolKind::kMax);
      case builtin::kMean:
        return mean();
      case builtin::kPad:
      case builtin::kPadV2:
        return PadAttributes{};
      case builtin::kConcatenation:
        return concatenation();
      case builtin::kReshape:
        return reshape();
      case builtin::kSqueeze:
        return squeeze();
      case builtin::kExpandDims:
        return ReshapeAttributes{
            .kind = ReshapeKind::kExpandDims, .new_shape = {}, .squeezed_axes = {}};
      case builtin::kResizeBilinear:
        return resize<schema::ResizeBilinearOptions>(ResizeKind::kBilinear);
      case builtin::kResizeNearestNeighbor:
        return resize<schema::ResizeNearestNeighborOptions>(ResizeKind::kNearestNeighbor);
      case builtin::kDepthToSpace:
        return pixel_blocks<schema::DepthToSpaceOptions>(PixelBlockKind::kDepthToSpace);
      case builtin::kSpaceToDepth:
        return pixel_blocks<schema::SpaceToDepthOptions>(PixelBlockKind::kSpaceToDepth);
      case builtin::kSoftmax:
        return softmax();
      case builtin::kLogistic:
        return UnaryAttributes{UnaryKind::kLogistic};
      case builtin::kTanh:
        return UnaryAttributes{UnaryKind::kTanh};
      case builtin::kRelu:
        return UnaryAttributes{UnaryKind::kRelu};
      case builtin::kReluN1To1:
        return UnaryAttributes{UnaryKind::kReluN1To1};
      case builtin::kRelu6:
        return UnaryAttributes{UnaryKind::kRelu6};
      case builtin::kHardSwish:
        return UnaryAttributes{UnaryKind::kHardSwish};
      case builtin::kLeakyRelu:
        return leaky_relu();
      case builtin::kQuantize:
        return QuantizeAttributes{};
      case builtin::kDequantize:
        return DequantizeAttributes{};
      default:
        break;
    }
    reason_ = fmt::format("{} is not supported", op_.name);
    return OpaqueAttributes{};
  }

  // Options without which the operator has no meaning.
  template <typename Options>
  const Options* required() {
    const Options* options = options_of<Options>(source_);
    if (options == nullptr) reason_ = fmt::format("{} comes without its options", op_.name);
    return options;
  }

  // Options whose defaults are a meaning. Another operator's options are still a reason to stop.
  template <typename Options>
  const Options* optional() {
    const Options* options = options_of<Options>(source_);
    if (options == nullptr && source_.builtin_options_type() != schema::BuiltinOptions::NONE) {
      reason_ = fmt::format("{} comes with the options of another operator", op_.name);
    }
    return options;
  }

  template <typename Options>
  Activation activation(const Options* options) {
    if (options == nullptr) return Activation::kNone;
    return read_enumerator(kActivations, options->fused_activation_function(), "fused activation",
                           reason_);
  }

  template <typename Options>
  Padding padding(const Options& options) {
    return read_enumerator(kPaddings, options.padding(), "padding", reason_);
  }

  template <typename Attributes, typename Options>
  Attributes convolution(const Options& options) {
    Attributes attributes;
    attributes.padding = padding(options);
    attributes.stride_height = options.stride_h();
    attributes.stride_width = options.stride_w();
    attributes.dilation_height = options.dilation_h_factor();
    attributes.dilation_width = options.dilation_w_factor();
    attributes.activation = activation(&options);
    return attributes;
  }

  OperatorAttributes conv_2d() {
    const auto* options = required<schema::Conv2DOptions>();
    if (options == nullptr) return OpaqueAttributes{};
    return convolution<Conv2dAttributes>(*options);
  }

  OperatorAttributes depthwise_conv_2d() {
    const auto* options = required<schema::DepthwiseConv2DOptions>();
    if (options == nullptr) return OpaqueAttributes{};
    auto attributes = convolution<DepthwiseConv2dAttributes>(*options);
    attributes.depth_multiplier = depth_multiplier(options->depth_multiplier());
    return attributes;
  }

  // Engines take the depth multiplier from the shapes and ignore the option, which some converters
  // leave at 0. Where the shapes do not divide, validation will say so.
  int32_t depth_multiplier(int32_t option) const {
    const Tensor* input = tensor(0);
    const Tensor* weights = tensor(1);
    if (input == nullptr || weights == nullptr || input->shape.size() != 4 ||
        weights->shape.size() != 4 || input->shape[3] < 1) {
      return option;
    }
    return weights->shape[3] / input->shape[3];
  }

  const Tensor* tensor(size_t input) const {
    if (input >= op_.inputs.size() || op_.inputs[input] < 0 ||
        static_cast<size_t>(op_.inputs[input]) >= tensors_.size()) {
      return nullptr;
    }
    return &tensors_[static_cast<size_t>(op_.inputs[input])];
  }

  OperatorAttributes fully_connected() {
    FullyConnectedAttributes attributes;
    const auto* options = optional<schema::FullyConnectedOptions>();
    attributes.activation = activation(options);
    if (options != nullptr) {
      attributes.keep_num_dims = options->keep_num_dims();
      attributes.default_weights_format =
          options->weights_format() == FullyConnectedOptionsWeightsFormat::DEFAULT;
    }
    return attributes;
  }

  template <typename Options>
  OperatorAttributes binary(BinaryKind kind) {
    return BinaryAttributes{kind, activation(optional<Options>())};
  }

  OperatorAttributes pool_2d(PoolKind kind) {
    const auto* options = required<schema::Pool2DOptions>();
    if (options == nullptr) return OpaqueAttributes{};
    Pool2dAttributes attributes;
    attributes.kind = kind;
    attributes.padding = padding(*options);
    attributes.stride_height = options->stride_h();
    attributes.stride_width = options->stride_w();
    attributes.filter_height = options->filter_height();
    attributes.filter_width = options->filter_width();
    attributes.activation = activation(options);
    return attributes;
  }

  OperatorAttributes mean() {
    const auto* options = optional<schema::ReducerOptions>();
    return MeanAttributes{options != nullptr && options->keep_dims()};
  }

  OperatorAttributes concatenation() {
    const auto* options = optional<schema::ConcatenationOptions>();
    return ConcatenationAttributes{options == nullptr ? 0 : options->axis(), activation(options)};
  }

  OperatorAttributes reshape() {
    ReshapeAttributes attributes;
    const auto* options = optional<schema::ReshapeOptions>();
    if (options != nullptr) attributes.new_shape = copy_vector(options->new_shape());
    return attributes;
  }

  OperatorAttributes squeeze() {
    ReshapeAttributes attributes;
    attributes.kind = ReshapeKind::kSqueeze;
    const auto* options = optional<schema::SqueezeOptions>();
    if (options != nullptr) attributes.squeezed_axes = copy_vector(options->squeeze_dims());
    return attributes;
  }

  template <typename Options>
  OperatorAttributes resize(ResizeKind kind) {
    ResizeAttributes attributes;
    attributes.kind = kind;
    if (const auto* options = optional<Options>(); options != nullptr) {
      attributes.align_corners = options->align_corners();
      attributes.half_pixel_centers = options->half_pixel_centers();
    }
    return attributes;
  }

  template <typename Options>
  OperatorAttributes pixel_blocks(PixelBlockKind kind) {
    const auto* options = required<Options>();
    if (options == nullptr) return OpaqueAttributes{};
    return PixelBlockAttributes{kind, options->block_size()};
  }

  OperatorAttributes softmax() {
    const auto* options = required<schema::SoftmaxOptions>();
    if (options == nullptr) return OpaqueAttributes{};
    return SoftmaxAttributes{options->beta()};
  }

  OperatorAttributes leaky_relu() {
    const auto* options = required<schema::LeakyReluOptions>();
    if (options == nullptr) return OpaqueAttributes{};
    return UnaryAttributes{UnaryKind::kLeakyRelu, options->alpha()};
  }

  const schema::Operator& source_;
  const Operator& op_;
  std::span<const Tensor> tensors_;
  std::string reason_;
};

// ---- Writing ----

class OptionsWriter {
 public:
  OptionsWriter(flatbuffers::FlatBufferBuilder& builder, const Operator& op)
      : builder_(builder), op_(op) {}

  WrittenOptions operator()(const Conv2dAttributes& attributes) const {
    return written(schema::CreateConv2DOptions(
        builder_, write_enumerator(kPaddings, attributes.padding), attributes.stride_width,
        attributes.stride_height, write_enumerator(kActivations, attributes.activation),
        attributes.dilation_width, attributes.dilation_height));
  }
  WrittenOptions operator()(const DepthwiseConv2dAttributes& attributes) const {
    return written(schema::CreateDepthwiseConv2DOptions(
        builder_, write_enumerator(kPaddings, attributes.padding), attributes.stride_width,
        attributes.stride_height, attributes.depth_multiplier,
        write_enumerator(kActivations, attributes.activation), attributes.dilation_width,
        attributes.dilation_height));
  }
  WrittenOptions operator()(const FullyConnectedAttributes& attributes) const {
    return written(schema::CreateFullyConnectedOptions(
        builder_, write_enumerator(kActivations, attributes.activation),
        attributes.default_weights_format ? FullyConnectedOptionsWeightsFormat::DEFAULT
                                          : FullyConnectedOptionsWeightsFormat::SHUFFLED4x16INT8,
        attributes.keep_num_dims));
  }
  WrittenOptions operator()(const BinaryAttributes& attributes) const {
    const ActivationFunctionType activation = write_enumerator(kActivations, attributes.activation);
    return attributes.kind == BinaryKind::kAdd
               ? written(schema::CreateAddOptions(builder_, activation))
               : written(schema::CreateMulOptions(builder_, activation));
  }
  WrittenOptions operator()(const Pool2dAttributes& attributes) const {
    return written(schema::CreatePool2DOptions(
        builder_, write_enumerator(kPaddings, attributes.padding), attributes.stride_width,
        attributes.stride_height, attributes.filter_width, attributes.filter_height,
        write_enumerator(kActivations, attributes.activation)));
  }
  WrittenOptions operator()(const MeanAttributes& attributes) const {
    return written(schema::CreateReducerOptions(builder_, attributes.keep_dims));
  }
  WrittenOptions operator()(const PadAttributes&) const {
    return op_.inputs.size() > 2 ? written(schema::CreatePadV2Options(builder_))
                                 : written(schema::CreatePadOptions(builder_));
  }
  WrittenOptions operator()(const ConcatenationAttributes& attributes) const {
    return written(schema::CreateConcatenationOptions(
        builder_, attributes.axis, write_enumerator(kActivations, attributes.activation)));
  }
  WrittenOptions operator()(const ReshapeAttributes& attributes) const {
    switch (attributes.kind) {
      case ReshapeKind::kSqueeze:
        return written(schema::CreateSqueezeOptionsDirect(builder_, &attributes.squeezed_axes));
      case ReshapeKind::kExpandDims:
        return written(schema::CreateExpandDimsOptions(builder_));
      case ReshapeKind::kReshape:
        break;
    }
    return written(schema::CreateReshapeOptionsDirect(builder_, &attributes.new_shape));
  }
  WrittenOptions operator()(const ResizeAttributes& attributes) const {
    constexpr int32_t kSizeIsAnOperand = 0;
    return attributes.kind == ResizeKind::kBilinear
               ? written(schema::CreateResizeBilinearOptions(
                     builder_, kSizeIsAnOperand, kSizeIsAnOperand, attributes.align_corners,
                     attributes.half_pixel_centers))
               : written(schema::CreateResizeNearestNeighborOptions(
                     builder_, attributes.align_corners, attributes.half_pixel_centers));
  }
  WrittenOptions operator()(const PixelBlockAttributes& attributes) const {
    return attributes.kind == PixelBlockKind::kDepthToSpace
               ? written(schema::CreateDepthToSpaceOptions(builder_, attributes.block_size))
               : written(schema::CreateSpaceToDepthOptions(builder_, attributes.block_size));
  }
  WrittenOptions operator()(const SoftmaxAttributes& attributes) const {
    return written(schema::CreateSoftmaxOptions(builder_, attributes.beta));
  }
  WrittenOptions operator()(const UnaryAttributes& attributes) const {
    switch (attributes.kind) {
      case UnaryKind::kHardSwish:
        return written(schema::CreateHardSwishOptions(builder_));
      case UnaryKind::kLeakyRelu:
        return written(schema::CreateLeakyReluOptions(builder_, attributes.alpha));
      default:
        return {};
    }
  }
  WrittenOptions operator()(const QuantizeAttributes&) const {
    return written(schema::CreateQuantizeOptions(builder_));
  }
  WrittenOptions operator()(const DequantizeAttributes&) const {
    return written(schema::CreateDequantizeOptions(builder_));
  }
  WrittenOptions operator()(const OpaqueAttributes&) const { return {}; }

 private:
  template <typename Options>
  static WrittenOptions written(flatbuffers::Offset<Options> offset) {
    return {schema::BuiltinOptionsTraits<Options>::enum_value, offset.Union()};
  }

  flatbuffers::FlatBufferBuilder& builder_;
  const Operator& op_;
};

}  // namespace

Result<Operator> read_operator(const schema::Model& model, size_t index,
                               std::span<const Tensor> tensors, std::string_view file_name) {
  const schema::Operator& source =
      *model.subgraphs()->Get(0)->operators()->Get(static_cast<flatbuffers::uoffset_t>(index));
  if (source.opcode_index() >= size_or_zero(model.operator_codes())) {
    return make_error(ErrorCode::kInvalidModel, "{}: operator {}: its code is entry {} of {}",
                      file_name, index, source.opcode_index(),
                      size_or_zero(model.operator_codes()));
  }
  const schema::OperatorCode& code = *model.operator_codes()->Get(source.opcode_index());
  Operator op;
  op.builtin_code = std::max(static_cast<int32_t>(code.deprecated_builtin_code()),
                             static_cast<int32_t>(code.builtin_code()));
  op.version = code.version();
  op.inputs = copy_vector(source.inputs());
  op.outputs = copy_vector(source.outputs());
  if (op.builtin_code == builtin::kCustom) {
    op.name = text_or_empty(code.custom_code());
    op.attributes = OpaqueAttributes{fmt::format("custom operator '{}'", printable(op.name))};
    return op;
  }
  op.name = builtin_operator_name(op.builtin_code);
  op.attributes = AttributesReader(source, op, tensors).read();
  return op;
}

WrittenOptions write_options(flatbuffers::FlatBufferBuilder& builder, const Operator& op) {
  return std::visit(OptionsWriter(builder, op), op.attributes);
}

}  // namespace lockstep::graph
