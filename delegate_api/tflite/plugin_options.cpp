#include "delegate_api/tflite/plugin_options.h"

#include <array>
#include <charconv>
#include <set>

#include "backend/cache_file.h"
#include "delegate_api/list_option.h"
#include "numerics/contract.h"

namespace lockstep::delegate {
namespace {

tl::unexpected<Error> bad_value(std::string_view key, std::string_view value,
                                std::string_view valid) {
  return make_error(ErrorCode::kInvalidArgument, "option {}='{}': must be {}", key, value, valid);
}

Status parse_count(std::string_view key, std::string_view value, int32_t& count) {
  const char* const end = value.data() + value.size();
  const auto [parsed_end, error] = std::from_chars(value.data(), end, count);
  if (error != std::errc() || parsed_end != end || count < 0) {
    return bad_value(key, value, "a whole number from 0 to 2147483647");
  }
  return {};
}

Status parse_switch(std::string_view key, std::string_view value, bool& is_on) {
  if (value != "0" && value != "1") {
    return bad_value(key, value, "0 or 1");
  }
  is_on = value == "1";
  return {};
}

Status parse_log_level(std::string_view key, std::string_view value, LogLevel& level) {
  constexpr std::array<std::pair<std::string_view, LogLevel>, 5> kLevels = {
      {{"off", LogLevel::kOff},
       {"error", LogLevel::kError},
       {"warn", LogLevel::kWarn},
       {"info", LogLevel::kInfo},
       {"debug", LogLevel::kDebug}}};
  for (const auto& [name, candidate] : kLevels) {
    if (name == value) {
      level = candidate;
      return {};
    }
  }
  return bad_value(key, value, "one of off, error, warn, info, debug");
}

Status parse_numerics(std::string_view key, std::string_view value, numerics::Contract& contract) {
  if (const auto parsed = numerics::parse_contract(value)) {
    contract = *parsed;
    return {};
  }
  std::string valid;
  for (const numerics::Contract candidate : numerics::kAllContracts) {
    valid += (valid.empty() ? "one of " : ", ") + std::string(numerics::contract_name(candidate));
  }
  return bad_value(key, value, valid);
}

Status parse_option(std::string_view key, std::string_view value, PluginOptions& options) {
  if (key == "device") {
    options.device = value;
  } else if (key == "mask") {
    options.device_options.mask = value;
  } else if (key == "cache_dir") {
    options.device_options.cache_dir = value;
  } else if (key == "threads") {
    return parse_count(key, value, options.device_options.threads);
  } else if (key == "tune") {
    return parse_switch(key, value, options.tune);
  } else if (key == "report") {
    options.report = value;
  } else if (key == "profile") {
    options.profile = value;
  } else if (key == "allow_ops") {
    options.partition.allow_ops = split_list(value);
  } else if (key == "deny_ops") {
    options.partition.deny_ops = split_list(value);
  } else if (key == "numerics") {
    return parse_numerics(key, value, options.partition.contract);
  } else if (key == "max_partitions") {
    return parse_count(key, value, options.partition.max_partitions);
  } else if (key == "min_nodes") {
    return parse_count(key, value, options.partition.min_nodes);
  } else if (key == "log_level") {
    return parse_log_level(key, value, options.log_level);
  } else {
    return make_error(ErrorCode::kInvalidArgument,
                      "unknown option '{}'; options are device, numerics, max_partitions, "
                      "min_nodes, allow_ops, deny_ops, cache_dir, threads, tune, log_level, mask, "
                      "report, profile",
                      key);
  }
  return {};
}

}  // namespace

Result<PluginOptions> parse_plugin_options(
    std::span<const std::pair<std::string_view, std::string_view>> options) {
  PluginOptions parsed;
  parsed.partition.form_as_tflite_does = true;
  parsed.device_options.cache_dir = backend::default_cache_folder();
  std::set<std::string_view> seen;
  for (const auto& [key, value] : options) {
    if (const Status status = parse_option(key, value, parsed); !status) {
      return tl::unexpected(status.error());
    }
    if (!seen.insert(key).second) {
      return make_error(ErrorCode::kInvalidArgument, "option {} is given twice", key);
    }
  }
  return parsed;
}

}  // namespace lockstep::delegate
