#include "bench/name_filter.h"

namespace lockstep::bench {

Result<NameFilter> NameFilter::create(const std::string& expression) {
  NameFilter filter;
  filter.expression_ = expression;
  try {
    filter.regex_ = std::regex(expression, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    return make_error(ErrorCode::kInvalidArgument, "the filter '{}' is no regular expression: {}",
                      expression, error.what());
  }
  return filter;
}

tl::unexpected<Error> NameFilter::matches_nothing(std::string_view kind) const {
  return make_error(ErrorCode::kInvalidArgument, "no {}'s name matches the filter '{}'", kind,
                    expression_);
}

}  // namespace lockstep::bench
