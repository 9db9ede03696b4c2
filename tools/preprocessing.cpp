#include "tools/preprocessing.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "graph/tensor.h"

namespace lockstep::tools {
namespace {

using NamedResizeMode = std::pair<std::string_view, ResizeMode>;
constexpr std::array kResizeModes{NamedResizeMode{"stretch", ResizeMode::kStretch},
                                  NamedResizeMode{"crop", ResizeMode::kCrop},
                                  NamedResizeMode{"fit", ResizeMode::kFit}};

// One value for every channel, from one, from as many, or from none.
Result<std::vector<float>> for_channels(const std::vector<float>& given, float otherwise,
                                        size_t channels, const char* option,
                                        const std::string& input) {
  if (given.empty()) return std::vector<float>(channels, otherwise);
  if (given.size() == 1) return std::vector<float>(channels, given[0]);
  if (given.size() == channels) return given;
  return make_error(ErrorCode::kInvalidArgument, "{} has {} values; input '{}' has {} {}", option,
                    given.size(), graph::printable(input), channels,
                    channels == 1 ? "channel" : "channels");
}

}  // namespace

void Preprocessing::add_options(CLI::App& command) {
  command
      .add_option("--mean", mean,
                  "Taken off every value; one, or one a channel: 123.7,116.3,103.5 "
                  "(default: 127.5 for images, 0 for numbers)")
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      .add_option("--std", standard_deviation,
                  "Divides what is left, like --mean (default: 127.5 for images, 1 for numbers)")
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      .add_option_function<std::string>(
          "--resize",
          [this](const std::string& name) {
            resize = std::ranges::find(kResizeModes, name, &NamedResizeMode::first)->second;
          },
          "How images get the input's aspect ratio: stretch, crop (the largest part "
          "around the centre) or fit (the whole, black beside it)")
      ->check(CLI::IsMember({"stretch", "crop", "fit"}))
      ->default_str("stretch");
}

Status normalize(const Preprocessing& preprocessing, const Normalization& otherwise,
                 size_t channels, const std::string& input, std::span<float> values) {
  const auto means = for_channels(preprocessing.mean, otherwise.mean, channels, "--mean", input);
  if (!means) return tl::unexpected(means.error());
  const auto deviations = for_channels(preprocessing.standard_deviation,
                                       otherwise.standard_deviation, channels, "--std", input);
  if (!deviations) return tl::unexpected(deviations.error());
  const auto is_finite = [](float value) { return std::isfinite(value); };
  const auto is_usable = [](float value) { return std::isfinite(value) && value > 0; };
  if (!std::all_of(means->begin(), means->end(), is_finite) ||
      !std::all_of(deviations->begin(), deviations->end(), is_usable)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "--mean takes numbers, and --std takes positive ones");
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t channel = i % channels;
    values[i] = (values[i] - (*means)[channel]) / (*deviations)[channel];
  }
  return {};
}

}  // namespace lockstep::tools
