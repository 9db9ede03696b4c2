#include "bench/device/device_layers.h"

#include <algorithm>
#include <iterator>

#include "bench/checked_graph.h"
#include "bench/layers/layer_shape.h"

namespace lockstep::bench {
namespace {

struct NamedLayer {
  const char* name;
  LayerShape shape;
  bool is_bound_by_multiplying;  // and so to be compared with the peak
};
constexpr NamedLayer kLayers[] = {
    {"gemm/512", {LayerKind::kConvolution, 16, 32, 512, 512, 1, 1, 1}, true},
    {"depthwise/3x3", {LayerKind::kDepthwise, 56, 56, 144, 144, 3, 3, 1}, false}};

using OpenedDevice = Result<std::shared_ptr<backend::Device>>;

// The contenders' devices, each opened when it is first asked for.
class Devices {
 public:
  explicit Devices(std::span<const LayerContender> contenders)
      : contenders_(contenders), opened_(contenders.size()) {}

  const OpenedDevice& open(size_t contender) {
    std::optional<OpenedDevice>& device = opened_[contender];
    if (!device) device = contenders_[contender].open();
    return *device;
  }

 private:
  std::span<const LayerContender> contenders_;
  std::vector<std::optional<OpenedDevice>> opened_;
};

Result<std::vector<DeviceMeasurement>> measure_layer(const NamedLayer& layer,
                                                     std::span<const LayerContender> contenders,
                                                     Devices& devices,
                                                     const MeasureOptions& options,
                                                     const IsWanted& is_wanted) {
  std::vector<size_t> wanted;
  for (size_t i = 0; i < contenders.size(); ++i) {
    if (is_wanted(layer.name + contenders[i].suffix)) wanted.push_back(i);
  }
  std::vector<DeviceMeasurement> measurements;
  if (wanted.empty()) return measurements;
  const auto graph = layer_graph(layer.shape, 1, LayerQuantization::kInt8PerChannel);
  if (!graph) return tl::unexpected(graph.error());
  const auto checked = CheckedGraph::create(*graph);
  if (!checked) return tl::unexpected(checked.error());

  std::vector<TimedProgram> programs;
  std::vector<size_t> measurement_of;
  for (const size_t contender : wanted) {
    measurements.push_back({.name = layer.name + contenders[contender].suffix,
                            .meaning = {},
                            .unavailable = {},
                            .value = 0,
                            .unit = "GOPS",
                            .time = {}});
    DeviceMeasurement& measurement = measurements.back();
    const OpenedDevice& device = devices.open(contender);
    auto program = device ? checked->compile(**device, "", TimedProgram::What::kDispatches)
                          : tl::unexpected(device.error());
    if (!program && program.error().code != ErrorCode::kUnsupported &&
        program.error().code != ErrorCode::kInvalidArgument) {
      return make_error(program.error().code, "{}: {}", measurement.name, program.error().message);
    }
    if (!program) {
      measurement.unavailable = program.error().message;
      continue;
    }
    measurement.meaning = fmt::format("{}; {}", layer_name(layer.shape), program->clock_name());
    measurement_of.push_back(measurements.size() - 1);
    programs.push_back(std::move(*program));
  }
  std::vector<Competitor> competitors;
  for (size_t i = 0; i < programs.size(); ++i) {
    competitors.push_back(
        {measurements[measurement_of[i]].name, [&programs, i] { return programs[i].run(); }});
  }
  const auto seconds = measure(competitors, options);
  if (!seconds) return tl::unexpected(seconds.error());
  for (size_t i = 0; i < programs.size(); ++i) {
    DeviceMeasurement& measurement = measurements[measurement_of[i]];
    measurement.time = summarise((*seconds)[i]);
    measurement.value = work_of(layer.shape, 1).gops(measurement.time.median_seconds);
    const double peak = contenders[wanted[measurement_of[i]]].peak_gops;
    if (layer.is_bound_by_multiplying && peak > 0) {
      measurement.percent_of_peak = 100 * measurement.value / peak;
    }
  }
  return measurements;
}

}  // namespace

Result<std::vector<DeviceMeasurement>> measure_device_layers(
    std::span<const LayerContender> contenders, const MeasureOptions& options,
    const IsWanted& is_wanted) {
  Devices devices(contenders);
  std::vector<DeviceMeasurement> measurements;
  for (const NamedLayer& layer : kLayers) {
    auto measured = measure_layer(layer, contenders, devices, options, is_wanted);
    if (!measured) return measured;
    std::ranges::move(*measured, std::back_inserter(measurements));
  }
  return measurements;
}

}  // namespace lockstep::bench
