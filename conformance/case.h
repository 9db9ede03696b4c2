// A conformance case: a small network with its inputs. What it must give is not part of it: that
// is computed by host_ref, or was recorded (golden digests, a corpus).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace lockstep::conformance {

// One value of one dimension of the space that a family covers, "channels" = "17": see coverage.h.
// The dimension "engine" marks cases that real engines refuse, crash on or leave undefined, with
// the reason; a comparison with an engine leaves them out.
struct CoveragePoint {
  std::string dimension;
  std::string value;
  auto operator<=>(const CoveragePoint&) const = default;
};

struct Case {
  // "conv_2d/ties half per_channel int8": the family, then what is special about the case. Unique
  // in a suite and the same in every build, because waivers, journals and golden digests name it.
  std::string name;
  std::string family;  // "conv_2d"
  // Passed validate(); can be written as a .tflite file.
  graph::Graph graph;
  // Dense bytes (NHWC, uint8 as uint8) of graph.inputs[i].
  std::vector<std::vector<std::byte>> inputs;
  std::vector<CoveragePoint> coverage;
  // Part of the quick suite too.
  bool is_quick = false;
};

}  // namespace lockstep::conformance
