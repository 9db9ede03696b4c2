#include "numerics/contract.h"

#include <gtest/gtest.h>

#include "numerics/rounding.h"

namespace lockstep::numerics {
namespace {

static_assert(contract_name(Contract::kLitert) == "litert");
static_assert(parse_contract("single") == Contract::kSingle);
static_assert(rounding_for(Contract::kTflite, OperatorKind::kConvolution) ==
              Rounding::kDoubleTiesUp);

TEST(Contract, EveryNameParsesBackToItsContract) {
  for (const Contract contract : kAllContracts) {
    EXPECT_EQ(parse_contract(contract_name(contract)), contract);
  }
}

TEST(Contract, NamesArePartOfTheInterface) {
  EXPECT_EQ(contract_name(Contract::kTflite), "tflite");
  EXPECT_EQ(contract_name(Contract::kLitert), "litert");
  EXPECT_EQ(contract_name(Contract::kReference), "reference");
  EXPECT_EQ(contract_name(Contract::kSingle), "single");
}

TEST(Contract, OtherTextIsNoContract) {
  for (const std::string_view text : {"", "TFLITE", " tflite", "tflite ", "tflit", "unknown"}) {
    EXPECT_EQ(parse_contract(text), std::nullopt) << text;
  }
}

TEST(Contract, ValueThatIsNoEnumeratorHasAHarmlessName) {
  EXPECT_EQ(contract_name(static_cast<Contract>(200)), "unknown");
}

TEST(Rounding, NumbersAreSharedWithTheShaders) {
  EXPECT_EQ(static_cast<std::uint32_t>(Rounding::kDoubleTiesUp), 0u);
  EXPECT_EQ(static_cast<std::uint32_t>(Rounding::kDoubleTiesAway), 1u);
  EXPECT_EQ(static_cast<std::uint32_t>(Rounding::kSingle), 2u);
  EXPECT_EQ(static_cast<std::uint32_t>(Rounding::kFloat32TiesEven), 3u);
}

TEST(Rounding, TfliteRoundsConvolutionsAndFullyConnectedUpAndTheRestAway) {
  EXPECT_EQ(rounding_for(Contract::kTflite, OperatorKind::kConvolution), Rounding::kDoubleTiesUp);
  EXPECT_EQ(rounding_for(Contract::kTflite, OperatorKind::kFullyConnected),
            Rounding::kDoubleTiesUp);
  EXPECT_EQ(rounding_for(Contract::kTflite, OperatorKind::kDepthwiseConvolution),
            Rounding::kDoubleTiesAway);
  EXPECT_EQ(rounding_for(Contract::kTflite, OperatorKind::kElementwise), Rounding::kDoubleTiesAway);
}

TEST(Rounding, OtherContractsRoundEveryOperatorAlike) {
  for (const OperatorKind kind : {OperatorKind::kConvolution, OperatorKind::kDepthwiseConvolution,
                                  OperatorKind::kFullyConnected, OperatorKind::kElementwise}) {
    EXPECT_EQ(rounding_for(Contract::kLitert, kind), Rounding::kFloat32TiesEven);
    EXPECT_EQ(rounding_for(Contract::kReference, kind), Rounding::kDoubleTiesAway);
    EXPECT_EQ(rounding_for(Contract::kSingle, kind), Rounding::kSingle);
  }
}

}  // namespace
}  // namespace lockstep::numerics
