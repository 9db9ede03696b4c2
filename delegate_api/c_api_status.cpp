#include <string>

#include "delegate_api/c_api_internal.h"

namespace lockstep::c_api {
namespace {

// Used when there is no memory even for a message.
constexpr const char* kMessageLost = "out of memory, and so is the message";

thread_local std::string last_error;
thread_local bool last_error_lost = false;

lockstep_status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return LOCKSTEP_INVALID_ARGUMENT;
    case ErrorCode::kInvalidModel:
      return LOCKSTEP_INVALID_MODEL;
    case ErrorCode::kUnsupported:
      return LOCKSTEP_UNSUPPORTED;
    case ErrorCode::kNotFound:
      return LOCKSTEP_NOT_FOUND;
    case ErrorCode::kDeviceUnavailable:
      return LOCKSTEP_DEVICE_UNAVAILABLE;
    case ErrorCode::kDeviceLost:
      return LOCKSTEP_DEVICE_LOST;
    case ErrorCode::kOutOfMemory:
      return LOCKSTEP_OUT_OF_MEMORY;
    case ErrorCode::kInternal:
      break;
  }
  return LOCKSTEP_INTERNAL;
}

}  // namespace

lockstep_status fail(ErrorCode code, std::string_view message) noexcept {
  try {
    last_error = message;
    last_error_lost = false;
  } catch (...) {
    last_error_lost = true;
  }
  return status_of(code);
}

}  // namespace lockstep::c_api

extern "C" {

const char* lockstep_status_name(lockstep_status status) {
  switch (status) {
    case LOCKSTEP_OK:
      return "ok";
    case LOCKSTEP_INVALID_ARGUMENT:
      return "invalid argument";
    case LOCKSTEP_INVALID_MODEL:
      return "invalid model";
    case LOCKSTEP_UNSUPPORTED:
      return "unsupported";
    case LOCKSTEP_NOT_FOUND:
      return "not found";
    case LOCKSTEP_DEVICE_UNAVAILABLE:
      return "device unavailable";
    case LOCKSTEP_DEVICE_LOST:
      return "device lost";
    case LOCKSTEP_OUT_OF_MEMORY:
      return "out of memory";
    case LOCKSTEP_INTERNAL:
      return "internal error";
    default:
      return "unknown status";
  }
}

const char* lockstep_last_error(void) {
  using namespace lockstep::c_api;
  return last_error_lost ? kMessageLost : last_error.c_str();
}

const char* lockstep_version(void) { return LOCKSTEP_VERSION; }

}  // extern "C"
