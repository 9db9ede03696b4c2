#include "delegate_api/tflite/placement_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "delegate_api/whole_file.h"

namespace lockstep::delegate {

SubgraphPlacement& PlacementReport::subgraph(const void* context) {
  const auto known =
      std::find_if(subgraphs.begin(), subgraphs.end(),
                   [&](const SubgraphPlacement& subgraph) { return subgraph.context == context; });
  if (known != subgraphs.end()) {
    return *known;
  }
  subgraphs.push_back({.context = context, .partitions = 0, .nodes = {}});
  return subgraphs.back();
}

std::string to_json(const PlacementReport& report) {
  nlohmann::ordered_json json = {
      {"backend", report.device.backend}, {"device", report.device.name},
      {"driver", report.device.driver},   {"numerics", report.numerics},
      {"problem", report.problem},        {"subgraphs", nlohmann::ordered_json::array()}};
  for (const SubgraphPlacement& subgraph : report.subgraphs) {
    nlohmann::ordered_json nodes = nlohmann::ordered_json::array();
    for (const NodePlacement& node : subgraph.nodes) {
      nodes.push_back({{"index", node.node},
                       {"operator", node.name},
                       {"output", node.output},
                       {"partition", node.partition},
                       {"variant", node.variant},
                       {"reason", node.reason}});
    }
    json["subgraphs"].push_back({{"partitions", subgraph.partitions}, {"nodes", std::move(nodes)}});
  }
  // Names come from model files and need not be UTF-8.
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Status write_report(const PlacementReport& report, const std::string& path) {
  return write_whole_file(path, to_json(report), "the report");
}

}  // namespace lockstep::delegate
