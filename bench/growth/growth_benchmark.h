// How cost grows with the size of the image, the batch and the depth of a network.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/device_measurement.h"
#include "bench/measure.h"
#include "bench/statistics.h"
#include "graph/graph.h"
#include "graph/status.h"

namespace lockstep::bench {

// `depth` convolutions of 3 x 3 and 16 channels one behind the other, on a square image.
struct GrowthPoint {
  int32_t size = 1;  // pixels along an edge
  int32_t batch = 1;
  int32_t depth = 1;
};
// "size_64/batch_4/depth_16"
std::string point_name(const GrowthPoint& point);
int64_t multiply_accumulates(const GrowthPoint& point);
Result<graph::Graph> growth_graph(const GrowthPoint& point);

struct GrowthTime {
  GrowthPoint point;
  TimeSummary time;  // of whole runs, by the host's clock
};

// How time follows one of the three while the other two stay as large as they get: the exponent of
// the fitted power, and those between neighbouring points.
struct GrowthAxis {
  std::string name;     // "size", "batch", "depth"
  double expected = 1;  // where only multiplications cost: 2 for size
  std::vector<int32_t> values;
  std::vector<double> seconds;
  double exponent = 0;
  std::vector<double> local_exponents;  // one fewer than values
};

struct GrowthBenchmark {
  backend::DeviceDescription device;
  std::vector<GrowthTime> times;
  // Over all points: exponents of size, batch, depth.
  PowerLaw law;
  // Over all points, with giga multiply-accumulates as the factor: what a run costs at least, and
  // what each of them adds.
  Line line;
  std::vector<GrowthAxis> axes;
};

// The laws that follow from times; what run_growth_benchmark() ends with.
void fit_growth(GrowthBenchmark& benchmark);

// Every combination of the three; `quick`: few and small ones.
std::vector<GrowthPoint> growth_points(bool quick);

struct GrowthBenchmarkOptions {
  std::string filter;  // as of DeviceBenchmarkOptions, on point_name()
  MeasureOptions measure;
};

// Every network is compared with host_ref once, then all are timed in turns. kInternal where one
// computes something else.
Result<GrowthBenchmark> run_growth_benchmark(backend::Device& device,
                                             const std::vector<GrowthPoint>& points,
                                             const GrowthBenchmarkOptions& options,
                                             const Progress& progress);

}  // namespace lockstep::bench
