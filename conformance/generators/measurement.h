// What a case really contains. Coverage points are read from the graph and from the contents of all
// its tensors as host_ref computes them, never from what a generator meant to make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/case.h"
#include "graph/graph.h"
#include "graph/status.h"

namespace lockstep::conformance {

using Bytes = std::vector<std::byte>;

// The points of one case, each once.
class CoveragePoints {
 public:
  void add(std::string_view dimension, std::string_view value);
  std::vector<CoveragePoint> sorted() const;

 private:
  std::set<CoveragePoint> points_;
};

// A graph with the contents of all its tensors under the first contract that computes it; without
// contents where none does.
class MeasuredGraph {
 public:
  // `graph` must live longer. Fails where host_ref fails on a graph that the lowering took.
  static Result<MeasuredGraph> compute(const graph::Graph& graph, const std::vector<Bytes>& inputs);

  const graph::Graph& graph() const { return *graph_; }
  const graph::Tensor& tensor(int32_t index) const {
    return graph_->tensors[static_cast<size_t>(index)];
  }
  // An 8-bit tensor's contents in the model's own domain; empty where there are none.
  std::vector<int32_t> values(int32_t tensor) const;
  // A float32 tensor's.
  std::vector<float> real_values(int32_t tensor) const;

 private:
  explicit MeasuredGraph(const graph::Graph& graph) : graph_(&graph) {}

  const graph::Graph* graph_;
  std::vector<Bytes> contents_;  // by tensor index
};

// What a family measures beyond what every operator has.
using Measure = void (*)(const MeasuredGraph& measured, CoveragePoints& points);

// Of every operator: "operator", "type", "rank", "batch" (1 or more), "channels" (the innermost
// extent of its output), "input zero_point" and "output zero_point" (lowest, middle, highest,
// other), "activation".
void measure_operators(const MeasuredGraph& measured, CoveragePoints& points);

// "clipping": for every operator with a fused activation "relu6 clips nothing", "... some",
// "... all" of its output's elements, found by computing the graph without activations.
Status measure_clipping(const MeasuredGraph& measured, const std::vector<Bytes>& inputs,
                        CoveragePoints& points);

// The graph with every fused activation taken away.
graph::Graph without_activations(const graph::Graph& graph);

std::string_view activation_name(graph::Activation activation);

// "lowest", "middle", "highest" or "other".
std::string_view zero_point_name(const graph::Tensor& tensor);

// Real zero point and scale of a tensor with one of each.
inline int32_t zero_point_of(const graph::Tensor& tensor) {
  return tensor.quantization.zero_points[0];
}
inline float scale_of(const graph::Tensor& tensor) { return tensor.quantization.scales[0]; }

// Watches results before they are rounded to `output`: "tie" positive and negative for exact
// halves, "saturation" lowest and highest for what lies beyond the type's range.
class RoundingWatch {
 public:
  explicit RoundingWatch(const graph::Tensor& output);

  // numerator / denominator is what is rounded before the zero point joins it. Both must be exact,
  // and the denominator positive: a half is then recognised without an error.
  void see(double numerator, double denominator);
  void report(CoveragePoints& points) const;

 private:
  double lowest_;
  double highest_;
  bool positive_tie_ = false;
  bool negative_tie_ = false;
  bool beyond_lowest_ = false;
  bool beyond_highest_ = false;
};

}  // namespace lockstep::conformance
