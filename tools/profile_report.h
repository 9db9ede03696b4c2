// What `lockstep profile` shows.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/profile/network_profile.h"

namespace lockstep::tools {

enum class ProfileOrder : unsigned char { kNetwork, kSlowestFirst };

std::string profile_text(const bench::NetworkProfile& profile, ProfileOrder order);
nlohmann::json profile_json(const bench::NetworkProfile& profile, const std::string& model,
                            const std::string& numerics);

}  // namespace lockstep::tools
