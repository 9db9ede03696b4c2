#include "conformance/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/testing/simple_cases.h"

namespace lockstep::conformance {
namespace {

using numerics::Contract;
using ::testing::HasSubstr;

TEST(Golden, WhatIsWrittenReadsBackAndAgreesWithTheReference) {
  const Case cases[] = {testing::convolution_case("conv_2d/a"), testing::relu_case("relu/b")};
  const auto text = golden_text(cases);
  ASSERT_TRUE(text) << text.error().message;
  const auto recorded = parse_golden(*text);
  ASSERT_TRUE(recorded) << recorded.error().message;
  ASSERT_EQ(recorded->size(), 2u);
  for (const Case& source : cases) {
    for (const Contract contract : numerics::kAllContracts) {
      const auto lowered = lower_case(source, contract);
      const auto reference = compute_reference(*lowered);
      EXPECT_TRUE(recorded->at(source.name).at(contract).agrees_with(reference->expectation));
    }
  }
}

TEST(Golden, ReadsEveryKindOfColumn) {
  const auto recorded =
      parse_golden("a/b c\t0123456789abcdef/fedcba9876543210 = - 1111111111111111\n");
  ASSERT_TRUE(recorded) << recorded.error().message;
  const RecordedCase& columns = recorded->at("a/b c");
  EXPECT_EQ(columns.at(Contract::kTflite).digests.outputs.hex(),
            "0123456789abcdef0000000000000000");
  EXPECT_EQ(columns.at(Contract::kTflite).digests.accumulators.hex(),
            "fedcba98765432100000000000000000");
  EXPECT_EQ(columns.at(Contract::kLitert), columns.at(Contract::kTflite));
  EXPECT_TRUE(columns.at(Contract::kReference).is_refused);
  EXPECT_FALSE(columns.at(Contract::kSingle).is_refused);
  EXPECT_TRUE(columns.at(Contract::kSingle).digests.accumulators.is_empty());
}

TEST(Golden, RefusesWhatIsNotItsFormat) {
  const auto problem_of = [](std::string_view text) {
    const auto recorded = parse_golden(text);
    return recorded ? std::string() : recorded.error().message;
  };
  const std::string good = "a\t- = = =\n";
  EXPECT_EQ(problem_of(good), "");
  EXPECT_THAT(problem_of(good + "b - = = =\n"), HasSubstr("line 2: there is no tab"));
  EXPECT_THAT(problem_of("a\t- = =\n"), HasSubstr("one column for each contract"));
  EXPECT_THAT(problem_of("a\t= = = =\n"), HasSubstr("16 hex digits"));
  EXPECT_THAT(problem_of("a\t-  = =\n"), HasSubstr("16 hex digits"));
  EXPECT_THAT(problem_of("a\t- = = 0123456789abcde\n"), HasSubstr("16 hex digits"));
  EXPECT_THAT(problem_of("a\t- = = 0123456789abcdef/\n"), HasSubstr("16 hex digits"));
  EXPECT_THAT(problem_of(good + good), HasSubstr("line 2: the case is there twice"));
}

TEST(RecordedExpectation, AgreesOnlyInWhatWasKept) {
  const Expectation actual{digest_of("outputs"), digest_of("accumulators")};
  RecordedExpectation recorded{.is_refused = false, .digests = actual, .digest_bytes = 16};
  EXPECT_TRUE(recorded.agrees_with(actual));
  recorded.digests.outputs.bytes[12] ^= 1;
  EXPECT_FALSE(recorded.agrees_with(actual));
  recorded.digest_bytes = 8;
  EXPECT_TRUE(recorded.agrees_with(actual));
  recorded.digests.accumulators.bytes[7] ^= 1;
  EXPECT_FALSE(recorded.agrees_with(actual));
  recorded.digests.accumulators = {};
  EXPECT_FALSE(recorded.agrees_with(actual));
  EXPECT_FALSE((RecordedExpectation{.is_refused = true, .digests = {}}.agrees_with({})));
}

}  // namespace
}  // namespace lockstep::conformance
