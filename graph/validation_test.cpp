#include "graph/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "graph/testing/graph_builder.h"
#include "graph/testing/sample_graphs.h"

namespace lockstep::graph {
namespace {

using ::testing::AllOf;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::per_tensor;

// x -> TANH -> CONV_2D(weights per axis, bias) -> y. The tensors, by index:
enum : int32_t { kInput, kMiddle, kWeights, kBias, kOutput, kSpare };

Graph small_network() {
  GraphBuilder builder("net");
  const int32_t x = builder.input("x", DataType::kInt8, {1, 4, 4, 2}, per_tensor(0.5f));
  const int32_t middle = builder.unary(UnaryKind::kTanh, x, per_tensor(0.5f));
  const int32_t weights = builder.constant<int8_t>("weights", {2, 1, 1, 2}, {1, 2, 3, 4},
                                                   testing::per_axis({0.1f, 0.2f}, 0));
  const int32_t bias = builder.constant<int32_t>("bias", {2}, {5, 6});
  const int32_t y = builder.conv_2d(middle, weights, bias, per_tensor(0.25f, 3));
  Tensor spare;
  spare.name = "spare";
  spare.shape = {1};
  builder.tensor(spare);
  return builder.build({y});
}

struct Mistake {
  std::string name;
  std::function<void(Graph&)> make;
  std::string message;
  ErrorCode code = ErrorCode::kInvalidModel;
};

class Validation : public ::testing::TestWithParam<Mistake> {};

TEST_P(Validation, NamesTheMistake) {
  Graph graph = small_network();
  GetParam().make(graph);
  const Status status = validate(graph);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, GetParam().code);
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("net: "), HasSubstr(GetParam().message)));
}

Conv2dAttributes& convolution(Graph& graph) {
  return std::get<Conv2dAttributes>(graph.operators[1].attributes);
}

const std::vector<Mistake> kMistakes = {
    // Shapes and data.
    {"NegativeExtent",
     [](Graph& g) {
       g.tensors[kSpare].shape = {2, -1};
     },
     "tensor 5 ('spare', float32 2x-1): the shape is negative or too large"},
    {"TooManyElements",
     [](Graph& g) {
       g.tensors[kSpare].shape = {1 << 20, 1 << 20};
     },
     "the shape is negative or too large"},
    {"TooManyDimensions", [](Graph& g) { g.tensors[kSpare].shape.assign(33, 1); },
     "33 dimensions, at most 32 are read"},
    {"SignatureOfAnotherRank",
     [](Graph& g) {
       g.tensors[kSpare].shape_signature = {-1, -1};
     },
     "signature does not fit"},
    {"SignatureBelowMinusOne", [](Graph& g) { g.tensors[kSpare].shape_signature = {-2}; },
     "signature does not fit"},
    {"DataTooShort", [](Graph& g) { g.tensors[kBias].data = g.tensors[kBias].data.first(7); },
     "tensor 3 ('bias', int32 2): 7 bytes of data, the shape needs 8"},
    {"DataTooLong",
     [](Graph& g) {
       g.tensors[kWeights].shape = {2, 1, 1, 1};
     },
     "4 bytes of data, the shape needs 2"},
    // Quantization.
    {"MissingZeroPoint", [](Graph& g) { g.tensors[kInput].quantization.zero_points.clear(); },
     "1 scales but 0 zero points"},
    {"AxisBeyondRank", [](Graph& g) { g.tensors[kWeights].quantization.axis = 4; },
     "along axis 4 of 4"},
    {"NegativeAxis", [](Graph& g) { g.tensors[kWeights].quantization.axis = -1; },
     "along axis -1 of 4"},
    {"AxisOfAnotherExtent", [](Graph& g) { g.tensors[kWeights].quantization.axis = 1; },
     "2 scales for the 1 indices of axis 1"},
    {"ZeroScale", [](Graph& g) { g.tensors[kInput].quantization.scales = {0.0f}; },
     "scale 0 is not a positive number"},
    {"NegativeScale", [](Graph& g) { g.tensors[kWeights].quantization.scales[1] = -1.0f; },
     "is not a positive number"},
    {"ScaleNotANumber",
     [](Graph& g) {
       g.tensors[kInput].quantization.scales = {std::numeric_limits<float>::quiet_NaN()};
     },
     "scale nan is not a positive number"},
    {"InfiniteScale",
     [](Graph& g) {
       g.tensors[kInput].quantization.scales = {std::numeric_limits<float>::infinity()};
     },
     "scale inf is not a positive number"},
    {"ZeroPointAboveType", [](Graph& g) { g.tensors[kInput].quantization.zero_points = {128}; },
     "zero point 128 is outside"},
    {"ZeroPointBelowType",
     [](Graph& g) {
       g.tensors[kInput].type = DataType::kUint8;
       g.tensors[kInput].quantization.zero_points = {-1};
     },
     "zero point -1 is outside"},
    // Graph inputs and outputs.
    {"InputOutOfRange", [](Graph& g) { g.inputs.push_back(6); }, "graph input 6 is not one of"},
    {"InputAbsent", [](Graph& g) { g.inputs.push_back(-1); }, "graph input -1 is not one of"},
    {"InputTwice", [](Graph& g) { g.inputs.push_back(kInput); }, "is a graph input twice"},
    {"InputConstant", [](Graph& g) { g.inputs.push_back(kBias); }, "is a graph input and constant"},
    {"OutputOutOfRange", [](Graph& g) { g.outputs = {-1}; }, "graph output -1 is not one of"},
    {"OutputOfNobody", [](Graph& g) { g.outputs.push_back(kSpare); },
     "('spare', float32 1) is a graph output that no operator makes"},
    // Operators' indices and order.
    {"OperandOutOfRange", [](Graph& g) { g.operators[1].inputs[1] = 600; },
     "operator 1 (CONV_2D, output 'CONV_2D_1'): input 600 is not one of the 6 tensors"},
    {"OperandBelowAbsent", [](Graph& g) { g.operators[1].inputs[1] = -2; },
     "input -2 is not one of"},
    {"ResultOutOfRange", [](Graph& g) { g.operators[1].outputs = {6}; }, "output 6 is not one of"},
    {"ReadBeforeMade", [](Graph& g) { std::swap(g.operators[0], g.operators[1]); },
     "operator 0 (CONV_2D, output 'CONV_2D_1'): tensor 1 ('TANH_0', int8 1x4x4x2) is read before"},
    {"Cycle", [](Graph& g) { g.operators[0].inputs = {kOutput}; }, "is read before"},
    {"ReadsItsOwnOutput", [](Graph& g) { g.operators[0].inputs = {kMiddle}; }, "is read before"},
    {"ReadsATensorOfNobody", [](Graph& g) { g.operators[0].inputs = {kSpare}; },
     "is read before any operator has made it"},
    {"WritesAConstant", [](Graph& g) { g.operators[0].outputs = {kBias}; },
     "its output tensor 3 ('bias', int32 2) is constant"},
    {"WritesAGraphInput", [](Graph& g) { g.operators[1].outputs = {kInput}; },
     "already a graph input or another operator's output"},
    {"TwoProducers", [](Graph& g) { g.operators[1].outputs = {kMiddle}; },
     "already a graph input or another operator's output"},
    {"TheSameOutputTwice",
     [](Graph& g) {
       g.operators[1].outputs = {kOutput, kOutput};
     },
     "already a graph input or another operator's output"},
    // What operators mean.
    {"NoOutput",
     [](Graph& g) {
       g.operators[1].outputs.clear();
       g.outputs.clear();
     },
     "operator 1 (CONV_2D): has 0 outputs, needs one"},
    {"AbsentOutput",
     [](Graph& g) {
       g.operators[1].outputs = {-1};
       g.outputs.clear();
     },
     "has 1 outputs, needs one"},
    {"TwoOutputs",
     [](Graph& g) {
       g.operators[1].outputs = {kOutput, kSpare};
     },
     "has 2 outputs, needs one"},
    {"WrongOutputShape",
     [](Graph& g) {
       g.tensors[kOutput].shape = {1, 4, 4, 3};
     },
     "operator 1 (CONV_2D, output 'CONV_2D_1'): the output is declared 1x4x4x3, the inputs give "
     "1x4x4x2"},
    {"ContradictingOperands", [](Graph& g) { convolution(g).stride_height = 0; },
     "operator 1 (CONV_2D, output 'CONV_2D_1'): window 1, stride 0"},
    {"SparseWeights", [](Graph& g) { g.tensors[kWeights].is_sparse = true; },
     "'weights' is in the sparse encoding", ErrorCode::kUnsupported},
};

INSTANTIATE_TEST_SUITE_P(Mistakes, Validation, ::testing::ValuesIn(kMistakes),
                         [](const auto& test) { return test.param.name; });

TEST(Validate, AcceptsEverySample) {
  for (const Graph& graph : testing::sample_graphs()) {
    const Status status = validate(graph);
    EXPECT_TRUE(status) << status.error().message;
  }
}

TEST(Validate, AcceptsStateThatNobodyWrites) {
  Graph graph = small_network();
  graph.tensors[kSpare].is_variable = true;
  graph.outputs.push_back(kSpare);
  EXPECT_TRUE(validate(graph));
}

TEST(Validate, SparseDataNeedNotHaveTheDenseSize) {
  Graph graph = small_network();
  graph.tensors[kWeights].is_sparse = true;
  graph.tensors[kWeights].data = graph.tensors[kWeights].data.first(1);
  EXPECT_TRUE(validate_structure(graph));
}

TEST(Validate, OneScaleNeedsNoAxis) {
  Graph graph = small_network();
  graph.tensors[kInput].quantization.axis = 99;
  EXPECT_TRUE(validate(graph));
}

TEST(LeaveUnsupportedOperatorsOpaque, KeepsTheReason) {
  Graph graph = small_network();
  graph.tensors[kWeights].is_sparse = true;
  ASSERT_TRUE(leave_unsupported_operators_opaque(graph));
  EXPECT_EQ(graph.operators[1].attributes,
            OperatorAttributes{OpaqueAttributes{"'weights' is in the sparse encoding"}});
  EXPECT_TRUE(std::holds_alternative<UnaryAttributes>(graph.operators[0].attributes));
  EXPECT_TRUE(validate(graph));
}

TEST(LeaveUnsupportedOperatorsOpaque, ForgivesContradictionsOnlyWhereShapesAreFree) {
  Graph graph = small_network();
  graph.tensors[kOutput].shape = {1, 5, 4, 2};
  const Status status = leave_unsupported_operators_opaque(graph);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidModel);

  graph.tensors[kMiddle].shape_signature = {1, -1, 4, 2};
  ASSERT_TRUE(leave_unsupported_operators_opaque(graph));
  EXPECT_TRUE(std::holds_alternative<OpaqueAttributes>(graph.operators[1].attributes));
}

}  // namespace
}  // namespace lockstep::graph
