# lockstep_add_test(NAME name SOURCES ... LIBRARIES ... [DEVICE] [FOREIGN_LEAKS] [ENVIRONMENT K=V ...]): one GoogleTest
# program, registered with CTest. DEVICE marks a test that drives Vulkan devices: it runs under the
# Khronos validation layer (LOCKSTEP_VALIDATION=1 makes every validation message a failure) and never
# beside another such test. FOREIGN_LEAKS marks a test that loads and unloads drivers or engines which
# leave memory behind: the leak checker cannot name their code once it is gone, so it looks away.
if(LOCKSTEP_BUILD_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
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
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  set_tests_properties(${ARG_NAME} PROPERTIES TIMEOUT 600)
  if(ARG_DEVICE)
    list(APPEND ARG_ENVIRONMENT LOCKSTEP_VALIDATION=1)
    # A plugin inside a test's process counts its messages for itself: its output tells.
    set_tests_properties(${ARG_NAME} PROPERTIES RESOURCE_LOCK vulkan_device
                         FAIL_REGULAR_EXPRESSION "Vulkan validation: ")
  endif()
  if(ARG_FOREIGN_LEAKS)
    list(APPEND ARG_ENVIRONMENT ASAN_OPTIONS=detect_leaks=0)
  endif()
  if(ARG_ENVIRONMENT)
    set_tests_properties(${ARG_NAME} PROPERTIES ENVIRONMENT "${ARG_ENVIRONMENT}")
  endif()
endfunction()
