// What `lockstep compare` found, for people, for programs and as a page.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "quantization/model_comparison.h"

namespace lockstep::tools {

struct ComparedModel {
  std::string path;
  uintmax_t bytes = 0;
  std::string engine;
  double milliseconds = 0;  // median latency
  graph::Graph graph;
};

// What every output must reach.
struct ComparisonThresholds {
  std::optional<double> minimum_sqnr;  // dB
  std::optional<double> maximum_l2;
  std::optional<double> minimum_top1;  // percent

  bool is_empty() const { return !minimum_sqnr && !maximum_l2 && !minimum_top1; }
};

struct ComparisonReport {
  ComparedModel expected;  // A
  ComparedModel actual;    // B
  quantization::ModelComparison comparison;
  std::vector<std::string> sample_names;  // of all samples
  ComparisonThresholds thresholds;
};

// A sentence for every threshold that an output misses. An output with values that cannot be
// compared (NaN on one side) misses any.
std::vector<std::string> missed_thresholds(const ComparisonReport& report);

// The samples of an output with the largest error, relative to what they are: the lowest SQNR
// first, at most `count`. Samples without any error are none.
std::vector<quantization::SampleComparison> worst_samples(
    const quantization::OutputComparison& output, size_t count);

// "37.2 dB"; "exact" where nothing differs.
std::string decibels(double sqnr);
// "98.50 %"; empty where an output has no classes, or too few of them for the five best to tell.
std::string top1_text(const quantization::OutputComparison& output);
std::string top5_text(const quantization::OutputComparison& output);

// Tables for a terminal.
std::string comparison_text(const ComparisonReport& report);
// Infinite figures are null.
nlohmann::json comparison_json(const ComparisonReport& report);
// One self-contained page.
std::string comparison_html(const ComparisonReport& report);

}  // namespace lockstep::tools
