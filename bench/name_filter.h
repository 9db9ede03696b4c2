// Which of many names a user asked for.
#pragma once

#include <regex>
#include <string>
#include <string_view>

#include "graph/status.h"

namespace lockstep::bench {

class NameFilter {
 public:
  // `expression`: ECMAScript, matches anywhere in a name; empty for every name. kInvalidArgument
  // with the reason where it is none.
  static Result<NameFilter> create(const std::string& expression);

  bool matches(const std::string& name) const { return std::regex_search(name, regex_); }

  // The error of a filter that left nothing: "no layer's name matches '--filter x'".
  tl::unexpected<Error> matches_nothing(std::string_view kind) const;

 private:
  NameFilter() = default;

  std::string expression_;
  std::regex regex_;
};

}  // namespace lockstep::bench
