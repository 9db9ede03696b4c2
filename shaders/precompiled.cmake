# Shaders of precompiled_modules.txt: compiled where a glslang is found that can (15 or later for
# GL_KHR_cooperative_matrix), else the checked-in modules of precompiled/, made from the same sources.
find_program(LOCKSTEP_COOPERATIVE_MATRIX_GLSLANG NAMES glslangValidator glslang
             DOC "A glslang that compiles GL_KHR_cooperative_matrix")

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

# lockstep_precompiled_shader(name source DEFINES...): as lockstep_shader().
function(lockstep_precompiled_shader name source)
  set(embedded "${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp")
  if(LOCKSTEP_COMPILES_COOPERATIVE_MATRICES)
    set(module "${CMAKE_CURRENT_BINARY_DIR}/${name}.spv")
    list(TRANSFORM ARGN PREPEND "-D" OUTPUT_VARIABLE defines)
    set(compile COMMAND "${LOCKSTEP_COOPERATIVE_MATRIX_GLSLANG}" -V -g0 --quiet --target-env vulkan1.1
                ${defines} -o "${module}" "${CMAKE_CURRENT_SOURCE_DIR}/${source}"
                BYPRODUCTS "${module}")
    set(made_from "${CMAKE_CURRENT_SOURCE_DIR}/${source}" ${LOCKSTEP_SHADER_INCLUDES})
  else()
    set(module "${CMAKE_CURRENT_SOURCE_DIR}/precompiled/${name}.spv")
    set(compile "")
    set(made_from "${module}")
  endif()
  add_custom_command(
    OUTPUT "${embedded}"
    ${compile}
    COMMAND "${CMAKE_COMMAND}" -DNAME=${name} "-DMODULE=${module}" "-DOUTPUT=${embedded}"
            -P "${CMAKE_CURRENT_SOURCE_DIR}/embed_module.cmake"
    DEPENDS ${made_from} "${CMAKE_CURRENT_SOURCE_DIR}/embed_module.cmake"
    COMMENT "Shader ${name}"
    VERBATIM)
  set(LOCKSTEP_SHADER_NAMES ${LOCKSTEP_SHADER_NAMES} ${name} PARENT_SCOPE)
  set(LOCKSTEP_SHADER_SOURCES ${LOCKSTEP_SHADER_SOURCES} "${embedded}" PARENT_SCOPE)
endfunction()

lockstep_glslang_knows(GL_KHR_cooperative_matrix LOCKSTEP_COMPILES_COOPERATIVE_MATRICES)
if(LOCKSTEP_COMPILES_COOPERATIVE_MATRICES)
  message(STATUS "Cooperative matrices: compiled by ${LOCKSTEP_COOPERATIVE_MATRIX_GLSLANG}")
else()
  message(STATUS "Cooperative matrices: this glslang cannot compile them; taking shaders/precompiled")
endif()

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS precompiled_modules.txt)
file(STRINGS precompiled_modules.txt modules REGEX "^[^#]")
foreach(line IN LISTS modules)
  separate_arguments(words UNIX_COMMAND "${line}")
  lockstep_precompiled_shader(${words})
endforeach()

if(LOCKSTEP_BUILD_TESTS)
  add_test(NAME precompiled_shaders_test
           COMMAND "${CMAKE_COMMAND}" -DACTION=check "-DSPIRV_VAL=${LOCKSTEP_SPIRV_VAL}"
                   -P "${CMAKE_CURRENT_SOURCE_DIR}/precompiled_manifest.cmake")
  set_tests_properties(precompiled_shaders_test PROPERTIES TIMEOUT 60)
endif()
