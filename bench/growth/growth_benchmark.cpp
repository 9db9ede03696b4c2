#include "bench/growth/growth_benchmark.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "bench/checked_graph.h"
#include "bench/name_filter.h"
#include "graph/graph_builder.h"

namespace lockstep::bench {
namespace {

constexpr int32_t kChannels = 16;
constexpr int32_t kKernel = 3;

struct AxisDescription {
  const char* name;
  double expected;
  int32_t GrowthPoint::*value;
};
constexpr AxisDescription kAxes[] = {{"size", 2.0, &GrowthPoint::size},
                                     {"batch", 1.0, &GrowthPoint::batch},
                                     {"depth", 1.0, &GrowthPoint::depth}};

GrowthAxis follow(const GrowthBenchmark& benchmark, const AxisDescription& description) {
  GrowthAxis axis{.name = description.name,
                  .expected = description.expected,
                  .values = {},
                  .seconds = {},
                  .exponent = 0,
                  .local_exponents = {}};
  // Of the points that share everything else with the largest one.
  const auto largest = std::ranges::max_element(
      benchmark.times, std::less<>(),
      [](const GrowthTime& each) { return multiply_accumulates(each.point); });
  std::vector<const GrowthTime*> line;
  for (const GrowthTime& each : benchmark.times) {
    const bool is_on_it = std::ranges::all_of(kAxes, [&](const AxisDescription& other) {
      return other.value == description.value ||
             each.point.*other.value == largest->point.*other.value;
    });
    if (is_on_it) line.push_back(&each);
  }
  std::ranges::sort(line, std::less<>(),
                    [&](const GrowthTime* each) { return each->point.*description.value; });
  std::vector<std::vector<double>> factors;
  for (const GrowthTime* each : line) {
    axis.values.push_back(each->point.*description.value);
    axis.seconds.push_back(each->time.median_seconds);
    factors.push_back({static_cast<double>(axis.values.back())});
  }
  if (line.size() < 2) return axis;
  axis.exponent = fit_power_law(factors, axis.seconds).exponents[0];
  for (size_t i = 1; i < line.size(); ++i) {
    axis.local_exponents.push_back(std::log(axis.seconds[i] / axis.seconds[i - 1]) /
                                   std::log(factors[i][0] / factors[i - 1][0]));
  }
  return axis;
}

}  // namespace

std::string point_name(const GrowthPoint& point) {
  return fmt::format("size_{}/batch_{}/depth_{}", point.size, point.batch, point.depth);
}

int64_t multiply_accumulates(const GrowthPoint& point) {
  return int64_t{point.size} * point.size * point.batch * point.depth * kKernel * kKernel *
         kChannels * kChannels;
}

Result<graph::Graph> growth_graph(const GrowthPoint& point) {
  std::mt19937 random(3);
  graph::GraphBuilder builder(point_name(point));
  constexpr float kScale = 0.1f;
  int32_t tensor =
      builder.input("input", graph::DataType::kInt8,
                    {point.batch, point.size, point.size, kChannels}, graph::per_tensor(kScale, 3));
  for (int32_t layer = 0; layer < point.depth; ++layer) {
    std::vector<int8_t> weights(kChannels * kKernel * kKernel * kChannels);
    std::ranges::generate(
        weights, [&] { return static_cast<int8_t>(static_cast<int32_t>(random() % 255) - 127); });
    const int32_t filter = builder.constant<int8_t>(
        fmt::format("weights_{}", layer), {kChannels, kKernel, kKernel, kChannels}, weights,
        graph::per_axis(std::vector<float>(kChannels, 0.001f), 0));
    tensor = builder.conv_2d(tensor, filter, graph::kAbsentTensor, graph::per_tensor(kScale, 3));
  }
  return builder.build({tensor});
}

std::vector<GrowthPoint> growth_points(bool quick) {
  const std::vector<int32_t> sizes =
      quick ? std::vector<int32_t>{8, 16} : std::vector<int32_t>{16, 32, 64, 128};
  const std::vector<int32_t> batches =
      quick ? std::vector<int32_t>{1, 2} : std::vector<int32_t>{1, 2, 4, 8};
  const std::vector<int32_t> depths =
      quick ? std::vector<int32_t>{1, 2} : std::vector<int32_t>{1, 4, 16};
  std::vector<GrowthPoint> points;
  for (const int32_t size : sizes) {
    for (const int32_t batch : batches) {
      for (const int32_t depth : depths) points.push_back({size, batch, depth});
    }
  }
  return points;
}

void fit_growth(GrowthBenchmark& benchmark) {
  std::vector<std::vector<double>> factors;
  std::vector<double> seconds;
  std::vector<double> giga;
  for (const GrowthTime& each : benchmark.times) {
    factors.push_back({static_cast<double>(each.point.size), static_cast<double>(each.point.batch),
                       static_cast<double>(each.point.depth)});
    giga.push_back(static_cast<double>(multiply_accumulates(each.point)) * 1e-9);
    seconds.push_back(each.time.median_seconds);
  }
  benchmark.law = fit_power_law(factors, seconds);
  benchmark.line = fit_line(giga, seconds);
  benchmark.axes.clear();
  if (benchmark.times.empty()) return;
  for (const AxisDescription& axis : kAxes) benchmark.axes.push_back(follow(benchmark, axis));
}

Result<GrowthBenchmark> run_growth_benchmark(backend::Device& device,
                                             const std::vector<GrowthPoint>& points,
                                             const GrowthBenchmarkOptions& options,
                                             const Progress& progress) {
  const auto filter = NameFilter::create(options.filter);
  if (!filter) return tl::unexpected(filter.error());
  GrowthBenchmark benchmark;
  benchmark.device = device.description();
  std::vector<TimedProgram> programs;
  for (const GrowthPoint& point : points) {
    const std::string name = point_name(point);
    if (!filter->matches(name)) continue;
    progress("preparing " + name);
    const auto named = [&](const Error& error) {
      return tl::unexpected(Error{error.code, name + ": " + error.message});
    };
    const auto graph = growth_graph(point);
    if (!graph) return named(graph.error());
    const auto checked = CheckedGraph::create(*graph);
    if (!checked) return named(checked.error());
    auto program = checked->compile(device, "", TimedProgram::What::kWholeRuns);
    if (!program) return named(program.error());
    programs.push_back(std::move(*program));
    benchmark.times.push_back({point, {}});
  }
  if (programs.empty()) return filter->matches_nothing("network");
  progress(fmt::format("{} networks in turns", programs.size()));
  std::vector<Competitor> competitors;
  for (size_t i = 0; i < programs.size(); ++i) {
    competitors.push_back(
        {point_name(benchmark.times[i].point), [&programs, i] { return programs[i].run(); }});
  }
  const auto seconds = measure(competitors, options.measure);
  if (!seconds) return tl::unexpected(seconds.error());
  for (size_t i = 0; i < programs.size(); ++i) {
    benchmark.times[i].time = summarise((*seconds)[i]);
  }
  fit_growth(benchmark);
  return benchmark;
}

}  // namespace lockstep::bench
