#include "conformance/graph_segments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/graph_builder.h"
#include "graph/lowering.h"

namespace lockstep::conformance {
namespace {

using graph::DataType;
using graph::per_tensor;
using graph::UnaryKind;
using ::testing::ElementsAre;

// x -> a -> b -> c, and c is the output; a is read by d too, which nothing reads.
struct Chain {
  int32_t x, a, b, c, d;
  graph::LoweredGraph lowered;

  Chain() {
    graph::GraphBuilder builder;
    x = builder.input("x", DataType::kInt8, {1, 4}, per_tensor(0.5f));
    a = builder.unary(UnaryKind::kRelu, x, per_tensor(0.5f));
    b = builder.unary(UnaryKind::kTanh, a, per_tensor(1.0f / 128));
    c = builder.add(a, b, per_tensor(0.5f));
    d = builder.unary(UnaryKind::kRelu, a, per_tensor(0.5f));
    lowered = graph::lower(builder.build({c}).value(), numerics::Contract::kTflite).value();
  }
};

TEST(GraphSegments, OneKindIsOneSegment) {
  const Chain chain;
  const auto segments = split_graph(chain.lowered, {true, true, true, true});
  ASSERT_EQ(segments.size(), 1u);
  EXPECT_TRUE(segments[0].is_on_device);
  EXPECT_EQ(segments[0].graph.operators.size(), 4u);
  EXPECT_THAT(segments[0].graph.inputs, ElementsAre(chain.x));
  EXPECT_THAT(segments[0].graph.outputs, ElementsAre(chain.c));
}

TEST(GraphSegments, HandsOnWhatLaterOnesRead) {
  const Chain chain;
  const auto segments = split_graph(chain.lowered, {true, false, true, true});
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_THAT(segments[0].graph.outputs, ElementsAre(chain.a));
  EXPECT_FALSE(segments[1].is_on_device);
  EXPECT_THAT(segments[1].graph.inputs, ElementsAre(chain.a));
  EXPECT_THAT(segments[1].graph.outputs, ElementsAre(chain.b));
  EXPECT_THAT(segments[2].graph.inputs, ElementsAre(chain.a, chain.b));
  EXPECT_THAT(segments[2].graph.outputs, ElementsAre(chain.c));
}

TEST(GraphSegments, LeavesOutWhatNobodyNeeds) {
  const Chain chain;
  const auto segments = split_graph(chain.lowered, {true, true, true, false});
  ASSERT_EQ(segments.size(), 1u);
  EXPECT_EQ(segments[0].graph.operators.size(), 3u);
}

}  // namespace
}  // namespace lockstep::conformance
