// Reads JSON objects that may say anything. Every getter checks presence, type and range; the first
// problem is kept, names the field by its path ("results[3].difference.shape[0]"), and turns every
// later getter into one that gives a default at once, so that readers are written without a check
// after every field.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "graph/status.h"

namespace lockstep::conformance {

class JsonFields {
 public:
  // `path` is what messages put in front of a field's name; empty for the outermost object. `value`
  // and `status` must outlive the reader.
  JsonFields(const nlohmann::json& value, std::string path, Status& status);

  bool ok() const { return status_.has_value(); }
  bool has(std::string_view name) const;

  std::string text(std::string_view name);
  bool boolean(std::string_view name);
  int64_t integer(std::string_view name, int64_t minimum, int64_t maximum);
  uint64_t natural(std::string_view name);  // all of uint64
  double seconds(std::string_view name);    // finite, not negative
  std::vector<std::string> texts(std::string_view name);
  std::vector<int64_t> integers(std::string_view name, int64_t minimum, int64_t maximum,
                                size_t maximum_count);

  // Calls `read` for every object of an array.
  void objects(std::string_view name, const std::function<void(JsonFields&)>& read);
  // Calls `read` for the object of that name.
  void object(std::string_view name, const std::function<void(JsonFields&)>& read);
  // Every name of this object; for objects that are maps.
  std::vector<std::string> names() const;

  // Refuses the field for a reason of the caller's: "header.contracts: unknown contract 'x'".
  void refuse(std::string_view name, std::string_view reason);
  // Refuses fields that no getter asked for.
  void refuse_unknown();

 private:
  const nlohmann::json* find(std::string_view name);
  std::string path_of(std::string_view name) const;
  void refuse_path(const std::string& path, std::string_view reason);

  const nlohmann::json& value_;
  std::string path_;
  Status& status_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace lockstep::conformance
