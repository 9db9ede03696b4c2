// How every room above numerics/ reports failure: a value or an Error, never an exception.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace lockstep {

enum class ErrorCode : uint8_t {
  kInvalidArgument,    // the caller's option, size or index is wrong
  kInvalidModel,       // a model file says something that cannot be true
  kUnsupported,        // well-formed, but not something this build or device computes
  kNotFound,           // file, device or library is absent
  kDeviceUnavailable,  // no usable device or loader
  kDeviceLost,         // the device stopped answering; its programs are dead
  kOutOfMemory,        // host or device memory ran out
  kInternal,           // a bug of ours
};

// `message` names what a reader needs to act: file, operator, tensor, and the reason.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = tl::expected<void, Error>;

template <typename... Args>
[[nodiscard]] tl::unexpected<Error> make_error(ErrorCode code, fmt::format_string<Args...> format,
                                               Args&&... args) {
  return tl::unexpected<Error>(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace lockstep
