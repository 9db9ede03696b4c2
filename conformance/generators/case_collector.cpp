#include "conformance/generators/case_collector.h"

#include <fmt/format.h>

#include <utility>

namespace lockstep::conformance {

CaseCollector::CaseCollector(std::string_view family, Measure measure)
    : family_(family), measure_(measure) {}

void CaseCollector::add(std::string_view what, const Result<graph::Graph>& graph,
                        std::vector<Bytes> inputs, const std::vector<CoveragePoint>& said) {
  if (error_) {
    return;
  }
  if (Status status = append(what, graph, std::move(inputs), said); !status) {
    error_ = Error{status.error().code,
                   fmt::format("case '{}/{}': {}", family_, what, status.error().message)};
  }
}

void CaseCollector::add_quick(std::string_view what, const Result<graph::Graph>& graph,
                              std::vector<Bytes> inputs, const std::vector<CoveragePoint>& said) {
  add(what, graph, std::move(inputs), said);
  if (!error_) {
    cases_.back().is_quick = true;
  }
}

void CaseCollector::add_either(bool is_quick, std::string_view what,
                               const Result<graph::Graph>& graph, std::vector<Bytes> inputs,
                               const std::vector<CoveragePoint>& said) {
  if (is_quick) {
    add_quick(what, graph, std::move(inputs), said);
  } else {
    add(what, graph, std::move(inputs), said);
  }
}

Status CaseCollector::append(std::string_view what, const Result<graph::Graph>& graph,
                             std::vector<Bytes> inputs, const std::vector<CoveragePoint>& said) {
  if (!graph) {
    return tl::unexpected(graph.error());
  }
  Case made;
  made.name = fmt::format("{}/{}", family_, what);
  made.family = family_;
  made.graph = *graph;
  made.graph.name = made.name;
  made.inputs = std::move(inputs);

  const Result<MeasuredGraph> measured = MeasuredGraph::compute(made.graph, made.inputs);
  if (!measured) {
    return tl::unexpected(measured.error());
  }
  CoveragePoints points;
  measure_operators(*measured, points);
  if (Status status = measure_clipping(*measured, made.inputs, points); !status) {
    return status;
  }
  measure_(*measured, points);
  for (const CoveragePoint& point : said) {
    points.add(point.dimension, point.value);
  }
  made.coverage = points.sorted();
  cases_.push_back(std::move(made));
  return {};
}

Result<std::vector<Case>> CaseCollector::finish() && {
  if (error_) {
    return tl::unexpected(*error_);
  }
  return std::move(cases_);
}

}  // namespace lockstep::conformance
