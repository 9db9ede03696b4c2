#include "delegate_api/tflite/host_graph.h"

#include <gmock/gmock.h>

#include "delegate_api/tflite/testing/fake_host.h"
#include "graph/builtin_operators.h"

namespace lockstep::delegate {
namespace {

namespace builtin = graph::builtin;
using ::testing::ElementsAre;
using testing::FakeHost;
using ::testing::HasSubstr;

std::vector<std::byte> zeros(size_t count) { return std::vector<std::byte>(count); }

// x -> ADD -> y, both int8 [1, 2, 2, 4].
struct AddHost {
  abi::BinaryParams params{abi::Activation::kRelu6};
  FakeHost host;
  int32_t x = host.add_tensor("x", abi::Type::kInt8, {1, 2, 2, 4}, {0.5f}, {3});
  int32_t y = host.add_tensor("y", abi::Type::kInt8, {1, 2, 2, 4}, {0.25f}, {-1});
  int32_t node = host.add_node(builtin::kAdd, {x, x}, {y}, &params);

  graph::Graph read() {
    const auto graph = read_host_graph(host.context());
    EXPECT_TRUE(graph) << graph.error().message;
    return graph ? graph->graph : graph::Graph{};
  }
  std::string opaque_reason() {
    const graph::Graph graph = read();
    const auto* opaque = std::get_if<graph::OpaqueAttributes>(&graph.operators.at(0).attributes);
    return opaque != nullptr ? opaque->reason : "";
  }
};

TEST(HostGraph, TensorsAndOperatorsAreReadAsFromAFile) {
  AddHost add;
  const graph::Graph graph = add.read();
  ASSERT_EQ(graph.tensors.size(), 2u);
  EXPECT_EQ(graph.tensors[0].name, "x");
  EXPECT_EQ(graph.tensors[0].type, graph::DataType::kInt8);
  EXPECT_THAT(graph.tensors[0].shape, ElementsAre(1, 2, 2, 4));
  EXPECT_THAT(graph.tensors[0].quantization.scales, ElementsAre(0.5f));
  EXPECT_THAT(graph.tensors[0].quantization.zero_points, ElementsAre(3));
  EXPECT_FALSE(graph.tensors[0].is_constant());
  EXPECT_THAT(graph.inputs, ElementsAre(add.x));
  EXPECT_THAT(graph.outputs, ElementsAre(add.y));
  const graph::Operator& op = graph.operators.at(0);
  EXPECT_EQ(op.name, "ADD");
  const auto& attributes = std::get<graph::BinaryAttributes>(op.attributes);
  EXPECT_EQ(attributes.kind, graph::BinaryKind::kAdd);
  EXPECT_EQ(attributes.activation, graph::Activation::kRelu6);
}

TEST(HostGraph, ConvolutionParametersKeepWidthAndHeightApart) {
  FakeHost host;
  abi::ConvParams params{abi::Padding::kValid, 2, 3, abi::Activation::kRelu, 1, 2};
  const int32_t x = host.add_tensor("x", abi::Type::kInt8, {1, 9, 7, 1}, {0.5f});
  const int32_t w = host.add_tensor("w", abi::Type::kInt8, {2, 3, 3, 1}, {0.5f, 0.25f}, {0, 0});
  const int32_t b = host.add_tensor("b", abi::Type::kInt32, {2});
  const int32_t y = host.add_tensor("y", abi::Type::kInt8, {1, 2, 3, 2}, {1.0f});
  host.set_constant(w, zeros(18));
  host.set_constant(b, zeros(8));
  host.add_node(builtin::kConv2d, {x, w, b}, {y}, &params);
  const auto read = read_host_graph(host.context());
  ASSERT_TRUE(read) << read.error().message;
  const graph::Operator& op = read->graph.operators.at(0);
  ASSERT_TRUE(std::holds_alternative<graph::Conv2dAttributes>(op.attributes))
      << std::get<graph::OpaqueAttributes>(op.attributes).reason;
  const auto& attributes = std::get<graph::Conv2dAttributes>(op.attributes);
  EXPECT_EQ(attributes.padding, graph::Padding::kValid);
  EXPECT_EQ(attributes.stride_width, 2);
  EXPECT_EQ(attributes.stride_height, 3);
  EXPECT_EQ(attributes.dilation_width, 1);
  EXPECT_EQ(attributes.dilation_height, 2);
  EXPECT_TRUE(read->graph.tensors[static_cast<size_t>(w)].is_constant());
  EXPECT_THAT(read->graph.inputs, ElementsAre(x));
}

TEST(HostGraph, TheDepthMultiplierComesFromTheShapes) {
  FakeHost host;
  abi::DepthwiseConvParams params{abi::Padding::kSame, 1, 1, 0, abi::Activation::kNone, 1, 1};
  const int32_t x = host.add_tensor("x", abi::Type::kInt8, {1, 4, 4, 2}, {0.5f});
  const int32_t w = host.add_tensor("w", abi::Type::kInt8, {1, 3, 3, 6}, {0.5f});
  const int32_t y = host.add_tensor("y", abi::Type::kInt8, {1, 4, 4, 6}, {1.0f});
  host.set_constant(w, zeros(54));
  host.add_node(builtin::kDepthwiseConv2d, {x, w}, {y}, &params);
  const auto read = read_host_graph(host.context());
  ASSERT_TRUE(read) << read.error().message;
  const auto& attributes =
      std::get<graph::DepthwiseConv2dAttributes>(read->graph.operators.at(0).attributes);
  EXPECT_EQ(attributes.depth_multiplier, 3);
}

// x resized to y, an operator of that version whose parameters are set in full.
graph::OperatorAttributes resized(int32_t builtin_code, int32_t version) {
  FakeHost host;
  abi::ResizeParams params{.align_corners = false, .half_pixel_centers = true};
  const int32_t x = host.add_tensor("x", abi::Type::kInt8, {1, 2, 2, 3}, {0.5f});
  const int32_t size = host.add_tensor("size", abi::Type::kInt32, {2});
  const int32_t y = host.add_tensor("y", abi::Type::kInt8, {1, 4, 4, 3}, {0.5f});
  const std::array<int32_t, 2> extents = {4, 4};
  const auto bytes = std::as_bytes(std::span(extents));
  host.set_constant(size, {bytes.begin(), bytes.end()});
  const int32_t node = host.add_node(builtin_code, {x, size}, {y}, &params);
  host.registration(node).version = version;
  const auto read = read_host_graph(host.context());
  EXPECT_TRUE(read) << read.error().message;
  return read ? read->graph.operators.at(0).attributes : graph::OperatorAttributes{};
}

TEST(HostGraph, HalfPixelCentersAreReadWhereTheHostHasThem) {
  const graph::ResizeAttributes nearest{.kind = graph::ResizeKind::kNearestNeighbor};
  graph::ResizeAttributes nearest_half = nearest;
  nearest_half.half_pixel_centers = true;
  EXPECT_TRUE(resized(builtin::kResizeNearestNeighbor, 2) == graph::OperatorAttributes(nearest));
  EXPECT_TRUE(resized(builtin::kResizeNearestNeighbor, 3) ==
              graph::OperatorAttributes(nearest_half));
  const graph::ResizeAttributes bilinear{.half_pixel_centers = true};
  EXPECT_TRUE(resized(builtin::kResizeBilinear, 2) == graph::OperatorAttributes(bilinear));
}

TEST(HostGraph, OneZeroPointMayStandForAllChannels) {
  AddHost add;
  const int32_t w = add.host.add_tensor("w", abi::Type::kInt8, {3, 2}, {1.0f, 2.0f, 3.0f}, {0});
  const graph::Graph graph = add.read();
  EXPECT_THAT(graph.tensors[static_cast<size_t>(w)].quantization.zero_points, ElementsAre(0, 0, 0));
}

TEST(HostGraph, TheOldFormOfQuantizationCounts) {
  AddHost add;
  add.host.tensor(add.x).quantization = {};
  add.host.tensor(add.x).params = {0.125f, 7};
  const graph::Graph graph = add.read();
  EXPECT_THAT(graph.tensors[0].quantization.scales, ElementsAre(0.125f));
  EXPECT_THAT(graph.tensors[0].quantization.zero_points, ElementsAre(7));
}

TEST(HostGraph, WhatIsNotUnderstoodIsOpaqueWithAReason) {
  {
    AddHost add;
    add.host.registration(add.node).builtin_code = 200;
    EXPECT_THAT(add.opaque_reason(), HasSubstr("does not know"));
  }
  {
    AddHost add;
    add.host.registration(add.node).version = 99;
    EXPECT_THAT(add.opaque_reason(), HasSubstr("version 99"));
  }
  {
    AddHost add;
    add.host.registration(add.node).builtin_code = builtin::kCustom;
    add.host.registration(add.node).custom_name = "MyOperator";
    EXPECT_EQ(add.read().operators.at(0).name, "MyOperator");
    EXPECT_THAT(add.opaque_reason(), HasSubstr("does not know"));
  }
  {
    AddHost add;
    abi::Delegate other{};
    add.host.node(add.node).delegate = &other;
    EXPECT_THAT(add.opaque_reason(), HasSubstr("another delegate"));
  }
  {
    AddHost add;
    add.host.node(add.node).builtin_data = nullptr;
    EXPECT_THAT(add.opaque_reason(), HasSubstr("no parameters"));
  }
  {
    AddHost add;
    add.params.activation = static_cast<abi::Activation>(77);
    EXPECT_THAT(add.opaque_reason(), HasSubstr("activation"));
  }
}

TEST(HostGraph, ShapesThatComeLateMakeANodeOpaque) {
  {
    AddHost add;
    add.host.tensor(add.y).allocation_type = abi::AllocationType::kDynamic;
    EXPECT_THAT(add.opaque_reason(), HasSubstr("known only when"));
  }
  {
    AddHost add;
    add.host.tensor(add.x).dims = nullptr;
    EXPECT_THAT(add.opaque_reason(), HasSubstr("known only when"));
  }
  {
    AddHost add;
    add.host.tensor(add.x).dims = add.host.int_array({-1, 2, 2, 4});
    EXPECT_THAT(add.opaque_reason(), HasSubstr("known only when"));
  }
}

TEST(HostGraph, ANodeThatContradictsItselfIsOpaque) {
  AddHost add;
  add.host.tensor(add.y).dims = add.host.int_array({1, 2, 2, 5});
  EXPECT_THAT(add.opaque_reason(), HasSubstr("1x2x2x5"));
}

TEST(HostGraph, IndicesOutsideTheTensorsAreAnError) {
  AddHost add;
  add.host.node(add.node).inputs = add.host.int_array({add.x, 1000});
  const auto read = read_host_graph(add.host.context());
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("1000"));
}

TEST(HostGraph, ASubgraphOwnsWhatItReads) {
  auto add = std::make_unique<AddHost>();
  const int32_t constant = add->host.add_tensor("c", abi::Type::kInt8, {4}, {0.5f});
  const int32_t unread = add->host.add_tensor("d", abi::Type::kInt8, {4}, {0.5f});
  add->host.set_constant(constant, std::vector<std::byte>(4, std::byte{9}));
  add->host.set_constant(unread, zeros(4));
  add->host.node(add->node).inputs = add->host.int_array({add->x, constant});
  const int32_t x = add->x;
  const int32_t y = add->y;
  const std::vector<size_t> operators = {0};
  const graph::Graph part = extract_subgraph(add->read(), operators, {x}, {y});
  add.reset();
  EXPECT_TRUE(graph::validate(part));
  EXPECT_THAT(part.tensors[static_cast<size_t>(constant)].data, ::testing::Each(std::byte{9}));
  EXPECT_FALSE(part.tensors[static_cast<size_t>(unread)].is_constant());
}

}  // namespace
}  // namespace lockstep::delegate
