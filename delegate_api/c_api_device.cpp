#include "backend/cache_file.h"
#include "backend/registry.h"
#include "delegate_api/c_api_internal.h"

namespace lockstep::c_api {
namespace {

Status describe(const backend::DeviceDescription& device, lockstep_device_info* info) {
  lockstep_device_info answer{};
  answer.backend = device.backend.c_str();
  answer.name = device.name.c_str();
  // Names of enumerators are literals, and so end with a zero.
  answer.kind = backend::device_kind_name(device.kind).data();
  answer.driver = device.driver.c_str();
  answer.api_version = device.api_version.c_str();
  answer.device_uuid = device.device_uuid.c_str();
  return write_struct(answer, info, "info");
}

Status open_device(const lockstep_device_options* given, lockstep_device** device) {
  const auto options = read_struct(given, "options");
  if (!options) {
    return tl::unexpected(options.error());
  }
  auto opened = backend::open_device(
      text_or_empty(options->device),
      {.mask = std::string(text_or_empty(options->mask)),
       .cache_dir = options->cache_dir != nullptr ? std::string(options->cache_dir)
                                                  : backend::default_cache_folder(),
       .threads = options->threads});
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  *device = new lockstep_device{*std::move(opened)};
  return {};
}

}  // namespace
}  // namespace lockstep::c_api

using namespace lockstep::c_api;
using lockstep::ErrorCode;
using lockstep::make_error;
using lockstep::Status;

extern "C" {

lockstep_status lockstep_device_list_create(lockstep_device_list** list) {
  return guarded([&] {
    return require(list, "list").and_then([&] {
      *list = nullptr;
      *list = new lockstep_device_list{lockstep::backend::list_devices()};
      return Status();
    });
  });
}

void lockstep_device_list_destroy(lockstep_device_list* list) { delete list; }

size_t lockstep_device_list_count(const lockstep_device_list* list) {
  return list != nullptr ? list->devices.size() : 0;
}

lockstep_status lockstep_device_list_get(const lockstep_device_list* list, size_t index,
                                         lockstep_device_info* info) {
  return guarded([&] {
    return require(list, "list").and_then([&]() -> Status {
      if (index >= list->devices.size()) {
        return make_error(ErrorCode::kInvalidArgument, "there are {} devices, none is number {}",
                          list->devices.size(), index);
      }
      return describe(list->devices[index], info);
    });
  });
}

lockstep_status lockstep_device_open(const lockstep_device_options* options,
                                     lockstep_device** device) {
  return guarded([&] {
    return require(device, "device").and_then([&] {
      *device = nullptr;
      return open_device(options, device);
    });
  });
}

void lockstep_device_close(lockstep_device* device) { delete device; }

lockstep_status lockstep_device_get_info(const lockstep_device* device,
                                         lockstep_device_info* info) {
  return guarded([&] {
    return require(device, "device").and_then([&] {
      return describe(device->device->description(), info);
    });
  });
}

}  // extern "C"
