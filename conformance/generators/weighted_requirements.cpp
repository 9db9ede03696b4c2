#include "conformance/generators/weighted_requirements.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "conformance/generators/weighted_coverage.h"
#include "numerics/rounding.h"

namespace lockstep::conformance {
namespace {

using numerics::Contract;
using numerics::Rounding;
using Values = std::vector<std::string>;

void append(Values& values, const Values& more) {
  values.insert(values.end(), more.begin(), more.end());
}

Values numbered(std::span<const int32_t> numbers) {
  Values values;
  std::transform(numbers.begin(), numbers.end(), std::back_inserter(values),
                 [](int32_t number) { return fmt::format("{}", number); });
  return values;
}

// "a" x "b" -> "a b"
Values crossed(const Values& left, const Values& right) {
  Values values;
  for (const std::string& first : left) {
    for (const std::string& second : right) {
      values.push_back(fmt::format("{} {}", first, second));
    }
  }
  return values;
}

// The roundings that the contracts give an operator of this kind, and how contracts pair up.
struct Roundings {
  std::vector<Rounding> all;
  Values contracts;
  Values told_apart;
};

Roundings roundings_of(WeightedKind kind) {
  const auto operator_kind = kind == WeightedKind::kDepthwiseConv2d
                                 ? numerics::OperatorKind::kDepthwiseConvolution
                                 : numerics::OperatorKind::kConvolution;
  Roundings result;
  for (const Contract left : numerics::kAllContracts) {
    const Rounding rounding = numerics::rounding_for(left, operator_kind);
    result.contracts.push_back(
        fmt::format("{} {}", numerics::contract_name(left), numerics::rounding_name(rounding)));
    if (std::find(result.all.begin(), result.all.end(), rounding) == result.all.end()) {
      result.all.push_back(rounding);
    }
    for (const Contract right : numerics::kAllContracts) {
      if (right > left && numerics::rounding_for(right, operator_kind) != rounding) {
        result.told_apart.push_back(
            fmt::format("{} {}", numerics::contract_name(left), numerics::contract_name(right)));
      }
    }
  }
  // Scales of 256 and more, which XNNPACK leaves to the builtin kernels.
  result.contracts.push_back(fmt::format(
      "litert {}",
      numerics::rounding_name(numerics::rounding_for(Contract::kTflite, operator_kind))));
  return result;
}

Values corners_of(Rounding rounding) {
  switch (rounding) {
    case Rounding::kDoubleTiesUp:
    case Rounding::kDoubleTiesAway:
      return {"high multiply tie", "shift tie", "last unit"};
    case Rounding::kSingle:
      return {"tie", "last unit"};
    case Rounding::kFloat32TiesEven:
      return {"tie to lower", "tie to upper",   "conversion",
              "product",      "conversion tie", "last unit"};
  }
  return {};
}

}  // namespace

std::vector<RequiredCoverage> required_of_arithmetic(WeightedKind kind) {
  const Values types{"int8", "uint8"};
  const Roundings roundings = roundings_of(kind);

  Values rounding_corners;
  Values shifts;
  for (const Rounding rounding : roundings.all) {
    const Values name{std::string(numerics::rounding_name(rounding))};
    append(rounding_corners,
           crossed(crossed(name, corners_of(rounding)), {"positive", "negative"}));
    if (rounding != Rounding::kFloat32TiesEven) {
      Values numbers{"zero", "9", "20", "30"};
      for (int32_t shift = -31; shift <= 8; ++shift) {
        numbers.push_back(fmt::format("{}", shift));
      }
      append(shifts, crossed(name, numbers));
    }
  }

  Values ladders;
  for (const float scale : kLadderScales) {
    ladders.push_back(fmt::format("int8 {:.6g}", scale));
    if (is_uint8_ladder(scale)) ladders.push_back(fmt::format("uint8 {:.6g}", scale));
  }

  Values zero_points = crossed({"int8 input", "int8 output"}, {"-128", "0", "127"});
  append(zero_points,
         crossed({"uint8 input", "uint8 output", "uint8 weights"}, {"0", "128", "255"}));

  const Values activations{"NONE", "RELU", "RELU6", "RELU_N1_TO_1"};
  Values clips = crossed(activations, {"clips nothing", "clips some", "clips everything"});
  clips.push_back("bounds differ between contracts");

  Values accumulators{"largest",
                      "smallest",
                      "inexact in float32 positive",
                      "inexact in float32 negative",
                      "sum of products beyond float32 positive",
                      "sum of products beyond float32 negative",
                      "folded bias wraps above",
                      "folded bias wraps below"};
  if (kind != WeightedKind::kDepthwiseConv2d) {  // whose sums are as long as their windows
    append(accumulators, {"sum of products near the largest", "sum of products near the smallest"});
  }

  const Values contents{"all lowest",  "all highest", "alternating",
                        "every value", "one hot",     "mixed"};
  const Values tails = numbered(kTails);
  return {
      {"type", types},
      {"contract", roundings.contracts},
      {"contracts told apart", roundings.told_apart},
      {"rounding", rounding_corners},
      {"ladder", ladders},
      {"shift", shifts},
      {"multiplier", {"largest", "smallest", "smallest but one", "fraction carried"}},
      {"width of M", crossed(types, {"input * weights", "float32"})},
      {"scales", {"per tensor", "per channel", "per channel, far apart"}},
      {"zero point", zero_points},
      {"accumulator", accumulators},
      {"activation", clips},
      {"activation type", crossed(activations, types)},
      {"bias", {"present", "absent"}},
      {"input contents", contents},
      {"weights contents", contents},
      {"input channels", tails},
      {"output channels", tails},
      {"rows", tails},
      {"rows against depth", {"fewer", "equal", "more"}},
  };
}

std::vector<RequiredCoverage> required_of_windows() {
  Values padding = crossed({"SAME rows,", "SAME columns,"}, {"none", "even", "more behind"});
  append(padding, crossed({"VALID rows,", "VALID columns,"}, {"exact", "pixels left over"}));
  Values padded_with = crossed({"int8"}, {"-128", "0", "127"});
  append(padded_with, crossed({"uint8"}, {"0", "128", "255"}));
  padded_with.push_back("asymmetric weights");
  return {
      {"batch", {"1", "2", "3"}},
      {"kernel",
       {"1x1", "2x2", "3x3", "4x4", "5x5", "6x6", "7x7", "1x3", "3x1", "1x7", "7x1", "2x5"}},
      {"kernel against image", {"smaller", "equal", "larger"}},
      {"stride", {"1x1", "2x2", "3x3", "1x2", "2x1", "3x1", "2x3"}},
      {"dilation", {"1x1", "2x2", "3x3", "1x2", "3x1", "2x3"}},
      {"padding", padding},
      {"padded with", padded_with},
      {"image", {"one pixel", "one row", "one column", "square", "oblong"}},
  };
}

std::vector<RequiredCoverage> quick_coverage(std::vector<RequiredCoverage> required) {
  // What is worth no case of its own in the quick suite.
  const std::map<std::string, Values> kept{
      {"ladder", {"int8 0.25", "uint8 0.3"}},
      {"multiplier", {"largest"}},
      {"accumulator",
       {"largest", "smallest", "inexact in float32 positive", "inexact in float32 negative",
        "sum of products beyond float32 positive", "sum of products near the largest",
        "folded bias wraps above"}},
      {"activation", {"RELU6 clips everything", "RELU_N1_TO_1 clips some"}},
      {"activation type", {}},
      {"input contents", {"all lowest", "every value"}},
      {"weights contents", {"all highest", "mixed"}},
      {"input channels", {"1", "17"}},
      {"output channels", {"1", "17"}},
      {"rows", {"1"}},
      {"batch", {"1", "2"}},
      {"kernel", {"1x1", "3x3", "5x5"}},
      {"stride", {"1x1", "2x3"}},
      {"dilation", {"1x1", "2x3"}},
      {"padding", {"SAME columns, more behind", "VALID columns, pixels left over"}},
      {"padded with", {"int8 -128", "uint8 255", "asymmetric weights"}},
      {"image", {"one pixel", "one row"}},
      {"groups", {"one", "some"}},
      {"depth multiplier", {"1", "3"}},
      {"input rank", {"2", "4"}},
      {"width of M", {"int8 input * weights", "int8 float32"}},
  };
  for (RequiredCoverage& dimension : required) {
    if (const auto found = kept.find(dimension.dimension); found != kept.end()) {
      std::erase_if(dimension.values, [&](const std::string& value) {
        return std::find(found->second.begin(), found->second.end(), value) == found->second.end();
      });
    }
    if (dimension.dimension == "shift") {
      std::erase_if(dimension.values, [](const std::string& value) {
        return value.ends_with(" 9") || value.ends_with(" 20") || value.ends_with(" zero");
      });
    }
  }
  return required;
}

}  // namespace lockstep::conformance
