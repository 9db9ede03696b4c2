#include "quantization/fused_activation.h"

#include <gtest/gtest.h>

#include "quantization/testing/float_network_builder.h"
#include "quantization/testing/network_text.h"

namespace lockstep::quantization {
namespace {

using schema::ActivationFunctionType;
using schema::BuiltinOperator;
using schema::TensorType;
using testing::FloatNetworkBuilder;
using testing::network_text;

// x -> ADD -> sum -> RELU6 -> y
class FusedActivationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    x_ = builder_.input("x", {4});
    sum_ = builder_.activation("sum", TensorType::FLOAT32, {4});
    y_ = builder_.activation("y", TensorType::FLOAT32, {4});
  }

  void add_sum(ActivationFunctionType activation = ActivationFunctionType::NONE) {
    schema::AddOptionsT options;
    options.fused_activation_function = activation;
    builder_.add_operator(BuiltinOperator::ADD, options, {x_, x_}, {sum_});
  }
  void add_activation() {
    builder_.add_operator(BuiltinOperator::RELU6, schema::AbsOptionsT{}, {sum_}, {y_});
  }

  FloatNetworkBuilder builder_;
  int32_t x_ = 0;
  int32_t sum_ = 0;
  int32_t y_ = 0;
};

TEST_F(FusedActivationTest, BecomesPartOfTheOperatorInFront) {
  add_sum();
  add_activation();
  schema::ModelT model = builder_.build({y_});
  EXPECT_EQ(fuse_activations(model, {}), 1u);
  EXPECT_EQ(network_text(model),
            "x:FLOAT32\n"
            "y:FLOAT32 = ADD(x, x)\n"
            "-> y\n");
  EXPECT_EQ(*fused_activation(*model.subgraphs.front()->operators.front()),
            ActivationFunctionType::RELU6);
}

TEST_F(FusedActivationTest, StaysWhereItsInputIsReadElsewhere) {
  add_sum();
  add_activation();
  const int32_t other = builder_.apply(BuiltinOperator::EXP, {sum_}, {4});
  schema::ModelT model = builder_.build({y_, other});
  EXPECT_EQ(fuse_activations(model, {}), 0u);
}

TEST_F(FusedActivationTest, StaysWhereItsInputIsAnOutputOfTheNetwork) {
  add_sum();
  add_activation();
  schema::ModelT model = builder_.build({y_, sum_});
  EXPECT_EQ(fuse_activations(model, {}), 0u);
}

TEST_F(FusedActivationTest, StaysBehindAnotherFusedActivation) {
  add_sum(ActivationFunctionType::RELU);
  add_activation();
  schema::ModelT model = builder_.build({y_});
  EXPECT_EQ(fuse_activations(model, {}), 0u);
}

TEST_F(FusedActivationTest, StaysBehindAnOperatorThatIgnoresItsField) {
  builder_.add_operator(BuiltinOperator::CONCATENATION, schema::ConcatenationOptionsT{}, {x_, x_},
                        {sum_});
  add_activation();
  schema::ModelT model = builder_.build({y_});
  EXPECT_EQ(fuse_activations(model, {}), 0u);
}

TEST_F(FusedActivationTest, StaysWhereEitherOperatorIsKept) {
  add_sum();
  add_activation();
  schema::ModelT model = builder_.build({y_});
  EXPECT_EQ(fuse_activations(model, {sum_}), 0u);
  EXPECT_EQ(fuse_activations(model, {y_}), 0u);
}

}  // namespace
}  // namespace lockstep::quantization
