#include "backend/vulkan/cooperative_matrix_query.h"

#include <optional>

#include "backend/vulkan/cooperative_matrix_registry.h"

namespace lockstep::backend::vulkan {
namespace {

bool has_features(const PhysicalDevice& device) {
  if (!device.has_extension(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME) ||
      (device.api_version < VK_API_VERSION_1_2 &&
       !device.has_extension(VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME))) {
    return false;
  }
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix{};
  matrix.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
  VkPhysicalDeviceVulkanMemoryModelFeatures memory_model{};
  memory_model.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES;
  memory_model.pNext = &matrix;
  VkPhysicalDeviceFeatures2 features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.pNext = &memory_model;
  vkGetPhysicalDeviceFeatures2(device.handle, &features);
  return matrix.cooperativeMatrix == VK_TRUE && memory_model.vulkanMemoryModel == VK_TRUE;
}

bool are_for_compute_shaders(VkPhysicalDevice device) {
  VkPhysicalDeviceCooperativeMatrixPropertiesKHR matrix{};
  matrix.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  properties.pNext = &matrix;
  vkGetPhysicalDeviceProperties2(device, &properties);
  return (matrix.cooperativeMatrixSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0;
}

std::vector<VkCooperativeMatrixPropertiesKHR> all_properties(VkInstance instance,
                                                             VkPhysicalDevice device) {
  const auto get = reinterpret_cast<PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR>(
      vkGetInstanceProcAddr(instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR"));
  uint32_t count = 0;
  if (get == nullptr || get(device, &count, nullptr) != VK_SUCCESS) {
    return {};
  }
  VkCooperativeMatrixPropertiesKHR empty{};
  empty.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
  std::vector<VkCooperativeMatrixPropertiesKHR> properties(count, empty);
  if (get(device, &count, properties.data()) < VK_SUCCESS) {
    return {};
  }
  properties.resize(count);
  return properties;
}

bool is_8bit(VkComponentTypeKHR type) {
  return type == VK_COMPONENT_TYPE_SINT8_KHR || type == VK_COMPONENT_TYPE_UINT8_KHR;
}

std::optional<CooperativeMatrixShape> usable_shape(const VkCooperativeMatrixPropertiesKHR& matrix) {
  const bool has_scope =
      matrix.scope == VK_SCOPE_SUBGROUP_KHR || matrix.scope == VK_SCOPE_WORKGROUP_KHR;
  if (!is_8bit(matrix.AType) || !is_8bit(matrix.BType) || !has_scope ||
      matrix.CType != VK_COMPONENT_TYPE_SINT32_KHR ||
      matrix.ResultType != VK_COMPONENT_TYPE_SINT32_KHR || matrix.saturatingAccumulation != 0) {
    return std::nullopt;
  }
  return CooperativeMatrixShape{.rows = matrix.MSize,
                                .columns = matrix.NSize,
                                .depth = matrix.KSize,
                                .is_left_signed = matrix.AType == VK_COMPONENT_TYPE_SINT8_KHR,
                                .is_right_signed = matrix.BType == VK_COMPONENT_TYPE_SINT8_KHR,
                                .scope = matrix.scope == VK_SCOPE_WORKGROUP_KHR
                                             ? CooperativeMatrixShape::Scope::kWorkgroup
                                             : CooperativeMatrixShape::Scope::kSubgroup};
}

}  // namespace

std::vector<CooperativeMatrixShape> query_cooperative_matrices(VkInstance instance,
                                                               const PhysicalDevice& device) {
  std::vector<CooperativeMatrixShape> shapes;
  if (has_features(device) && are_for_compute_shaders(device.handle)) {
    for (const VkCooperativeMatrixPropertiesKHR& matrix : all_properties(instance, device.handle)) {
      if (const auto shape = usable_shape(matrix)) {
        shapes.push_back(*shape);
      }
    }
  }
  return shapes;
}

}  // namespace lockstep::backend::vulkan
