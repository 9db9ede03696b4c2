# lockstep_add_test(NAME name SOURCES ... LIBRARIES ... [DEVICE] [FOREIGN_LEAKS] [ENVIRONMENT K=V ...]): one GoogleTest
# program, registered with CTest. DEVICE marks a test that drives Vulkan devices: it runs under the
# Khronos validation layer (LOCKSTEP_VALIDATION=1 makes every validation message a failure) and never
# beside another such test. FOREIGN_LEAKS marks any other test that loads drivers or engines: as for
# DEVICE, the leak checker of a sanitizer build forgives what those lose, and nothing else.
if(LOCKSTEP_BUILD_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
endif()

# The leak checker can name a library, and so forgive it, only while it is loaded: closing is disabled.
set(LOCKSTEP_FOREIGN_LEAKS_ENVIRONMENT "")
if(LOCKSTEP_BUILD_TESTS AND LOCKSTEP_SANITIZE)
  add_library(keep_libraries_loaded SHARED tests/sanitizers/keep_libraries_loaded.c)
  # Preloaded into CMake too (install_consumer), which knows no sanitizer.
  target_compile_options(keep_libraries_loaded PRIVATE -fno-sanitize=all)
  target_link_options(keep_libraries_loaded PRIVATE -fno-sanitize=all)
  set_target_properties(keep_libraries_loaded PROPERTIES C_VISIBILITY_PRESET default)
  lockstep_warnings(keep_libraries_loaded)
  set(LOCKSTEP_FOREIGN_LEAKS_ENVIRONMENT
      "LD_PRELOAD=${PROJECT_BINARY_DIR}/lib/libkeep_libraries_loaded.so"
      "ASAN_OPTIONS=verify_asan_link_order=0"
      "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/sanitizers/leaks.supp:print_suppressions=0")
endif()

function(lockstep_add_test)
  if(NOT LOCKSTEP_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 0 ARG "DEVICE;FOREIGN_LEAKS" "NAME" "SOURCES;LIBRARIES;ENVIRONMENT")
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_include_directories(${ARG_NAME} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LIBRARIES} GTest::gmock GTest::gtest GTest::gtest_main)
  target_compile_definitions(${ARG_NAME} PRIVATE LOCKSTEP_MODELS_DIR="${LOCKSTEP_MODELS_DIR}")
  set_target_properties(${ARG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  lockstep_warnings(${ARG_NAME})
  lockstep_compile_quickly(TARGETS ${ARG_NAME})
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  set_tests_properties(${ARG_NAME} PROPERTIES TIMEOUT 600)
  if(ARG_DEVICE)
    list(APPEND ARG_ENVIRONMENT LOCKSTEP_VALIDATION=1)
    # A plugin inside a test's process counts its messages for itself: its output tells.
    set_tests_properties(${ARG_NAME} PROPERTIES RESOURCE_LOCK vulkan_device
                         FAIL_REGULAR_EXPRESSION "Vulkan validation: ")
  endif()
  if(ARG_FOREIGN_LEAKS OR ARG_DEVICE)
    list(APPEND ARG_ENVIRONMENT ${LOCKSTEP_FOREIGN_LEAKS_ENVIRONMENT})
  endif()
  # Not the user's caches: what somebody measured there must not choose kernels here.
  list(APPEND ARG_ENVIRONMENT "XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/test-caches")
  set_tests_properties(${ARG_NAME} PROPERTIES ENVIRONMENT "${ARG_ENVIRONMENT}")
endfunction()
