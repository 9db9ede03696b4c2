// What the parts of the C API share: its handles, and the border where errors become status codes
// and exceptions end.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/device.h"
#include "delegate_api/engine.h"
#include "delegate_api/include/lockstep/lockstep.h"
#include "graph/graph.h"
#include "graph/status.h"

struct lockstep_model {
  lockstep::graph::Graph graph;
};

struct lockstep_device_list {
  std::vector<lockstep::backend::DeviceDescription> devices;
};

struct lockstep_device {
  std::shared_ptr<lockstep::backend::Device> device;
};

struct lockstep_engine {
  std::unique_ptr<lockstep::delegate::Engine> engine;
  // Made when first asked for; runs can change it.
  std::optional<std::vector<lockstep::delegate::OperatorReport>> reports;
  // Those that were asked for; their texts stay where they are.
  mutable std::deque<std::string> problems;
};

struct lockstep_run {
  std::unique_ptr<lockstep::delegate::EngineRun> run;
};

namespace lockstep::c_api {

// Keeps the message for lockstep_last_error() of this thread.
lockstep_status fail(ErrorCode code, std::string_view message) noexcept;

// Runs `body`, which returns a Status, at the border.
template <typename Body>
lockstep_status guarded(Body body) noexcept {
  try {
    const Status status = body();
    return status ? LOCKSTEP_OK : fail(status.error().code, status.error().message);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kOutOfMemory, "out of memory");
  } catch (const std::exception& exception) {
    return fail(ErrorCode::kInternal, exception.what());
  } catch (...) {
    return fail(ErrorCode::kInternal, "unknown exception");
  }
}

// Ends a function of the API early when one of its pointers is null.
inline Status require(const void* pointer, std::string_view name) {
  if (pointer == nullptr) {
    return make_error(ErrorCode::kInvalidArgument, "{} is NULL", name);
  }
  return {};
}

// A struct of the caller's, whatever version of it: fields it does not have are zero, fields we do
// not have must be.
template <typename Struct>
Result<Struct> read_struct(const Struct* given, std::string_view name) {
  Struct known{};
  if (given == nullptr) {
    return known;
  }
  if (given->struct_size < sizeof(given->struct_size)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: struct_size is {}; set it to the size of the struct", name,
                      given->struct_size);
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t index = sizeof(Struct); index < given->struct_size; ++index) {
    if (bytes[index] != 0) {
      return make_error(ErrorCode::kInvalidArgument,
                        "{} has options that this version of the library does not know", name);
    }
  }
  std::memcpy(&known, given, std::min(sizeof(Struct), given->struct_size));
  return known;
}

// The reverse: fills as much as the caller's version has room for.
template <typename Struct>
Status write_struct(const Struct& value, Struct* asked, std::string_view name) {
  if (const Status given = require(asked, name); !given) {
    return given;
  }
  const size_t size = asked->struct_size;
  if (size < sizeof(size)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: struct_size is {}; set it to the size of the struct", name, size);
  }
  auto* bytes = reinterpret_cast<unsigned char*>(asked);
  if (size > sizeof(Struct)) {
    std::memset(bytes + sizeof(Struct), 0, size - sizeof(Struct));
  }
  std::memcpy(bytes, &value, std::min(sizeof(Struct), size));
  asked->struct_size = size;
  return {};
}

inline std::string_view text_or_empty(const char* text) { return text != nullptr ? text : ""; }

}  // namespace lockstep::c_api
