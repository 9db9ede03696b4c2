# lockstep_schema(target FILE.fbs): code that reads and writes that FlatBuffers file, generated as
# "<folder>/FILE_generated.h" under ${CMAKE_CURRENT_BINARY_DIR}/generated, for the sources of `target` alone.
function(lockstep_schema target schema)
  find_package(FlatBuffers REQUIRED)
  find_program(LOCKSTEP_FLATC flatc REQUIRED)
  get_filename_component(name "${schema}" NAME_WE)
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  set(generated_directory "${CMAKE_CURRENT_BINARY_DIR}/generated")
  set(header "${generated_directory}/${folder}/${name}_generated.h")
  add_custom_command(
    OUTPUT "${header}"
    COMMAND "${LOCKSTEP_FLATC}" --cpp --scoped-enums --gen-object-api -o "${generated_directory}/${folder}"
            "${CMAKE_CURRENT_SOURCE_DIR}/${schema}"
    DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${schema}"
    COMMENT "Generating ${name}_generated.h"
    VERBATIM)
  target_sources(${target} PRIVATE "${header}")
  target_include_directories(${target} SYSTEM PRIVATE "${generated_directory}")
  target_link_libraries(${target} PRIVATE flatbuffers::flatbuffers)
endfunction()
