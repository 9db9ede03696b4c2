#include "conformance/generators/weighted_corners.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "conformance/generators/contents.h"
#include "conformance/generators/quick_cases.h"
#include "conformance/generators/weighted_coverage.h"
#include "conformance/generators/weighted_filling.h"
#include "conformance/generators/weighted_requirements.h"

namespace lockstep::conformance {
namespace {

using graph::Activation;
using graph::DataType;

constexpr DataType kBothTypes[] = {DataType::kInt8, DataType::kUint8};

std::string typed(std::string_view what, DataType type) {
  return fmt::format("{} {}", what, data_type_name(type));
}

int32_t saturated(double value) {
  return static_cast<int32_t>(std::clamp(value, static_cast<double>(INT32_MIN) + 128,
                                         static_cast<double>(INT32_MAX) - 127));
}

void append(std::vector<WeightedCase>& all, std::vector<WeightedCase> more) {
  std::move(more.begin(), more.end(), std::back_inserter(all));
}

// Sets input_scale * weights_scale / output_scale to M, exactly where M has few digits.
void scale_by(WeightedCase& description, float m) {
  description.input_scale = m * 0.5f;
  description.weights_scales = {0.25f};
  description.output_scale = 0.125f;
}

// Bases whose steps pass everything from below the output's lowest value to above its highest one.
std::vector<int32_t> bases_across(float m, int32_t output_zero_point) {
  const double lowest = (-128 - output_zero_point - 2) / static_cast<double>(m);
  const double highest = (127 - output_zero_point + 2) / static_cast<double>(m);
  std::vector<int32_t> bases;
  for (double base = std::floor(lowest); base - 128 <= highest; base += 256) {
    bases.push_back(saturated(base));
  }
  return bases;
}

struct LadderNames {
  WeightedKind kind;

  WeightedCase make(std::string name, Ladder ladder) const {
    Random random(kFillSeed, name);
    ladder.kind = kind;
    WeightedCase description = make_ladder(ladder, random);
    description.name = std::move(name);
    return description;
  }
};

// --- Ties ---------------------------------------------------------------------------------------

// Every accumulator between the saturated ends, and so every tie of every rounding.
std::vector<WeightedCase> tie_ladders(const LadderNames& names) {
  constexpr int32_t kOutputZeroPoints[] = {0, 127, -128};
  std::vector<WeightedCase> cases;
  for (const DataType type : kBothTypes) {
    size_t index = 0;
    for (const float m : kLadderScales) {
      if (type == DataType::kUint8 && !is_uint8_ladder(m)) continue;
      const int32_t zero_point = type == DataType::kInt8 ? 0 : kOutputZeroPoints[index++ % 3];
      Ladder ladder{.type = type, .bases = bases_across(m, zero_point), .steps = {}};
      ladder.depth = ladder.bases.size() > 16 ? 1 : 16;
      ladder.input_zero_point = type == DataType::kInt8 ? -1 : 5;
      ladder.weights_zero_point = type == DataType::kInt8 ? 0 : -7;
      cases.push_back(names.make(typed(fmt::format("ladder {:.6g}", m), type), ladder));
      scale_by(cases.back(), m);
      cases.back().output_zero_point = zero_point;
    }
  }
  return cases;
}

// Several ladders in one case, each with channels and a scale of its own. `factor` is the scale of
// the input.
WeightedCase per_channel_ladder(const LadderNames& names, std::string name,
                                const std::vector<float>& weights_scales, float input_scale) {
  std::vector<int32_t> bases;
  std::vector<float> scales;
  for (const float scale : weights_scales) {
    for (const int32_t base : bases_across(scale * input_scale, 0)) {
      bases.push_back(base);
      scales.push_back(scale);
    }
  }
  WeightedCase description = names.make(std::move(name), {.bases = bases, .steps = {}});
  description.input_scale = input_scale;
  description.weights_scales = scales;
  return description;
}

std::vector<WeightedCase> per_channel_ladders(const LadderNames& names) {
  std::vector<WeightedCase> cases;
  cases.push_back(per_channel_ladder(names, "ladders per channel",
                                     {0.5f, 0.25f, 0.75f, 0.375f, 0.3f, 0.125f}, 1.0f));
  // Products of two float32 numbers that lie within 2^-30 of 1, as double sees them:
  // (1 + i 2^-23) (1 - j 2^-24).
  const auto beside_one = [&](std::string name, int32_t i, int32_t j) {
    const float input_scale = 1.0f + std::ldexp(static_cast<float>(i), -23);
    const float weights_scale = 1.0f - std::ldexp(static_cast<float>(j), -24);
    cases.push_back(per_channel_ladder(
        names, std::move(name),
        {weights_scale, weights_scale / 2, weights_scale / 4, weights_scale / 8}, input_scale));
  };
  beside_one("multiplier largest", 181, 362);             // 1 - 0.9998 * 2^-31
  beside_one("multiplier fraction carried", 60, 120);     // 1 - 2^-34: carries into 2^31
  beside_one("multiplier smallest but one", 2032, 4063);  // 1 + 1.01 * 2^-30
  return cases;
}

// M one unit beside those that make ties.
std::vector<WeightedCase> ladders_beside_ties(const LadderNames& names) {
  struct Beside {
    const char* name;
    float m;
    DataType type;
    int32_t weights_zero_point;
  };
  const Beside kBeside[] = {
      {"beside 0.25 below", std::nextafter(0.25f, 0.0f), DataType::kInt8, 0},
      {"beside 0.5 above", std::nextafter(0.5f, 1.0f), DataType::kUint8, 100},
  };
  std::vector<WeightedCase> cases;
  for (const Beside& beside : kBeside) {
    cases.push_back(names.make(typed(beside.name, beside.type),
                               {.type = beside.type,
                                .bases = bases_across(beside.m, 0),
                                .depth = 3,
                                .weights_zero_point = beside.weights_zero_point,
                                .steps = {}}));
    scale_by(cases.back(), beside.m);
  }
  return cases;
}

// Accumulators of 2^24 and more around the ties of outputs 64 to 126, where every rounding on the
// way to float32, and the width in which M was computed, decide.
std::vector<WeightedCase> large_accumulator_ladders(const LadderNames& names) {
  struct Scales {
    const char* name;
    float input;
    float weights;
    float output;
  };
  constexpr Scales kScales[] = {
      {"large accumulators 2^-18", 0x1p-9f, 0x1p-9f, 1.0f},
      {"large accumulators 2^-19", 0x1p-9f, 0x1p-10f, 1.0f},
      {"large accumulators 0.9 2^-17", 0x1.345678p-9f, 0x1.8bcdeep-9f, 0x1.0456p0f},
      {"large accumulators 0.7 2^-20", 0x1.23456ap-10f, 0x1.5bcdeep-10f, 0x1.1b2c3ep0f},
  };
  std::vector<WeightedCase> cases;
  for (const DataType type : kBothTypes) {
    for (const Scales& scales : kScales) {
      // uint8 differs in the width of M alone, which shows with scales that are no powers of two.
      if (type == DataType::kUint8 && scales.output == 1.0f) continue;
      const double m = double{scales.input} * scales.weights / scales.output;
      std::vector<int32_t> bases;
      for (int32_t output = 64; output <= 126; output += 3) {
        bases.push_back(saturated(std::floor((output + 0.5) / m)));
        bases.push_back(saturated(std::floor(-(output + 1.5) / m)));
      }
      cases.push_back(names.make(typed(scales.name, type),
                                 {.type = type,
                                  .bases = bases,
                                  .weights_zero_point = type == DataType::kInt8 ? 0 : 127,
                                  .steps = {}}));
      cases.back().input_scale = scales.input;
      cases.back().weights_scales = {scales.weights};
      cases.back().output_scale = scales.output;
    }
  }
  return cases;
}

// --- Shifts -------------------------------------------------------------------------------------

// Bases at ties of large and of small outputs, as far as int32 reaches, and at its ends.
std::vector<int32_t> bases_for_shift(double m) {
  return {saturated(std::round(100.5 / m)), saturated(std::round(-101.5 / m)),
          saturated(std::round(1.5 / m)), saturated(std::round(-0.5 / m))};
}

WeightedCase every_shift(const LadderNames& names, float fraction) {
  std::vector<int32_t> bases;
  std::vector<float> scales;
  for (int32_t shift = -31; shift <= 8; ++shift) {
    const float m = std::ldexp(fraction, shift);
    for (const int32_t base : bases_for_shift(static_cast<double>(m))) {
      bases.push_back(base);
      scales.push_back(m);
    }
  }
  WeightedCase description =
      names.make(fmt::format("every shift {:.6g}", fraction), {.bases = bases, .steps = {}});
  description.weights_scales = scales;
  return description;
}

std::vector<WeightedCase> shift_corners(const LadderNames& names) {
  std::vector<WeightedCase> cases;
  cases.push_back(every_shift(names, 0.95f));
  struct End {
    const char* name;
    float m;
  };
  constexpr End kEnds[] = {
      {"scale too small", 0x1p-34f},  // its multiplier is 0
      {"shift -31", 0x1.ep-32f},      // 0.94 * 2^-31
      {"shift -30", 0x1p-31f},
      {"shift 8", 200.25f},
  };
  const auto add_end = [&](const End& end, DataType type) {
    cases.push_back(names.make(
        typed(end.name, type),
        {.type = type, .bases = bases_for_shift(double{end.m}), .depth = 4, .steps = {}}));
    scale_by(cases.back(), end.m);
  };
  for (const End& end : kEnds) {
    add_end(end, DataType::kUint8);
    if (names.kind == WeightedKind::kFullyConnected) {  // older engines know no other int8 scales
      add_end(end, DataType::kInt8);
    }
  }
  // Products beyond int32, which saturate in float32, with zero points that lead back across its
  // end.
  for (const int32_t zero_point : {100, -100}) {
    cases.push_back(names.make(
        fmt::format("product beyond int32, zero point {}", zero_point),
        {.bases = {saturated(0x1p31), saturated(-0x1p31), 1 << 27, -(1 << 27), 1 << 24, -(1 << 24)},
         .depth = 2,
         .steps = {}}));
    scale_by(cases.back(), 200.25f);
    cases.back().output_zero_point = zero_point;
  }
  // So large that nothing but 0 and +-1 can be scaled without leaving int32. XNNPACK refuses them.
  constexpr End kLeftShifts[] = {
      {"shift 9", 300.0f}, {"shift 20", 0x1.8p19f}, {"shift 30", 0x1.8p29f}};
  size_t index = 0;
  for (const End& end : kLeftShifts) {
    const DataType type = kBothTypes[index++ % 2];
    cases.push_back(
        names.make(typed(end.name, type),
                   {.type = type, .bases = {0, 0, 0}, .depth = 5, .steps = {0, 1, -1, 0, 0, 1}}));
    cases.back().input_scale = end.m;
  }
  return cases;
}

// --- Activations --------------------------------------------------------------------------------

std::vector<WeightedCase> activation_corners(const LadderNames& names) {
  struct Clip {
    const char* name;
    Activation activation;
    float output_scale;
    int32_t zero_point;
    int32_t base;
    int32_t other_base;
  };
  // M = 1/4: outputs are zero_point + base / 4 - 32 to zero_point + base / 4 + 32.
  constexpr Clip kClips[] = {
      {"NONE clips nothing", Activation::kNone, 0.5f, 0, 0, 100},
      {"NONE clips some", Activation::kNone, 0.5f, 3, 500, -500},
      {"NONE clips everything", Activation::kNone, 0.5f, 0, 2000, -3000},
      {"RELU clips nothing", Activation::kRelu, 0.5f, -128, 128, 300},
      {"RELU clips some", Activation::kRelu, 0.5f, -10, 0, 500},
      {"RELU clips everything", Activation::kRelu, 0.5f, 5, -2000, -200},
      {"RELU6 clips nothing", Activation::kRelu6, 0.05f, -128, 128, 160},
      {"RELU6 clips some", Activation::kRelu6, 0.1f, -20, 160, 0},
      {"RELU6 clips everything", Activation::kRelu6, 0.1f, 0, 2000, -2000},
      {"RELU6 bounds between integers", Activation::kRelu6, 4.0f, 3, 0, 8},
      {"RELU_N1_TO_1 clips nothing", Activation::kReluN1To1, 0.02f, 10, 0, 30},
      {"RELU_N1_TO_1 clips some", Activation::kReluN1To1, 0.05f, 0, 0, 100},
      {"RELU_N1_TO_1 clips everything", Activation::kReluN1To1, 0.05f, -5, 800, -800},
      {"RELU_N1_TO_1 bounds between integers", Activation::kReluN1To1, 0.4f, 2, 0, 8},
  };
  std::vector<WeightedCase> cases;
  size_t index = 0;
  for (const Clip& clip : kClips) {
    const DataType type = kBothTypes[index++ % 2];
    cases.push_back(
        names.make(typed(clip.name, type),
                   {.type = type, .bases = {clip.base, clip.other_base}, .depth = 2, .steps = {}}));
    cases.back().input_scale = clip.output_scale / 4;
    cases.back().output_scale = clip.output_scale;
    cases.back().output_zero_point = clip.zero_point;
    activation_of(cases.back().attributes) = clip.activation;
  }
  return cases;
}

}  // namespace

WeightedCase make_ladder(const Ladder& ladder, Random& random) {
  WeightedCase result;
  result.type = ladder.type;
  result.input_zero_point = ladder.input_zero_point;
  result.weights_zero_point = ladder.weights_zero_point;
  std::vector<int8_t> steps = ladder.steps;
  if (steps.empty()) {
    steps = make_contents(Pattern::kRamp, 256, 0, random);
  }
  const size_t channels = ladder.bases.size();
  const auto weights_zero_point = static_cast<int8_t>(ladder.weights_zero_point);
  // The weight that counts; a zero point of 127 has no neighbour above.
  const int32_t unit = ladder.weights_zero_point < 127 ? 1 : -1;
  const auto unit_weight = static_cast<int8_t>(ladder.weights_zero_point + unit);
  constexpr size_t kRows = 256;
  const auto step = [&](size_t row) { return steps[row % steps.size()]; };
  const auto output_channels = static_cast<int32_t>(channels);

  // accumulator = bias + unit * (x - input_zero_point) with x = unit * step where x can be that.
  for (const int32_t base : ladder.bases) {
    const int64_t bias = int64_t{base} + int64_t{unit} * ladder.input_zero_point;
    result.bias.push_back(static_cast<int32_t>(std::clamp<int64_t>(bias, INT32_MIN, INT32_MAX)));
  }
  if (ladder.kind == WeightedKind::kDepthwiseConv2d) {
    graph::DepthwiseConv2dAttributes attributes;
    attributes.padding = graph::Padding::kSame;
    const bool has_window = ladder.depth > 1;
    const int32_t input_channels = has_window ? output_channels : 1;
    const int32_t kernel = has_window ? 3 : 1;
    result.input_shape = {1, 16, 16, input_channels};
    result.weights_shape = {1, kernel, kernel, output_channels};
    attributes.depth_multiplier = output_channels / input_channels;
    result.attributes = attributes;
    for (size_t row = 0; row < kRows; ++row) {
      result.input.insert(result.input.end(), static_cast<size_t>(input_channels), step(row));
    }
    const auto taps = static_cast<size_t>(kernel * kernel);
    result.weights.assign(taps * channels, weights_zero_point);
    std::fill_n(result.weights.begin() + static_cast<std::ptrdiff_t>(taps / 2 * channels), channels,
                unit_weight);
    return result;
  }

  const auto depth = static_cast<size_t>(ladder.depth);
  if (ladder.kind == WeightedKind::kConv2d) {
    result.attributes = graph::Conv2dAttributes{};
    result.input_shape = {1, 16, 16, ladder.depth};
    result.weights_shape = {output_channels, 1, 1, ladder.depth};
  } else {
    result.attributes = graph::FullyConnectedAttributes{};
    result.input_shape = {static_cast<int32_t>(kRows), ladder.depth};
    result.weights_shape = {output_channels, ladder.depth};
  }
  // The middle channel counts. Of the others, even ones meet any weight with nothing, odd ones any
  // value with a weight of nothing.
  const size_t middle = depth / 2;
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t channel = 0; channel < depth; ++channel) {
      result.input.push_back(channel == middle  ? step(row)
                             : channel % 2 == 0 ? static_cast<int8_t>(ladder.input_zero_point)
                                                : random.byte());
    }
  }
  for (size_t output = 0; output < channels; ++output) {
    for (size_t channel = 0; channel < depth; ++channel) {
      result.weights.push_back(channel == middle  ? unit_weight
                               : channel % 2 == 0 ? random.byte()
                                                  : weights_zero_point);
    }
  }
  return result;
}

std::vector<WeightedCase> arithmetic_corners(WeightedKind kind) {
  const LadderNames names{kind};
  std::vector<WeightedCase> cases = tie_ladders(names);
  append(cases, per_channel_ladders(names));
  append(cases, ladders_beside_ties(names));
  append(cases, large_accumulator_ladders(names));
  append(cases, shift_corners(names));
  append(cases, activation_corners(names));
  return cases;
}

Result<std::vector<Case>> build_family(const std::vector<WeightedCase>& corners,
                                       const std::vector<WeightedCase>& random_cases,
                                       const std::vector<RequiredCoverage>& required) {
  std::vector<Case> cases;
  const auto build = [&](const std::vector<WeightedCase>& descriptions) -> Status {
    for (const WeightedCase& description : descriptions) {
      Result<Case> built = build_case(description);
      if (!built) {
        return tl::unexpected(built.error());
      }
      cases.push_back(*std::move(built));
    }
    return {};
  };
  if (Status status = build(corners); !status) {
    return tl::unexpected(status.error());
  }
  choose_quick_cases(cases, quick_coverage(required));
  if (Status status = build(random_cases); !status) {
    return tl::unexpected(status.error());
  }
  return cases;
}

}  // namespace lockstep::conformance
