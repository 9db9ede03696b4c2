// Where a generator puts its cases: each is built, named, and measured.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/case.h"
#include "conformance/generators/measurement.h"
#include "graph/graph_builder.h"
#include "graph/status.h"

namespace lockstep::conformance {

class CaseCollector {
 public:
  // `measure` adds the family's own points to those that every operator has.
  CaseCollector(std::string_view family, Measure measure);

  // A case of the default suite, and of the quick one too. `inputs` are the dense bytes of the
  // graph's inputs. `said` are points that cannot be measured: what engines make of the case. The
  // first graph that could not be built is remembered and told by finish().
  void add(std::string_view what, const Result<graph::Graph>& graph, std::vector<Bytes> inputs,
           const std::vector<CoveragePoint>& said = {});
  void add_quick(std::string_view what, const Result<graph::Graph>& graph,
                 std::vector<Bytes> inputs, const std::vector<CoveragePoint>& said = {});
  // One or the other.
  void add_either(bool is_quick, std::string_view what, const Result<graph::Graph>& graph,
                  std::vector<Bytes> inputs, const std::vector<CoveragePoint>& said = {});

  Result<std::vector<Case>> finish() &&;

 private:
  Status append(std::string_view what, const Result<graph::Graph>& graph, std::vector<Bytes> inputs,
                const std::vector<CoveragePoint>& said);

  std::string family_;
  Measure measure_;
  std::vector<Case> cases_;
  std::optional<Error> error_;
};

}  // namespace lockstep::conformance
