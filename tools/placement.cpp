#include "tools/placement.h"

#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/table.h"

namespace lockstep::tools {
namespace {

// Names that converters make of fused layers run over many lines.
constexpr size_t kLongestName = 48;
constexpr size_t kLongestReason = 160;

// "CONV_2D x 35, ADD x 10", in order of first appearance.
std::string count_operators(const std::vector<std::string>& names) {
  std::vector<std::string> order;
  std::map<std::string, int> counts;
  for (const std::string& name : names) {
    if (counts[name]++ == 0) order.push_back(name);
  }
  std::string text;
  for (const std::string& name : order) {
    if (!text.empty()) text += ", ";
    text += counts[name] == 1 ? name : fmt::format("{} x {}", name, counts[name]);
  }
  return text;
}

}  // namespace

void print_placement(const nlohmann::json& report) {
  const std::string driver = report.value("driver", "");
  fmt::print("device      {}{}\n", report.value("device", ""),
             driver.empty() ? "" : fmt::format(" ({})", driver));
  fmt::print("numerics    {}\n", report.value("numerics", ""));
  for (const auto& subgraph : report.at("subgraphs")) {
    std::vector<std::string> taken;
    for (const auto& node : subgraph.at("nodes")) {
      if (node.at("partition").get<int>() >= 0) taken.push_back(node.at("operator"));
    }
    const int partitions = subgraph.at("partitions");
    if (taken.empty()) {
      fmt::print("on device   none of {} nodes\n", subgraph.at("nodes").size());
    } else {
      fmt::print("on device   {} of {} nodes in {} {}: {}\n", taken.size(),
                 subgraph.at("nodes").size(), partitions,
                 partitions == 1 ? "partition" : "partitions", count_operators(taken));
    }
    for (const auto& node : subgraph.at("nodes")) {
      const std::string reason = node.at("reason");
      if (node.at("partition").get<int>() >= 0 && reason.empty()) continue;
      fmt::print("on host     node {} {} '{}': {}\n", node.at("index").get<int>(),
                 node.at("operator").get<std::string>(), shorten(node.at("output"), kLongestName),
                 shorten(reason, kLongestReason));
    }
  }
}

}  // namespace lockstep::tools
