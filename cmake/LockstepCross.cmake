# Building for another kind of machine, or one file for this one: every library but the C++ runtime is
# used by its headers, which come from the machine that builds (cmake/cross/), and so do flatc,
# glslangValidator and spirv-val.
list(PREPEND CMAKE_MODULE_PATH "${PROJECT_SOURCE_DIR}/cmake/cross")
include(header_only)
lockstep_header_only(lockstep_cross_headers cross HEADERS volk.h volk.c vulkan vk_video stb xxhash.h hwy)
if(NOT cross_FOUND)
  message(FATAL_ERROR "${cross_NOT_FOUND_MESSAGE}")
endif()
set(LOCKSTEP_VOLK_INCLUDE_DIR "${CMAKE_BINARY_DIR}/host-headers")
set(LOCKSTEP_VULKAN_INCLUDE_DIR "${CMAKE_BINARY_DIR}/host-headers")
set(LOCKSTEP_HIGHWAY_INCLUDE_DIR "${CMAKE_BINARY_DIR}/host-headers")
include_directories(SYSTEM "${CMAKE_BINARY_DIR}/host-headers")
