# lockstep_schema(target FILE.fbs [PUBLIC] [OPTIONS flatc options...]): code that reads and writes that
# FlatBuffers file, generated as "<folder>/FILE_generated.h" under ${CMAKE_CURRENT_BINARY_DIR}/generated, for the
# sources of `target` alone or, with PUBLIC, of whoever links it too.
function(lockstep_schema target schema)
  cmake_parse_arguments(PARSE_ARGV 2 ARG "PUBLIC" "" "OPTIONS")
  find_package(FlatBuffers REQUIRED)
  find_program(LOCKSTEP_FLATC flatc REQUIRED)
  get_filename_component(name "${schema}" NAME_WE)
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  set(generated_directory "${CMAKE_CURRENT_BINARY_DIR}/generated")
  set(header "${generated_directory}/${folder}/${name}_generated.h")
  add_custom_command(
    OUTPUT "${header}"
    COMMAND "${LOCKSTEP_FLATC}" --cpp --scoped-enums --gen-object-api ${ARG_OPTIONS}
            -o "${generated_directory}/${folder}" "${CMAKE_CURRENT_SOURCE_DIR}/${schema}"
    DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${schema}"
    COMMENT "Generating ${name}_generated.h"
    VERBATIM)
  set(visibility PRIVATE)
  if(ARG_PUBLIC)
    set(visibility PUBLIC)
  endif()
  target_sources(${target} PRIVATE "${header}")
  target_include_directories(${target} SYSTEM ${visibility} "${generated_directory}")
  target_link_libraries(${target} ${visibility} flatbuffers::flatbuffers)
endfunction()
