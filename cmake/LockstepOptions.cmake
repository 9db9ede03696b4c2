# Settings shared by every target of the project.
include(GNUInstallDirs)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")

# Exactness: a*b+c must stay two roundings wherever a float formula is mirrored from an engine.
add_compile_options(-ffp-contract=off)

if(LOCKSTEP_SANITIZE)
  add_compile_options(-fsanitize=${LOCKSTEP_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LOCKSTEP_SANITIZE})
endif()

# One file to copy to a device. The C library stays shared: the Vulkan loader is opened at run time,
# which a program with a C library of its own cannot do.
if(LOCKSTEP_STATIC)
  set(BUILD_SHARED_LIBS OFF)
  add_link_options(-static-libstdc++ -static-libgcc)
endif()

# lockstep_warnings(target): the warnings of our own code (never applied to generated files).
function(lockstep_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion
                         $<$<BOOL:${LOCKSTEP_WERROR}>:-Werror>)
endfunction()

# lockstep_library(target SOURCES... [LIBRARIES...]): a static library of one room; includes are
# written from the repository root ("graph/graph.h").
function(lockstep_library target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LIBRARIES")
  add_library(${target} STATIC ${ARG_SOURCES})
  target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>")
  target_link_libraries(${target} PUBLIC ${ARG_LIBRARIES})
  lockstep_warnings(${target})
endfunction()

# lockstep_compile_optimized(target...): code that computes networks, optimized even in a release build whose other
# code is not: a test's under an emulator.
function(lockstep_compile_optimized)
  if(CMAKE_CXX_FLAGS_RELEASE MATCHES "-O[23]")
    return()
  endif()
  foreach(target IN LISTS ARGN)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O2>)
  endforeach()
endfunction()

# lockstep_compile_quickly(TARGETS target... | SOURCES file...): code whose speed does not matter, tests and what
# reads options and prints tables. A third of a release build's time would go into optimizing it.
function(lockstep_compile_quickly)
  cmake_parse_arguments(PARSE_ARGV 0 ARG "" "" "TARGETS;SOURCES")
  if(NOT CMAKE_CXX_FLAGS_RELEASE MATCHES "-O[23]")
    return()  # somebody wants less than that
  endif()
  foreach(target IN LISTS ARG_TARGETS)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endforeach()
  if(ARG_SOURCES)
    set_source_files_properties(${ARG_SOURCES} PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O1>)
  endif()
endfunction()
