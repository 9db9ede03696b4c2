# Shaders: GLSL compiled to SPIR-V while building, validated, and embedded as words. Used by folders of
# shaders, which then find names and C++ files of all their modules in the directory properties
# LOCKSTEP_SHADER_NAMES and LOCKSTEP_SHADER_SOURCES. They may set before:
#   LOCKSTEP_SHADER_PREFIX        of the embedded words: module_PREFIXname
#   LOCKSTEP_SHADER_INCLUDES      every file that their shaders include
#   LOCKSTEP_SHADER_OPTIMIZATION  arguments for spirv-opt; empty: the module stays as glslang made it
find_program(LOCKSTEP_GLSLANG NAMES glslangValidator glslang REQUIRED)
find_program(LOCKSTEP_SPIRV_VAL NAMES spirv-val REQUIRED)
find_program(LOCKSTEP_SPIRV_OPT NAMES spirv-opt REQUIRED)
find_program(LOCKSTEP_COOPERATIVE_MATRIX_GLSLANG NAMES glslangValidator glslang
             DOC "A glslang that compiles GL_KHR_cooperative_matrix")
set(LOCKSTEP_SHADERS_OF "" CACHE PATH
    "A finished build of this checkout whose embedded shaders are taken instead of compiling them anew")
set(LOCKSTEP_SHADER_SCRIPTS "${CMAKE_CURRENT_LIST_DIR}")

# lockstep_embed_module(name module MADE_FROM files... [MAKE COMMAND words... [COMMAND words...]...]):
# the SPIR-V file `module` as part of the program, after the commands that make it.
function(lockstep_embed_module name module)
  cmake_parse_arguments(PARSE_ARGV 2 ARG "" "" "MADE_FROM;MAKE")
  set(embedded "${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp")
  set_property(DIRECTORY APPEND PROPERTY LOCKSTEP_SHADER_NAMES ${name})
  if(LOCKSTEP_SHADERS_OF)
    cmake_path(RELATIVE_PATH embedded BASE_DIRECTORY "${PROJECT_BINARY_DIR}")
    set_property(DIRECTORY APPEND PROPERTY LOCKSTEP_SHADER_SOURCES "${LOCKSTEP_SHADERS_OF}/${embedded}")
    return()
  endif()
  set_property(DIRECTORY APPEND PROPERTY LOCKSTEP_SHADER_SOURCES "${embedded}")
  add_custom_command(
    OUTPUT "${embedded}"
    ${ARG_MAKE}
    COMMAND "${CMAKE_COMMAND}" "-DNAME=${LOCKSTEP_SHADER_PREFIX}${name}" "-DMODULE=${module}"
            "-DOUTPUT=${embedded}" -P "${LOCKSTEP_SHADER_SCRIPTS}/embed_module.cmake"
    DEPENDS ${ARG_MADE_FROM} "${LOCKSTEP_SHADER_SCRIPTS}/embed_module.cmake"
    COMMENT "Shader ${LOCKSTEP_SHADER_PREFIX}${name}"
    VERBATIM)
endfunction()

# lockstep_shader(name source DEFINES...): the module `name` from `source`, with -D for each define.
function(lockstep_shader name source)
  set(module "${CMAKE_CURRENT_BINARY_DIR}/${name}.spv")
  list(TRANSFORM ARGN PREPEND "-D" OUTPUT_VARIABLE defines)
  set(optimize "")
  if(LOCKSTEP_SHADER_OPTIMIZATION)
    set(optimize COMMAND "${LOCKSTEP_SPIRV_OPT}" ${LOCKSTEP_SHADER_OPTIMIZATION} "${module}"
                         -o "${module}")
  endif()
  lockstep_embed_module(${name} "${module}"
    MADE_FROM "${CMAKE_CURRENT_SOURCE_DIR}/${source}" ${LOCKSTEP_SHADER_INCLUDES}
    MAKE COMMAND "${LOCKSTEP_GLSLANG}" -V --quiet --target-env vulkan1.1 ${defines}
                 -o "${module}" "${CMAKE_CURRENT_SOURCE_DIR}/${source}"
         ${optimize}
         COMMAND "${LOCKSTEP_SPIRV_VAL}" --target-env vulkan1.1 "${module}"
         BYPRODUCTS "${module}")
endfunction()

# lockstep_precompiled_shader(name source DEFINES...): as lockstep_shader().
function(lockstep_precompiled_shader name source)
  if(LOCKSTEP_COMPILES_COOPERATIVE_MATRICES)
    set(module "${CMAKE_CURRENT_BINARY_DIR}/${name}.spv")
    list(TRANSFORM ARGN PREPEND "-D" OUTPUT_VARIABLE defines)
    lockstep_embed_module(${name} "${module}"
      MADE_FROM "${CMAKE_CURRENT_SOURCE_DIR}/${source}" ${LOCKSTEP_SHADER_INCLUDES}
      MAKE COMMAND "${LOCKSTEP_COOPERATIVE_MATRIX_GLSLANG}" -V -g0 --quiet --target-env vulkan1.1
                   ${defines} -o "${module}" "${CMAKE_CURRENT_SOURCE_DIR}/${source}"
           BYPRODUCTS "${module}")
  else()
    set(module "${CMAKE_CURRENT_SOURCE_DIR}/precompiled/${name}.spv")
    lockstep_embed_module(${name} "${module}" MADE_FROM "${module}")
  endif()
endfunction()

# lockstep_precompiled_shaders(test): the shaders of the folder's precompiled_modules.txt, compiled where a
# glslang is found that can (15 or later for GL_KHR_cooperative_matrix), else the checked-in modules of
# precompiled/, made from the same sources; and the test that they are.
function(lockstep_precompiled_shaders test)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS precompiled_modules.txt)
  file(STRINGS precompiled_modules.txt modules REGEX "^[^#]")
  foreach(line IN LISTS modules)
    separate_arguments(words UNIX_COMMAND "${line}")
    lockstep_precompiled_shader(${words})
  endforeach()
  if(LOCKSTEP_BUILD_TESTS)
    add_test(NAME ${test}
             COMMAND "${CMAKE_COMMAND}" -DACTION=check "-DSHADERS=${CMAKE_CURRENT_SOURCE_DIR}"
                     "-DSPIRV_VAL=${LOCKSTEP_SPIRV_VAL}"
                     -P "${LOCKSTEP_SHADER_SCRIPTS}/precompiled_manifest.cmake")
    set_tests_properties(${test} PROPERTIES TIMEOUT 60)
  endif()
endfunction()

# lockstep_glslang_knows(EXTENSION RESULT)
function(lockstep_glslang_knows extension result)
  set(probe "${CMAKE_CURRENT_BINARY_DIR}/probe.comp")
  file(WRITE "${probe}" "#version 450\n#extension ${extension} : require\nvoid main() {}\n")
  execute_process(COMMAND "${LOCKSTEP_COOPERATIVE_MATRIX_GLSLANG}" -V --quiet --target-env vulkan1.1
                          -o "${probe}.spv" "${probe}"
                  RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(status EQUAL 0)
    set(${result} TRUE PARENT_SCOPE)
  else()
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

lockstep_glslang_knows(GL_KHR_cooperative_matrix LOCKSTEP_COMPILES_COOPERATIVE_MATRICES)
if(LOCKSTEP_COMPILES_COOPERATIVE_MATRICES)
  message(STATUS "Cooperative matrices: compiled by ${LOCKSTEP_COOPERATIVE_MATRIX_GLSLANG}")
else()
  message(STATUS "Cooperative matrices: this glslang cannot compile them; taking precompiled modules")
endif()
