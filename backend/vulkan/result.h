// VkResult -> Status.
#pragma once

#include <volk.h>

#include <string_view>

#include "graph/status.h"

namespace lockstep::backend::vulkan {

std::string_view result_name(VkResult result);  // "VK_ERROR_DEVICE_LOST"

// The Error of a failed call; `what` names the call or what it was for.
Error error_of(VkResult result, std::string_view what);

// Success for VK_SUCCESS only.
Status check(VkResult result, std::string_view what);

}  // namespace lockstep::backend::vulkan
