// Where each node of the host went and why, as the plugin's `report` option writes it:
//
//   {"backend": "vulkan", "device": "llvmpipe", "driver": "...", "numerics": "tflite",
//    "problem": "",                    why nothing at all went to the device
//    "subgraphs": [{
//      "partitions": 2,
//      "nodes": [{"index": 0, "operator": "CONV_2D", "output": "conv1/Relu6",
//                 "partition": 0,      -1: the host kept it
//                 "variant": "...",    the kernel that computes it, once prepared
//                 "reason": ""}]}]}    why the host kept it, or why the device was given up
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/device.h"
#include "graph/status.h"

namespace lockstep::delegate {

struct NodePlacement {
  int32_t node = 0;  // the host's number
  std::string name;
  std::string output;
  int32_t partition = -1;
  std::string variant;
  std::string reason;
};

struct SubgraphPlacement {
  const void* context = nullptr;  // tells the host's subgraphs apart; not written
  int32_t partitions = 0;
  std::vector<NodePlacement> nodes;
};

struct PlacementReport {
  backend::DeviceDescription device;
  std::string numerics;
  std::string problem;
  std::vector<SubgraphPlacement> subgraphs;

  // The subgraph with this context, added if new.
  SubgraphPlacement& subgraph(const void* context);
};

std::string to_json(const PlacementReport& report);

// Replaces the file at once, so that a reader never sees half of it.
Status write_report(const PlacementReport& report, const std::string& path);

}  // namespace lockstep::delegate
