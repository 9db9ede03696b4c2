#include "quantization/testing/operator_networks.h"

#include <utility>

#include "quantization/testing/float_network_builder.h"

namespace lockstep::quantization::testing {
namespace {

using graph::Shape;
using schema::BuiltinOperator;

const Shape kImage{1, 4, 6, 5};

class Networks {
 public:
  std::vector<OperatorNetwork> make() {
    add_weighted();
    add_arithmetic();
    add_fixed();
    add_pools_and_resizes();
    add_moves();
    add_selections();
    add_questions();
    return std::move(networks_);
  }

 private:
  void finish(BuiltinOperator code, std::vector<int32_t> outputs, std::string remark = "") {
    OperatorNetwork network;
    network.name = schema::EnumNameBuiltinOperator(code);
    if (!remark.empty()) network.name += " " + remark;
    network.code = code;
    network.model = builder_.build(std::move(outputs));
    networks_.push_back(std::move(network));
    builder_ = FloatNetworkBuilder();
  }

  int32_t image() { return builder_.input("x", kImage); }
  int32_t image(std::string name) { return builder_.input(std::move(name), kImage); }

  int32_t floats(std::string name, Shape shape, float minimum = -1, float maximum = 1) {
    size_t count = 1;
    for (const int32_t extent : shape) count *= static_cast<size_t>(extent);
    return builder_.constant(std::move(name), std::move(shape),
                             scattered_values(count, minimum, maximum));
  }
  int32_t integers(std::vector<int32_t> values) {
    const auto count = static_cast<int32_t>(values.size());
    return builder_.integers("integers", {count}, values);
  }

  // An operator of one image, with an output of the same shape unless one is given.
  template <typename Options>
  void add(BuiltinOperator code, Options options, Shape output_shape = kImage) {
    const int32_t input = image();
    finish(code, {builder_.apply(code, std::move(options), {input}, std::move(output_shape))});
  }
  void add(BuiltinOperator code) {
    const int32_t input = image();
    finish(code, {builder_.apply(code, {input}, kImage)});
  }

  // An operator of one image and a list of integers.
  template <typename Options>
  void add_with(BuiltinOperator code, Options options, std::vector<int32_t> values,
                Shape output_shape, std::string remark = "") {
    const int32_t input = image();
    const int32_t list = integers(std::move(values));
    finish(code, {builder_.apply(code, std::move(options), {input, list}, std::move(output_shape))},
           std::move(remark));
  }

  template <typename Options>
  void add_binary(BuiltinOperator code, Options options) {
    const int32_t a = image("a");
    const int32_t b = image("b");
    finish(code, {builder_.apply(code, options, {a, b}, kImage)});
    const int32_t x = image();
    const int32_t constant = floats("constant", {1, 1, 1, 5}, 0.5f, 2);
    finish(code, {builder_.apply(code, options, {x, constant}, kImage)}, "with a constant");
  }

  void add_weighted() {
    {
      schema::Conv2DOptionsT options;
      options.padding = schema::Padding::SAME;
      options.stride_w = options.stride_h = 1;
      options.fused_activation_function = schema::ActivationFunctionType::RELU;
      const std::vector<int32_t> inputs{image(), floats("w", {7, 3, 3, 5}), floats("b", {7})};
      finish(BuiltinOperator::CONV_2D,
             {builder_.apply(BuiltinOperator::CONV_2D, options, inputs, {1, 4, 6, 7})});
    }
    {
      schema::DepthwiseConv2DOptionsT options;
      options.padding = schema::Padding::SAME;
      options.stride_w = options.stride_h = 1;
      options.depth_multiplier = 2;
      const std::vector<int32_t> inputs{image(), floats("w", {1, 3, 3, 10}), floats("b", {10})};
      finish(BuiltinOperator::DEPTHWISE_CONV_2D,
             {builder_.apply(BuiltinOperator::DEPTHWISE_CONV_2D, options, inputs, {1, 4, 6, 10})});
    }
    for (const bool has_bias : {true, false}) {
      schema::TransposeConvOptionsT options;
      options.padding = schema::Padding::SAME;
      options.stride_w = options.stride_h = 2;
      std::vector<int32_t> inputs{integers({1, 8, 12, 3}), floats("w", {3, 3, 3, 5}), image()};
      if (has_bias) inputs.push_back(floats("b", {3}));
      finish(BuiltinOperator::TRANSPOSE_CONV,
             {builder_.apply(BuiltinOperator::TRANSPOSE_CONV, options, inputs, {1, 8, 12, 3})},
             has_bias ? "" : "without bias");
    }
    for (const bool has_bias : {true, false}) {
      std::vector<int32_t> inputs{builder_.input("x", {3, 20}), floats("w", {6, 20})};
      if (has_bias) inputs.push_back(floats("b", {6}));
      finish(BuiltinOperator::FULLY_CONNECTED,
             {builder_.apply(BuiltinOperator::FULLY_CONNECTED, schema::FullyConnectedOptionsT{},
                             inputs, {3, 6})},
             has_bias ? "" : "without bias");
    }
  }

  void add_arithmetic() {
    add(BuiltinOperator::ABS, schema::AbsOptionsT{});
    add_binary(BuiltinOperator::ADD, schema::AddOptionsT{});
    for (const bool is_constant : {false, true}) {
      const int32_t a = builder_.input("a", {1, 4, 6});
      const int32_t b = is_constant ? floats("b", {1, 6, 3}) : builder_.input("b", {1, 6, 3});
      finish(BuiltinOperator::BATCH_MATMUL,
             {builder_.apply(BuiltinOperator::BATCH_MATMUL, schema::BatchMatMulOptionsT{}, {a, b},
                             {1, 4, 3})},
             is_constant ? "with a constant" : "");
    }
    add(BuiltinOperator::ELU);
    add(BuiltinOperator::GELU, schema::GeluOptionsT{});
    add(BuiltinOperator::HARD_SWISH, schema::HardSwishOptionsT{});
    {
      schema::LeakyReluOptionsT options;
      options.alpha = 0.2f;
      add(BuiltinOperator::LEAKY_RELU, options);
    }
    add_binary(BuiltinOperator::MUL, schema::MulOptionsT{});
    {
      const std::vector<int32_t> inputs{image(), floats("alpha", {1, 1, 5}, 0, 0.5f)};
      finish(BuiltinOperator::PRELU, {builder_.apply(BuiltinOperator::PRELU, inputs, kImage)});
    }
    add(BuiltinOperator::RELU);
    add(BuiltinOperator::RELU6);
    add(BuiltinOperator::RELU_N1_TO_1);
    add_binary(BuiltinOperator::SQUARED_DIFFERENCE, schema::SquaredDifferenceOptionsT{});
    add_binary(BuiltinOperator::SUB, schema::SubOptionsT{});
    schema::ReducerOptionsT keeps;
    keeps.keep_dims = true;
    add_with(BuiltinOperator::MEAN, keeps, {1, 2}, {1, 1, 1, 5});
    add_with(BuiltinOperator::MEAN, schema::ReducerOptionsT{}, {3}, {1, 4, 6}, "of channels");
    add_with(BuiltinOperator::SUM, keeps, {1, 2}, {1, 1, 1, 5});
  }

  void add_fixed() {
    add(BuiltinOperator::LOGISTIC);
    {
      schema::SoftmaxOptionsT options;
      options.beta = 1;
      add(BuiltinOperator::SOFTMAX, options);
    }
    add(BuiltinOperator::LOG_SOFTMAX, schema::LogSoftmaxOptionsT{});
    add(BuiltinOperator::TANH);
    add(BuiltinOperator::L2_NORMALIZATION, schema::L2NormOptionsT{});
  }

  void add_pools_and_resizes() {
    for (const BuiltinOperator code :
         {BuiltinOperator::AVERAGE_POOL_2D, BuiltinOperator::MAX_POOL_2D}) {
      schema::Pool2DOptionsT options;
      options.padding = schema::Padding::SAME;
      options.filter_width = options.filter_height = 3;
      options.stride_w = options.stride_h = 1;
      add(code, options);
    }
    for (const bool centers : {false, true}) {
      const std::string remark = centers ? "with pixel centers" : "";
      schema::ResizeBilinearOptionsT bilinear;
      bilinear.half_pixel_centers = centers;
      add_with(BuiltinOperator::RESIZE_BILINEAR, bilinear, {8, 9}, {1, 8, 9, 5}, remark);
      schema::ResizeNearestNeighborOptionsT nearest;
      nearest.half_pixel_centers = centers;
      add_with(BuiltinOperator::RESIZE_NEAREST_NEIGHBOR, nearest, {8, 9}, {1, 8, 9, 5}, remark);
    }
  }

  // Operators that put elements elsewhere.
  void add_moves() {
    {
      const std::vector<int32_t> inputs{builder_.input("x", {4, 2, 3, 5}), integers({2, 2}),
                                        builder_.integers("crops", {2, 2}, {0, 0, 0, 1})};
      finish(BuiltinOperator::BATCH_TO_SPACE_ND,
             {builder_.apply(BuiltinOperator::BATCH_TO_SPACE_ND, schema::BatchToSpaceNDOptionsT{},
                             inputs, {1, 4, 5, 5})});
    }
    {
      const std::vector<int32_t> inputs{image(), integers({2, 2}),
                                        builder_.integers("paddings", {2, 2}, {0, 2, 1, 1})};
      finish(BuiltinOperator::SPACE_TO_BATCH_ND,
             {builder_.apply(BuiltinOperator::SPACE_TO_BATCH_ND, schema::SpaceToBatchNDOptionsT{},
                             inputs, {4, 3, 4, 5})});
    }
    add_with(BuiltinOperator::BROADCAST_TO, schema::BroadcastToOptionsT{}, {2, 4, 6, 5},
             {2, 4, 6, 5});
    {
      const std::vector<int32_t> inputs{image("a"), image("b"), image("c")};
      schema::ConcatenationOptionsT options;
      options.axis = -1;
      finish(BuiltinOperator::CONCATENATION,
             {builder_.apply(BuiltinOperator::CONCATENATION, options, inputs, {1, 4, 6, 15})});
    }
    {
      const std::vector<int32_t> inputs{image("a"), floats("constant", {1, 4, 1, 5}, -2, 9)};
      schema::ConcatenationOptionsT options;
      options.axis = 2;
      finish(BuiltinOperator::CONCATENATION,
             {builder_.apply(BuiltinOperator::CONCATENATION, options, inputs, {1, 4, 7, 5})},
             "with a constant");
    }
    {
      schema::DepthToSpaceOptionsT options;
      options.block_size = 2;
      const int32_t input = builder_.input("x", {1, 2, 3, 8});
      finish(BuiltinOperator::DEPTH_TO_SPACE,
             {builder_.apply(BuiltinOperator::DEPTH_TO_SPACE, options, {input}, {1, 4, 6, 2})});
      schema::SpaceToDepthOptionsT to_depth;
      to_depth.block_size = 2;
      add(BuiltinOperator::SPACE_TO_DEPTH, to_depth, {1, 2, 3, 20});
    }
    add_with(BuiltinOperator::EXPAND_DIMS, schema::ExpandDimsOptionsT{}, {1}, {1, 1, 4, 6, 5});
    {
      schema::GatherOptionsT options;
      options.axis = 3;
      add_with(BuiltinOperator::GATHER, options, {4, 0, 4}, {1, 4, 6, 3});
      const std::vector<int32_t> inputs{image(),
                                        builder_.integers("indices", {2, 3}, {0, 3, 5, 0, 1, 2})};
      finish(
          BuiltinOperator::GATHER_ND,
          {builder_.apply(BuiltinOperator::GATHER_ND, schema::GatherNdOptionsT{}, inputs, {2, 5})});
    }
    {
      const std::vector<int32_t> inputs{
          image(), builder_.integers("paddings", {4, 2}, {0, 0, 1, 2, 2, 1, 0, 0})};
      finish(BuiltinOperator::MIRROR_PAD,
             {builder_.apply(BuiltinOperator::MIRROR_PAD, schema::MirrorPadOptionsT{}, inputs,
                             {1, 7, 9, 5})});
      const std::vector<int32_t> pad{
          image(), builder_.integers("paddings", {4, 2}, {0, 0, 1, 2, 2, 1, 0, 0})};
      finish(BuiltinOperator::PAD,
             {builder_.apply(BuiltinOperator::PAD, schema::PadOptionsT{}, pad, {1, 7, 9, 5})});
      const std::vector<int32_t> pad_with{
          image(), builder_.integers("paddings", {4, 2}, {0, 0, 1, 2, 2, 1, 0, 0}),
          floats("value", {1}, 6, 6)};
      finish(BuiltinOperator::PADV2,
             {builder_.apply(BuiltinOperator::PADV2, schema::PadV2OptionsT{}, pad_with,
                             {1, 7, 9, 5})});
    }
    {
      const std::vector<int32_t> inputs{image("a"), image("b")};
      schema::PackOptionsT options;
      options.values_count = 2;
      options.axis = 1;
      finish(BuiltinOperator::PACK,
             {builder_.apply(BuiltinOperator::PACK, options, inputs, {1, 2, 4, 6, 5})});
    }
    {
      schema::ReshapeOptionsT options;
      options.new_shape = {1, 24, 5};
      add_with(BuiltinOperator::RESHAPE, options, {1, 24, 5}, {1, 24, 5});
    }
    add_with(BuiltinOperator::REVERSE_V2, schema::ReverseV2OptionsT{}, {1}, kImage);
    {
      const std::vector<int32_t> inputs{image(), integers({0, 1, 2, 0}), integers({1, 2, 3, -1})};
      finish(
          BuiltinOperator::SLICE,
          {builder_.apply(BuiltinOperator::SLICE, schema::SliceOptionsT{}, inputs, {1, 2, 3, 5})});
    }
    {
      const int32_t axis = builder_.integers("axis", {}, {2});
      const int32_t input = image();
      schema::SplitOptionsT options;
      options.num_splits = 2;
      std::vector<int32_t> outputs;
      for (const char* name : {"left", "right"}) {
        outputs.push_back(builder_.activation(name, schema::TensorType::FLOAT32, {1, 4, 3, 5}));
      }
      builder_.add_operator(BuiltinOperator::SPLIT, options, {axis, input}, outputs);
      finish(BuiltinOperator::SPLIT, outputs);
    }
    {
      const int32_t input = image();
      const int32_t sizes = integers({2, 4});
      const int32_t axis = builder_.integers("axis", {}, {2});
      schema::SplitVOptionsT options;
      options.num_splits = 2;
      const int32_t left = builder_.activation("left", schema::TensorType::FLOAT32, {1, 4, 2, 5});
      const int32_t right = builder_.activation("right", schema::TensorType::FLOAT32, {1, 4, 4, 5});
      builder_.add_operator(BuiltinOperator::SPLIT_V, options, {input, sizes, axis}, {left, right});
      finish(BuiltinOperator::SPLIT_V, {left, right});
    }
    {
      schema::SqueezeOptionsT options;
      options.squeeze_dims = {0};
      add(BuiltinOperator::SQUEEZE, options, {4, 6, 5});
    }
    {
      const std::vector<int32_t> inputs{image(), integers({0, 0, 1, 0}), integers({1, 4, 6, 5}),
                                        integers({1, 2, 2, 1})};
      finish(BuiltinOperator::STRIDED_SLICE,
             {builder_.apply(BuiltinOperator::STRIDED_SLICE, schema::StridedSliceOptionsT{}, inputs,
                             {1, 2, 3, 5})});
    }
    add_with(BuiltinOperator::TILE, schema::TileOptionsT{}, {1, 2, 1, 3}, {1, 8, 6, 15});
    add_with(BuiltinOperator::TRANSPOSE, schema::TransposeOptionsT{}, {0, 3, 1, 2}, {1, 5, 4, 6});
    {
      const int32_t input = builder_.input("x", {2, 4, 6});
      schema::UnpackOptionsT options;
      options.num = 2;
      std::vector<int32_t> outputs;
      for (const char* name : {"first", "second"}) {
        outputs.push_back(builder_.activation(name, schema::TensorType::FLOAT32, {4, 6}));
      }
      builder_.add_operator(BuiltinOperator::UNPACK, options, {input}, outputs);
      finish(BuiltinOperator::UNPACK, outputs);
    }
  }

  // Operators that choose among elements.
  void add_selections() {
    add_binary(BuiltinOperator::MAXIMUM, schema::MaximumMinimumOptionsT{});
    add_binary(BuiltinOperator::MINIMUM, schema::MaximumMinimumOptionsT{});
    add_with(BuiltinOperator::REDUCE_MAX, schema::ReducerOptionsT{}, {1, 2}, {1, 5});
    add_with(BuiltinOperator::REDUCE_MIN, schema::ReducerOptionsT{}, {1, 2}, {1, 5});
    {
      const int32_t condition = builder_.truths("condition", {1, 2, 3, 1}, {1, 0, 0, 1, 1, 0});
      const int32_t a = builder_.input("a", {1, 2, 3, 1});
      const int32_t b = builder_.input("b", {1, 2, 3, 1});
      finish(BuiltinOperator::SELECT,
             {builder_.apply(BuiltinOperator::SELECT, schema::SelectOptionsT{}, {condition, a, b},
                             {1, 2, 3, 1})});
    }
    {
      const int32_t condition = builder_.truths("condition", {1, 2, 3, 1}, {1, 0, 0, 1, 1, 0});
      const int32_t a = builder_.input("a", {1, 2, 3, 4});
      const int32_t b = builder_.input("b", {1, 2, 3, 4});
      finish(BuiltinOperator::SELECT_V2,
             {builder_.apply(BuiltinOperator::SELECT_V2, schema::SelectV2OptionsT{},
                             {condition, a, b}, {1, 2, 3, 4})});
    }
    {
      const int32_t input = builder_.input("x", {3, 20});
      const int32_t count = builder_.integers("count", {}, {4});
      const int32_t values = builder_.activation("values", schema::TensorType::FLOAT32, {3, 4});
      const int32_t indices = builder_.activation("indices", schema::TensorType::INT32, {3, 4});
      builder_.add_operator(BuiltinOperator::TOPK_V2, schema::TopKV2OptionsT{}, {input, count},
                            {values, indices});
      finish(BuiltinOperator::TOPK_V2, {values});
    }
  }

  template <typename Options>
  void add_comparison(BuiltinOperator code, Options options) {
    const int32_t a = image("a");
    const int32_t b = image("b");
    const int32_t answer = builder_.activation("answer", schema::TensorType::BOOL, kImage);
    builder_.add_operator(code, options, {a, b}, {answer});
    finish(code, {answer});
  }

  template <typename Options>
  void add_position(BuiltinOperator code) {
    Options options;
    options.output_type = schema::TensorType::INT32;
    const int32_t input = image();
    const int32_t axis = builder_.integers("axis", {}, {3});
    const int32_t answer = builder_.activation("answer", schema::TensorType::INT32, {1, 4, 6});
    builder_.add_operator(code, options, {input, axis}, {answer});
    finish(code, {answer});
  }

  void add_questions() {
    add_position<schema::ArgMaxOptionsT>(BuiltinOperator::ARG_MAX);
    add_position<schema::ArgMinOptionsT>(BuiltinOperator::ARG_MIN);
    add_comparison(BuiltinOperator::EQUAL, schema::EqualOptionsT{});
    add_comparison(BuiltinOperator::GREATER, schema::GreaterOptionsT{});
    add_comparison(BuiltinOperator::GREATER_EQUAL, schema::GreaterEqualOptionsT{});
    add_comparison(BuiltinOperator::LESS, schema::LessOptionsT{});
    add_comparison(BuiltinOperator::LESS_EQUAL, schema::LessEqualOptionsT{});
    add_comparison(BuiltinOperator::NOT_EQUAL, schema::NotEqualOptionsT{});
  }

  FloatNetworkBuilder builder_;
  std::vector<OperatorNetwork> networks_;
};

}  // namespace

std::vector<OperatorNetwork> operator_networks() { return Networks().make(); }

}  // namespace lockstep::quantization::testing
