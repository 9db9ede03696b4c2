#include "backend/vulkan/instance.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>

#include "backend/vulkan/result.h"

namespace lockstep::backend::vulkan {
namespace {

constexpr const char* kValidationLayer = "VK_LAYER_KHRONOS_validation";

std::atomic<uint64_t> validation_errors{0};
std::atomic<ValidationState> current_validation_state{ValidationState::kOff};

bool validation_requested() {
  const char* value = std::getenv("LOCKSTEP_VALIDATION");
  return value != nullptr && std::string_view(value) == "1";
}

VKAPI_ATTR VkBool32 VKAPI_CALL
on_validation_message(VkDebugUtilsMessageSeverityFlagBitsEXT, VkDebugUtilsMessageTypeFlagsEXT,
                      const VkDebugUtilsMessengerCallbackDataEXT* message, void*) {
  validation_errors.fetch_add(1);
  std::fprintf(stderr, "Vulkan validation: %s\n", message->pMessage);
  return VK_FALSE;
}

VkDebugUtilsMessengerCreateInfoEXT messenger_info() {
  VkDebugUtilsMessengerCreateInfoEXT info{};
  info.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT;
  info.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                         VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
  info.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT;
  info.pfnUserCallback = on_validation_message;
  return info;
}

std::vector<VkLayerProperties> instance_layers() {
  uint32_t count = 0;
  if (vkEnumerateInstanceLayerProperties(&count, nullptr) != VK_SUCCESS) {
    return {};
  }
  std::vector<VkLayerProperties> layers(count);
  if (vkEnumerateInstanceLayerProperties(&count, layers.data()) < VK_SUCCESS) {
    return {};
  }
  layers.resize(count);
  return layers;
}

std::vector<VkExtensionProperties> instance_extensions(const char* layer) {
  uint32_t count = 0;
  if (vkEnumerateInstanceExtensionProperties(layer, &count, nullptr) != VK_SUCCESS) {
    return {};
  }
  std::vector<VkExtensionProperties> extensions(count);
  if (vkEnumerateInstanceExtensionProperties(layer, &count, extensions.data()) < VK_SUCCESS) {
    return {};
  }
  extensions.resize(count);
  return extensions;
}

bool has_validation_layer() {
  return std::ranges::any_of(instance_layers(), [](const VkLayerProperties& layer) {
    return std::strcmp(layer.layerName, kValidationLayer) == 0;
  });
}

bool has_extension(const char* layer, const char* name) {
  return std::ranges::any_of(instance_extensions(layer), [&](const VkExtensionProperties& each) {
    return std::strcmp(each.extensionName, name) == 0;
  });
}

}  // namespace

ValidationState validation_state() { return current_validation_state.load(); }

uint64_t validation_error_count() { return validation_errors.load(); }

Result<std::shared_ptr<Instance>> Instance::shared() {
  static std::mutex mutex;
  static std::weak_ptr<Instance> existing;
  const std::lock_guard lock(mutex);
  if (auto instance = existing.lock()) {
    return instance;
  }
  std::shared_ptr<Instance> instance(new Instance());
  if (Status status = instance->initialize(); !status) {
    return tl::unexpected(status.error());
  }
  existing = instance;
  return instance;
}

Status Instance::initialize() {
  if (volkInitialize() != VK_SUCCESS) {
    return make_error(ErrorCode::kDeviceUnavailable,
                      "no Vulkan loader (libvulkan.so.1) was found; install it (Debian and Ubuntu: "
                      "libvulkan1) together with a Vulkan driver for your device "
                      "(mesa-vulkan-drivers, or the vendor's)");
  }
  if (volkGetInstanceVersion() < VK_API_VERSION_1_1) {
    return make_error(ErrorCode::kDeviceUnavailable,
                      "the Vulkan loader is older than version 1.1; update libvulkan1");
  }
  api_version_ = std::min<uint32_t>(volkGetInstanceVersion(), VK_API_VERSION_1_3);

  VkApplicationInfo application{};
  application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  application.pApplicationName = "lockstep";
  application.pEngineName = "lockstep";
  application.apiVersion = api_version_;

  VkInstanceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  info.pApplicationInfo = &application;
  std::vector<const char*> layers;
  std::vector<const char*> extensions;
  if (has_extension(nullptr, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME)) {
    extensions.push_back(VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
    info.flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
  }

  const std::array enabled_checks{VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
  VkValidationFeaturesEXT validation_features{};
  validation_features.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT;
  validation_features.enabledValidationFeatureCount = static_cast<uint32_t>(enabled_checks.size());
  validation_features.pEnabledValidationFeatures = enabled_checks.data();
  VkDebugUtilsMessengerCreateInfoEXT messenger = messenger_info();

  ValidationState validation = ValidationState::kOff;
  if (validation_requested()) {
    if (has_validation_layer()) {
      validation = ValidationState::kActive;
      layers.push_back(kValidationLayer);
      extensions.push_back(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
      info.pNext = &messenger;
      if (has_extension(kValidationLayer, VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME)) {
        extensions.push_back(VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME);
        messenger.pNext = &validation_features;
      }
    } else {
      validation = ValidationState::kLayerMissing;
      std::fprintf(stderr,
                   "LOCKSTEP_VALIDATION=1, but %s is not installed (Debian and Ubuntu: "
                   "vulkan-validationlayers): nothing is validated\n",
                   kValidationLayer);
    }
  }
  current_validation_state = validation;

  info.enabledLayerCount = static_cast<uint32_t>(layers.size());
  info.ppEnabledLayerNames = layers.data();
  info.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
  info.ppEnabledExtensionNames = extensions.data();
  const VkResult created = vkCreateInstance(&info, nullptr, &instance_);
  if (created == VK_ERROR_INCOMPATIBLE_DRIVER) {
    return make_error(ErrorCode::kDeviceUnavailable,
                      "the Vulkan loader found no driver; install one for your device "
                      "(mesa-vulkan-drivers has one that runs on any CPU), and check "
                      "VK_DRIVER_FILES and VK_ICD_FILENAMES if they are set");
  }
  if (created != VK_SUCCESS) {
    return tl::unexpected(error_of(created, "vkCreateInstance"));
  }
  volkLoadInstanceOnly(instance_);
  destroy_instance_ = vkDestroyInstance;
  destroy_messenger_ = vkDestroyDebugUtilsMessengerEXT;
  if (validation == ValidationState::kActive) {
    messenger.pNext = nullptr;
    return check(vkCreateDebugUtilsMessengerEXT(instance_, &messenger, nullptr, &messenger_),
                 "vkCreateDebugUtilsMessengerEXT");
  }
  return {};
}

Instance::~Instance() {
  if (messenger_ != VK_NULL_HANDLE) {
    destroy_messenger_(instance_, messenger_, nullptr);
  }
  if (instance_ != VK_NULL_HANDLE) {
    destroy_instance_(instance_, nullptr);
  }
}

Result<std::vector<VkPhysicalDevice>> Instance::physical_devices() const {
  uint32_t count = 0;
  if (const VkResult result = vkEnumeratePhysicalDevices(instance_, &count, nullptr);
      result != VK_SUCCESS) {
    return tl::unexpected(error_of(result, "vkEnumeratePhysicalDevices"));
  }
  std::vector<VkPhysicalDevice> devices(count);
  if (const VkResult result = vkEnumeratePhysicalDevices(instance_, &count, devices.data());
      result < VK_SUCCESS) {
    return tl::unexpected(error_of(result, "vkEnumeratePhysicalDevices"));
  }
  devices.resize(count);
  std::erase_if(devices, [](VkPhysicalDevice device) {
    VkPhysicalDeviceProperties properties{};
    vkGetPhysicalDeviceProperties(device, &properties);
    return properties.apiVersion < VK_API_VERSION_1_1;
  });
  return devices;
}

}  // namespace lockstep::backend::vulkan
