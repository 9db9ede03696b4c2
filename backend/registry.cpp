#include "backend/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <optional>

#include "backend/cpu/cpu_device.h"
#include "backend/reference/reference_device.h"
#include "backend/vulkan/vulkan_backend.h"

namespace lockstep::backend {
namespace {

// Names that are devices of their own backend, opened without touching any driver.
constexpr std::string_view kReferenceSelector = "ref";
constexpr std::string_view kCpuSelector = "cpu";

// The backends in the order of preference.
class Registry {
 public:
  static Registry& instance() {
    static Registry registry;
    return registry;
  }

  Status add(Backend backend) {
    const std::lock_guard lock(mutex_);
    if (std::ranges::find(backends_, backend.name, &Backend::name) != backends_.end()) {
      return make_error(ErrorCode::kInvalidArgument, "there is a backend '{}' already",
                        backend.name);
    }
    backends_.insert(std::prev(backends_.end()), std::move(backend));
    return {};
  }

  std::vector<Backend> backends() const {
    const std::lock_guard lock(mutex_);
    return backends_;
  }

 private:
  mutable std::mutex mutex_;
  // One entry a backend of this build; the reference stays the last.
  std::vector<Backend> backends_ = {
      {"vulkan", vulkan::list_devices, vulkan::open_device},
      {std::string(kCpuSelector), cpu::list_devices,
       [](size_t, const DeviceOptions& options) { return cpu::open_device(options); }},
      {std::string(kReferenceSelector),
       [] { return Result<std::vector<DeviceDescription>>({reference::describe_device()}); },
       [](size_t, const DeviceOptions&) {
         return Result<std::shared_ptr<Device>>(reference::open_device());
       }},
  };
};

struct Candidate {
  Backend backend;
  size_t index;  // among the backend's devices
  DeviceDescription description;
};

std::vector<Candidate> find_candidates(std::vector<std::string>* problems) {
  std::vector<Candidate> candidates;
  for (const Backend& backend : Registry::instance().backends()) {
    auto descriptions = backend.list();
    if (!descriptions) {
      if (problems != nullptr) {
        problems->push_back(fmt::format("{}: {}", backend.name, descriptions.error().message));
      }
      continue;
    }
    for (size_t i = 0; i < descriptions->size(); ++i) {
      candidates.push_back({backend, i, std::move((*descriptions)[i])});
    }
  }
  return candidates;
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char character) {
    return static_cast<char>(std::tolower(character));
  });
  return result;
}

std::optional<size_t> parse_index(std::string_view selector) {
  size_t index = 0;
  const char* end = selector.data() + selector.size();
  const auto [stopped_at, problem] = std::from_chars(selector.data(), end, index);
  if (selector.empty() || problem != std::errc{} || stopped_at != end) {
    return std::nullopt;
  }
  return index;
}

const Candidate* select(const std::vector<Candidate>& candidates, std::string_view selector) {
  if (selector.empty()) {
    const auto accelerator = std::ranges::find_if(candidates, [](const Candidate& candidate) {
      return candidate.backend.name != kReferenceSelector;
    });
    return accelerator == candidates.end() ? nullptr : &*accelerator;
  }
  if (const auto index = parse_index(selector)) {
    return *index < candidates.size() ? &candidates[*index] : nullptr;
  }
  const std::string wanted = lower_case(selector);
  const Candidate* first_part = nullptr;
  for (const Candidate& candidate : candidates) {
    const std::string name = lower_case(candidate.description.name);
    if (name == wanted) {
      return &candidate;
    }
    if (first_part == nullptr && name.find(wanted) != std::string::npos) {
      first_part = &candidate;
    }
  }
  return first_part;
}

std::string available(const std::vector<Candidate>& candidates,
                      const std::vector<std::string>& problems) {
  std::string text = "available:";
  for (size_t i = 0; i < candidates.size(); ++i) {
    text += fmt::format(" {}: '{}' ({});", i, candidates[i].description.name,
                        candidates[i].backend.name);
  }
  for (const std::string& problem : problems) {
    text += fmt::format(" {};", problem);
  }
  text.pop_back();
  return text;
}

}  // namespace

std::vector<DeviceDescription> list_devices(std::vector<std::string>* problems) {
  std::vector<DeviceDescription> descriptions;
  for (Candidate& candidate : find_candidates(problems)) {
    descriptions.push_back(std::move(candidate.description));
  }
  return descriptions;
}

Result<std::shared_ptr<Device>> open_device(std::string_view selector,
                                            const DeviceOptions& options) {
  if (selector.empty()) {
    const char* from_environment = std::getenv("LOCKSTEP_DEVICE");
    selector = from_environment == nullptr ? "" : from_environment;
  }
  if (selector == kReferenceSelector) {
    return reference::open_device();
  }
  if (selector == kCpuSelector) return cpu::open_device(options);
  const std::shared_ptr<const void> loaded_drivers = vulkan::keep_drivers_loaded();
  std::vector<std::string> problems;
  const std::vector<Candidate> candidates = find_candidates(&problems);
  const Candidate* selected = select(candidates, selector);
  if (selected == nullptr) {
    const std::string wanted =
        selector.empty() ? "there is no accelerator" : fmt::format("no device is '{}'", selector);
    return make_error(ErrorCode::kDeviceUnavailable, "{}; {}", wanted,
                      available(candidates, problems));
  }
  return selected->backend.open(selected->index, options);
}

std::shared_ptr<Device> open_host_device(int32_t threads) {
  auto processor = cpu::open_device({.threads = threads});
  return processor ? *std::move(processor) : reference::open_device();
}

Status register_backend(Backend backend) { return Registry::instance().add(std::move(backend)); }

}  // namespace lockstep::backend
