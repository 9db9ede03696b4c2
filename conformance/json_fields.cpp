#include "conformance/json_fields.h"

#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "conformance/text.h"

namespace lockstep::conformance {

namespace {

using nlohmann::json;

// nullopt for anything but an integer that int64 holds.
std::optional<int64_t> int64_of(const json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number > uint64_t{std::numeric_limits<int64_t>::max()}) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  return std::nullopt;
}

bool is_within(std::optional<int64_t> number, int64_t minimum, int64_t maximum) {
  return number && *number >= minimum && *number <= maximum;
}

// Names in a hostile file may be long.
std::string shortened(std::string_view name) {
  constexpr size_t kMaximumLength = 100;
  return one_line(name.substr(0, kMaximumLength)) + (name.size() > kMaximumLength ? "..." : "");
}

}  // namespace

JsonFields::JsonFields(const json& value, std::string path, Status& status)
    : value_(value), path_(std::move(path)), status_(status) {
  if (!value_.is_object()) {
    refuse_path(path_.empty() ? "the file" : path_,
                fmt::format("expected an object, found {}", value_.type_name()));
  }
}

bool JsonFields::has(std::string_view name) const {
  return value_.is_object() && value_.find(name) != value_.end();
}

std::string JsonFields::path_of(std::string_view name) const {
  return path_.empty() ? shortened(name) : path_ + "." + shortened(name);
}

void JsonFields::refuse_path(const std::string& path, std::string_view reason) {
  if (ok()) status_ = make_error(ErrorCode::kInvalidArgument, "{}: {}", path, reason);
}

void JsonFields::refuse(std::string_view name, std::string_view reason) {
  refuse_path(path_of(name), reason);
}

const json* JsonFields::find(std::string_view name) {
  if (!ok()) return nullptr;
  asked_.emplace(name);
  const auto field = value_.find(name);
  if (field == value_.end()) {
    refuse(name, "missing");
    return nullptr;
  }
  return &*field;
}

std::string JsonFields::text(std::string_view name) {
  const json* field = find(name);
  if (field == nullptr) return {};
  if (!field->is_string()) {
    refuse(name, fmt::format("expected a string, found {}", field->type_name()));
    return {};
  }
  return field->get<std::string>();
}

bool JsonFields::boolean(std::string_view name) {
  const json* field = find(name);
  if (field == nullptr) return false;
  if (!field->is_boolean()) {
    refuse(name, fmt::format("expected true or false, found {}", field->type_name()));
    return false;
  }
  return field->get<bool>();
}

int64_t JsonFields::integer(std::string_view name, int64_t minimum, int64_t maximum) {
  const json* field = find(name);
  if (field == nullptr) return 0;
  const std::optional<int64_t> number = int64_of(*field);
  if (!is_within(number, minimum, maximum)) {
    refuse(name, fmt::format("expected an integer from {} to {}", minimum, maximum));
    return 0;
  }
  return *number;
}

uint64_t JsonFields::natural(std::string_view name) {
  const json* field = find(name);
  if (field == nullptr) return 0;
  // A document built in memory may hold a signed number where a parsed one has an unsigned one.
  if (field->is_number_unsigned()) return field->get<uint64_t>();
  const std::optional<int64_t> number = int64_of(*field);
  if (!number || *number < 0) {
    refuse(name, "expected an integer that is not negative");
    return 0;
  }
  return static_cast<uint64_t>(*number);
}

double JsonFields::seconds(std::string_view name) {
  const json* field = find(name);
  if (field == nullptr) return 0;
  const double number = field->is_number() ? field->get<double>() : -1;
  if (!std::isfinite(number) || number < 0) {
    refuse(name, "expected a number of seconds that is not negative");
    return 0;
  }
  return number;
}

std::vector<std::string> JsonFields::texts(std::string_view name) {
  const json* field = find(name);
  if (field == nullptr) return {};
  if (!field->is_array()) {
    refuse(name, fmt::format("expected an array of strings, found {}", field->type_name()));
    return {};
  }
  std::vector<std::string> texts;
  for (const json& element : *field) {
    if (!element.is_string()) {
      refuse_path(fmt::format("{}[{}]", path_of(name), texts.size()),
                  fmt::format("expected a string, found {}", element.type_name()));
      return {};
    }
    texts.push_back(element.get<std::string>());
  }
  return texts;
}

std::vector<int64_t> JsonFields::integers(std::string_view name, int64_t minimum, int64_t maximum,
                                          size_t maximum_count) {
  const json* field = find(name);
  if (field == nullptr) return {};
  if (!field->is_array() || field->size() > maximum_count) {
    refuse(name, fmt::format("expected an array of at most {} integers", maximum_count));
    return {};
  }
  std::vector<int64_t> numbers;
  numbers.reserve(field->size());
  for (const json& element : *field) {
    const std::optional<int64_t> number = int64_of(element);
    if (!is_within(number, minimum, maximum)) {
      refuse_path(fmt::format("{}[{}]", path_of(name), numbers.size()),
                  fmt::format("expected an integer from {} to {}", minimum, maximum));
      return {};
    }
    numbers.push_back(*number);
  }
  return numbers;
}

void JsonFields::objects(std::string_view name, const std::function<void(JsonFields&)>& read) {
  const json* field = find(name);
  if (field == nullptr) return;
  if (!field->is_array()) {
    refuse(name, fmt::format("expected an array, found {}", field->type_name()));
    return;
  }
  size_t index = 0;
  for (const json& element : *field) {
    JsonFields fields(element, fmt::format("{}[{}]", path_of(name), index++), status_);
    if (!ok()) return;
    read(fields);
    if (!ok()) return;
  }
}

void JsonFields::object(std::string_view name, const std::function<void(JsonFields&)>& read) {
  const json* field = find(name);
  if (field == nullptr) return;
  JsonFields fields(*field, path_of(name), status_);
  if (ok()) read(fields);
}

std::vector<std::string> JsonFields::names() const {
  std::vector<std::string> names;
  if (!value_.is_object()) return names;
  for (const auto& item : value_.items()) names.push_back(item.key());
  return names;
}

void JsonFields::refuse_unknown() {
  if (!ok()) return;
  for (const auto& item : value_.items()) {
    if (!asked_.contains(item.key())) {
      refuse(item.key(), "unknown field");
      return;
    }
  }
}

}  // namespace lockstep::conformance
