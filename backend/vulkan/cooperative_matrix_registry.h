// VK_KHR_cooperative_matrix as the Vulkan registry defines it, for headers from before it
// (1.3.255). Nothing here is used where the system's header has the extension.
#pragma once

#include <volk.h>

#include <cstddef>

#ifndef VK_KHR_cooperative_matrix

inline constexpr const char* VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME = "VK_KHR_cooperative_matrix";

inline constexpr auto VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR =
    static_cast<VkStructureType>(1000506000);
inline constexpr auto VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR =
    static_cast<VkStructureType>(1000506001);
inline constexpr auto VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR =
    static_cast<VkStructureType>(1000506002);

// Only the types and scopes that are asked for; a device may answer with others.
enum VkComponentTypeKHR : int32_t {
  VK_COMPONENT_TYPE_SINT8_KHR = 3,
  VK_COMPONENT_TYPE_SINT32_KHR = 5,
  VK_COMPONENT_TYPE_UINT8_KHR = 7,
};

enum VkScopeKHR : int32_t {
  VK_SCOPE_WORKGROUP_KHR = 2,
  VK_SCOPE_SUBGROUP_KHR = 3,
};

struct VkPhysicalDeviceCooperativeMatrixFeaturesKHR {
  VkStructureType sType;
  void* pNext;
  VkBool32 cooperativeMatrix;
  VkBool32 cooperativeMatrixRobustBufferAccess;
};

struct VkPhysicalDeviceCooperativeMatrixPropertiesKHR {
  VkStructureType sType;
  void* pNext;
  VkShaderStageFlags cooperativeMatrixSupportedStages;
};

struct VkCooperativeMatrixPropertiesKHR {
  VkStructureType sType;
  void* pNext;
  uint32_t MSize;
  uint32_t NSize;
  uint32_t KSize;
  VkComponentTypeKHR AType;
  VkComponentTypeKHR BType;
  VkComponentTypeKHR CType;
  VkComponentTypeKHR ResultType;
  VkBool32 saturatingAccumulation;
  VkScopeKHR scope;
};

using PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR =
    VkResult(VKAPI_PTR*)(VkPhysicalDevice physicalDevice, uint32_t* pPropertyCount,
                         VkCooperativeMatrixPropertiesKHR* pProperties);

#endif

// Drivers fill these in: the layout is the registry's, whichever header defined it.
static_assert(sizeof(VkComponentTypeKHR) == 4 && sizeof(VkScopeKHR) == 4);
static_assert(offsetof(VkPhysicalDeviceCooperativeMatrixFeaturesKHR, cooperativeMatrix) ==
              2 * sizeof(void*));
static_assert(offsetof(VkPhysicalDeviceCooperativeMatrixFeaturesKHR,
                       cooperativeMatrixRobustBufferAccess) == 2 * sizeof(void*) + 4);
static_assert(offsetof(VkPhysicalDeviceCooperativeMatrixPropertiesKHR,
                       cooperativeMatrixSupportedStages) == 2 * sizeof(void*));
static_assert(offsetof(VkCooperativeMatrixPropertiesKHR, MSize) == 2 * sizeof(void*));
static_assert(offsetof(VkCooperativeMatrixPropertiesKHR, AType) == 2 * sizeof(void*) + 12);
static_assert(offsetof(VkCooperativeMatrixPropertiesKHR, scope) == 2 * sizeof(void*) + 32);
