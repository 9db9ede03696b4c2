// Which pieces of a CONCATENATION need no copy: graphs only, no device.
#include "backend/vulkan/pieces_in_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace lockstep::backend::vulkan {
namespace {

using graph::LoweredGraph;
using graph::Shape;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kAlignment = 64;

struct Network {
  LoweredGraph graph;

  int32_t tensor(Shape shape) {
    graph.tensors.push_back({"", graph::DataType::kInt8, std::move(shape), {}});
    return static_cast<int32_t>(graph.tensors.size()) - 1;
  }
  int32_t input(Shape shape) {
    graph.inputs.push_back(tensor(std::move(shape)));
    return graph.inputs.back();
  }
  // What an operator makes.
  int32_t made(Shape shape) {
    const int32_t source = input(shape);
    return add(graph::LoweredTable{source, tensor(std::move(shape)), {}});
  }
  int32_t reshape(int32_t input, Shape shape) {
    return add(graph::LoweredReshape{input, tensor(std::move(shape))});
  }
  int32_t join(std::vector<int32_t> pieces, Shape shape, int32_t outer = 1) {
    graph::LoweredConcatenation op;
    for (const int32_t piece : pieces) {
      const Shape& extents = graph.tensors[static_cast<size_t>(piece)].shape;
      op.axis_sizes.push_back(
          std::accumulate(extents.begin(), extents.end(), int32_t{1}, std::multiplies<>()) / outer);
    }
    op.tables.resize(pieces.size());
    op.inputs = std::move(pieces);
    op.outer = outer;
    op.output = tensor(std::move(shape));
    return add(std::move(op));
  }
  std::vector<PieceInPlace> last_found(int64_t alignment = kAlignment) const {
    return find_pieces_in_place(graph, alignment).back();
  }

 private:
  int32_t add(graph::LoweredOperation operation) {
    const int32_t output = graph::operation_output(operation);
    graph.operators.push_back({"", 0, std::move(operation)});
    return output;
  }
};

// Rows of 17 channels are 32 bytes.
TEST(PiecesInPlace, AreWholeRowsThatBeginWhereTheDeviceBinds) {
  Network network;
  const int32_t first = network.made({1, 2, 17});
  const int32_t second = network.made({1, 3, 17});
  const int32_t third = network.made({1, 1, 17});
  network.join({first, second, third}, {1, 6, 17});
  EXPECT_THAT(network.last_found(), ElementsAre(PieceInPlace{first, 0}, PieceInPlace{second, 64}));
  EXPECT_THAT(network.last_found(32), ElementsAre(PieceInPlace{first, 0}, PieceInPlace{second, 64},
                                                  PieceInPlace{third, 160}));
}

TEST(PiecesInPlace, OfDenseTensorsAreOfAnyShape) {
  Network network;
  const int32_t wide = network.made({1, 2, 2, 32});
  const int32_t narrow = network.made({30, 4});
  network.join({wide, narrow}, {62, 4});
  EXPECT_THAT(network.last_found(), ElementsAre(PieceInPlace{wide, 0}, PieceInPlace{narrow, 128}));
}

TEST(PiecesInPlace, AreNotTheRowsOfAnotherLayout) {
  Network network;
  const int32_t padded = network.made({4, 12});
  const int32_t dense = network.made({4, 16});
  network.join({padded, dense}, {28, 4});
  EXPECT_THAT(network.last_found(16), ElementsAre(PieceInPlace{dense, 48}));
  network.join({network.made({16, 4}), network.made({2, 17})}, {98});
  EXPECT_THAT(network.last_found(16), IsEmpty());
}

TEST(PiecesInPlace, MayEndInsideAUnitBecauseTheirNeighboursThenAreNot) {
  Network network;
  const int32_t first = network.made({17, 3});
  const int32_t second = network.made({3, 3});
  network.join({first, second}, {20, 3});
  EXPECT_THAT(network.last_found(16), ElementsAre(PieceInPlace{first, 0}));
}

TEST(PiecesInPlace, AreNotRowsThatBeginInsideOthers) {
  Network network;
  network.join({network.made({9}), network.made({1, 17}), network.made({8})}, {2, 17});
  EXPECT_THAT(network.last_found(16), IsEmpty());
}

TEST(PiecesInPlace, AreNotPartsOfEveryOuterRow) {
  Network network;
  network.join({network.made({2, 4, 16}), network.made({2, 4, 16})}, {2, 8, 16}, 2);
  EXPECT_THAT(network.last_found(), IsEmpty());
}

TEST(PiecesInPlace, AreMadeByADispatchForNobodyOutside) {
  const Shape piece{4, 16};
  const auto expect_one_of_two = [](Network network) {
    EXPECT_EQ(network.last_found().size(), 1u);
  };
  const auto with = [&](auto&& other) {
    Network network;
    const int32_t special = other(network);
    network.join({special, network.made(piece)}, {8, 16});
    return network;
  };
  expect_one_of_two(with([&](Network& network) { return network.input(piece); }));
  expect_one_of_two(with([&](Network& network) {
    const int32_t constant = network.tensor(piece);
    network.graph.tensors.back().constant.resize(64);
    return constant;
  }));
  expect_one_of_two(with([&](Network& network) {
    network.graph.outputs = {network.made(piece)};
    return network.graph.outputs[0];
  }));
  expect_one_of_two(
      with([&](Network& network) { return network.reshape(network.made({64}), piece); }));
  Network translated = with([&](Network& network) { return network.made(piece); });
  EXPECT_EQ(translated.last_found().size(), 2u);
  Network partial = translated;
  std::get<graph::LoweredConcatenation>(partial.graph.operators.back().operation).axis_sizes[1] =
      48;
  expect_one_of_two(partial);
  std::get<graph::LoweredConcatenation>(translated.graph.operators.back().operation)
      .tables[1]
      .resize(256);
  expect_one_of_two(translated);
}

TEST(PiecesInPlace, AreReadOnceByTheirConcatenation) {
  Network twice;
  const int32_t piece = twice.made({4, 16});
  twice.join({piece, piece}, {8, 16});
  EXPECT_THAT(twice.last_found(), IsEmpty());

  Network renamed;
  const int32_t original = renamed.made({4, 16});
  const int32_t shape = renamed.reshape(original, {2, 32});
  const int32_t again = renamed.reshape(shape, {1, 64});
  renamed.join({original, again}, {8, 16});
  EXPECT_THAT(renamed.last_found(), IsEmpty());
}

TEST(PiecesInPlace, HaveOnePlace) {
  Network network;
  const int32_t piece = network.made({4, 16});
  const int32_t other = network.made({4, 16});
  network.join({piece, other}, {8, 16});
  EXPECT_THAT(network.last_found(), ElementsAre(PieceInPlace{piece, 0}, PieceInPlace{other, 64}));
  const int32_t third = network.made({4, 16});
  network.join({third, piece}, {8, 16});
  EXPECT_THAT(network.last_found(), ElementsAre(PieceInPlace{third, 0}));
}

TEST(PiecesInPlace, MayHavePiecesThemselves) {
  Network network;
  const int32_t inner = network.join({network.made({4, 16}), network.made({4, 16})}, {8, 16});
  const int32_t other = network.made({4, 16});
  network.join({other, inner}, {12, 16});
  EXPECT_THAT(network.last_found(), ElementsAre(PieceInPlace{other, 0}, PieceInPlace{inner, 64}));
}

// It would copy from its own output.
TEST(PiecesInPlace, AreNotReadAgainAsAPartOfAnotherPiece) {
  Network network;
  const int32_t part = network.made({4, 16});
  const int32_t inner = network.join({part, network.made({4, 16})}, {8, 16});
  network.join({inner, part}, {12, 16});
  EXPECT_THAT(network.last_found(), IsEmpty());
}

}  // namespace
}  // namespace lockstep::backend::vulkan
