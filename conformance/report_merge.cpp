#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "conformance/report.h"
#include "conformance/text.h"

namespace lockstep::conformance {

namespace {

using nlohmann::json;

// A header without what shards of one run may differ in.
json run_identity(const ReportHeader& header) {
  json identity = to_json(header);
  identity.erase("shard_index");
  identity.erase("started");
  identity["subject"].erase("selector");
  identity["subject"]["device"].erase("device_uuid");
  return identity;
}

// Where two headers differ, for a person: "seed is 1 in one and 2 in the other".
std::optional<std::string> first_disagreement(const ReportHeader& first,
                                              const ReportHeader& second) {
  const json one = run_identity(first).flatten();
  const json other = run_identity(second).flatten();
  for (const json* side : {&one, &other}) {
    for (const auto& item : side->items()) {
      const std::string& pointer = item.key();
      const auto text = [&](const json& flat) {
        return flat.contains(pointer) ? one_line(flat[pointer].dump()) : std::string("absent");
      };
      if (text(one) == text(other)) continue;
      std::string name = pointer.substr(1);
      std::ranges::replace(name, '/', '.');
      return fmt::format("{} is {} in one and {} in the other", name, text(one), text(other));
    }
  }
  return std::nullopt;
}

Status check_shards(std::span<const Report> shards) {
  if (shards.empty()) return make_error(ErrorCode::kInvalidArgument, "there is nothing to merge");
  const ReportHeader& first = shards.front().header;
  for (const Report& shard : shards.subspan(1)) {
    if (const auto disagreement = first_disagreement(first, shard.header)) {
      return make_error(ErrorCode::kInvalidArgument, "shards {} and {} are not of the same run: {}",
                        first.shard_index, shard.header.shard_index, *disagreement);
    }
  }
  std::set<int32_t> present;
  for (const Report& shard : shards) {
    const int32_t index = shard.header.shard_index;
    if (index < 0 || index >= first.shard_count) {
      return make_error(ErrorCode::kInvalidArgument, "there is no shard {} of {}", index,
                        first.shard_count);
    }
    if (!present.insert(index).second) {
      return make_error(ErrorCode::kInvalidArgument, "shard {} of {} is there twice", index,
                        first.shard_count);
    }
  }
  // Counted by what is present: a header may claim two thousand million shards.
  int32_t expected = 0;
  for (const int32_t index : present) {
    if (index != expected) break;
    ++expected;
  }
  if (expected != first.shard_count) {
    return make_error(ErrorCode::kInvalidArgument, "shard {} of {} is missing", expected,
                      first.shard_count);
  }
  std::map<std::string, int32_t> shard_of_case;
  for (const Report& shard : shards) {
    for (const RunResult& result : shard.results) {
      const auto [known, is_new] =
          shard_of_case.emplace(result.case_name, shard.header.shard_index);
      if (!is_new && known->second != shard.header.shard_index) {
        return make_error(ErrorCode::kInvalidArgument, "the case '{}' is in shards {} and {}",
                          one_line(result.case_name), known->second, shard.header.shard_index);
      }
    }
  }
  return {};
}

bool is_same_hole(const CoverageHole& one, const CoverageHole& other) {
  return std::tie(one.family, one.dimension, one.value) ==
         std::tie(other.family, other.dimension, other.value);
}

// A value is missed by all cases when it is missed by those of every shard.
void keep_common_holes(std::vector<CoverageHole>& holes, const std::vector<CoverageHole>& others) {
  std::erase_if(holes, [&](const CoverageHole& hole) {
    return std::ranges::none_of(
        others, [&](const CoverageHole& other) { return is_same_hole(hole, other); });
  });
}

void add_hits(CoverageHits& sum, const CoverageHits& hits) {
  for (const auto& [family, dimensions] : hits) {
    for (const auto& [dimension, values] : dimensions) {
      for (const auto& [value, count] : values) sum[family][dimension][value] += count;
    }
  }
}

}  // namespace

Result<Report> merge_reports(std::span<const Report> shards) {
  if (Status status = check_shards(shards); !status) return tl::unexpected(status.error());
  // The same report whatever the order of the files: the first shard speaks for all.
  const Report& leader =
      *std::ranges::min_element(shards, {}, [](const Report& r) { return r.header.shard_index; });
  Report merged;
  merged.header = leader.header;
  merged.header.shard_index = 0;
  merged.header.shard_count = 1;
  merged.coverage_holes = leader.coverage_holes;
  std::set<std::string> device_uuids;
  for (const Report& shard : shards) {
    merged.header.started = std::min(merged.header.started, shard.header.started);
    device_uuids.insert(shard.header.subject.device.device_uuid);
    merged.cases += shard.cases;
    merged.seconds += shard.seconds;
    add_hits(merged.coverage_hits, shard.coverage_hits);
    keep_common_holes(merged.coverage_holes, shard.coverage_holes);
    std::ranges::copy(shard.results, std::back_inserter(merged.results));
  }
  std::string& uuids = merged.header.subject.device.device_uuid;
  uuids.clear();
  for (const std::string& uuid : device_uuids) {
    if (!uuids.empty()) uuids += ", ";
    uuids += uuid;
  }
  sort_results(merged.results);
  return merged;
}

}  // namespace lockstep::conformance
