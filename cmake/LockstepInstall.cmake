# `cmake --install`: the C API with its header, the TFLite plugin, the command line, and what
# find_package(Lockstep) reads.
include(CMakePackageConfigHelpers)

set(LOCKSTEP_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/Lockstep")
set(LOCKSTEP_PLUGIN_FILE "liblockstep_tflite.so")

# Only the C API has users that link it, so it alone is exported: a shared library that keeps the rooms
# it is made of to itself.
install(TARGETS lockstep EXPORT LockstepTargets
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/delegate_api/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.h")
install(EXPORT LockstepTargets NAMESPACE Lockstep:: DESTINATION "${LOCKSTEP_CMAKE_DIR}")

foreach(target IN ITEMS lockstep_tflite lockstep_cli)
  if(TARGET ${target})
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
    install(TARGETS ${target}
            RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}"
            LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  endif()
endforeach()

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/LockstepConfig.cmake.in" "${PROJECT_BINARY_DIR}/LockstepConfig.cmake"
  INSTALL_DESTINATION "${LOCKSTEP_CMAKE_DIR}"
  PATH_VARS CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/LockstepConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/LockstepConfig.cmake" "${PROJECT_BINARY_DIR}/LockstepConfigVersion.cmake"
        DESTINATION "${LOCKSTEP_CMAKE_DIR}")
