# Builds the command line for 64-bit ARM Linux with the preset aarch64-linux, and runs it under an
# emulator: it needs no library but the C library's, and computes the bits that this machine computes.
#   -DSOURCE_DIR= the repository     -DWORK_DIR= a folder to keep   -DJOBS= compilers at once
#   -DNATIVE_BUILD= its build folder for this machine   -DNATIVE_PROGRAM= lockstep in it
# Prints "SKIPPED: reason" where compiler or emulator are missing.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "'${command}' failed (${result}):\n${output}\n${errors}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# digest_in(variable text label): the 32 digits behind "label " in the text.
function(digest_in variable text label)
  if(NOT text MATCHES "${label} ([0-9a-f]+)")
    message(FATAL_ERROR "there is no ${label} in:\n${text}")
  endif()
  string(LENGTH "${CMAKE_MATCH_1}" length)
  if(NOT length EQUAL 32)
    message(FATAL_ERROR "'${CMAKE_MATCH_1}' is no digest")
  endif()
  set(${variable} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

find_program(compiler aarch64-linux-gnu-g++)
find_program(emulator NAMES qemu-aarch64 qemu-aarch64-static)
find_program(readelf NAMES aarch64-linux-gnu-readelf readelf)
foreach(tool IN ITEMS compiler emulator readelf)
  if(NOT ${tool})
    message(STATUS "SKIPPED: no ${tool} for 64-bit ARM: install g++-aarch64-linux-gnu and qemu-user")
    return()
  endif()
endforeach()

# Not optimized: what the compiler saves here, the emulator does not lose on a few cases. Other
# compilers see other things to warn of. SPIR-V is the same for every processor.
set(launcher "")
find_program(ccache ccache)
if(ccache)
  set(launcher "-DCMAKE_C_COMPILER_LAUNCHER=${ccache}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${ccache}")
endif()
set(build "${WORK_DIR}/build")
run("${CMAKE_COMMAND}" --preset aarch64-linux -S "${SOURCE_DIR}" -B "${build}" ${launcher}
    "-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG" -DLOCKSTEP_WERROR=OFF
    "-DLOCKSTEP_SHADERS_OF=${NATIVE_BUILD}")
find_program(nice nice)
set(behind_others "")
if(nice)
  set(behind_others "${nice}" -n 10)
endif()
run(${behind_others} "${CMAKE_COMMAND}" --build "${build}" --target lockstep_cli --parallel ${JOBS})
set(program "${build}/bin/lockstep")

# One file to copy: the C library and its loader are the only others that it asks for.
run("${readelf}" --dynamic "${program}")
string(REGEX MATCHALL "\\(NEEDED\\)[^\n]*\\[[^]\n]+\\]" needed "${output}")
if(NOT needed)
  message(FATAL_ERROR "no library is needed, so none could be opened at run time:\n${output}")
endif()
foreach(entry IN LISTS needed)
  string(REGEX REPLACE ".*\\[(.*)\\]" "\\1" library "${entry}")
  if(NOT library MATCHES "^(libc|libm|libdl|libpthread|ld-linux-aarch64)\\.so\\.[0-9]+$")
    message(FATAL_ERROR "'${program}' needs ${library}")
  endif()
endforeach()

# An emulator starts nothing but the program itself, so there are no child processes.
set(emulated "${emulator}" -L /usr/aarch64-linux-gnu "${program}")
run(${emulated} devices)
if(NOT output MATCHES "ref")
  message(FATAL_ERROR "'lockstep devices' does not list the reference:\n${output}")
endif()

set(corpus "${WORK_DIR}/corpus.lockstep")
run("${NATIVE_PROGRAM}" conform export "${corpus}" --quick)
digest_in(exported "${output}" "digest")
# Read, lowered, computed and written anew over there: the same file.
run(${emulated} conform export "${WORK_DIR}/emulated.lockstep" --corpus "${corpus}")
digest_in(emulated_export "${output}" "digest")
if(NOT exported STREQUAL emulated_export)
  message(FATAL_ERROR "the corpus is ${exported} here and ${emulated_export} under the emulator")
endif()

set(conform conform --device ref --workers 0 --repeat 1 --no-progress --corpus "${corpus}")
run("${NATIVE_PROGRAM}" ${conform})
digest_in(native "${output}" "digest")
run(${emulated} ${conform})
digest_in(foreign "${output}" "digest")
if(NOT native STREQUAL foreign)
  message(FATAL_ERROR "the digest is ${native} here and ${foreign} under the emulator")
endif()

# The processor's own kernels, with each of its instruction sets.
set(conform conform --device cpu --workers 0 --repeat 1 --no-progress --corpus "${corpus}")
foreach(isa IN ITEMS neon dotprod i8mm)
  run("${CMAKE_COMMAND}" -E env LOCKSTEP_CPU_ISA=${isa} ${emulated} devices --json)
  if(NOT output MATCHES "\"${isa}\"")
    message(FATAL_ERROR "'lockstep devices' does not say that 'cpu' uses ${isa}:\n${output}")
  endif()
  run("${CMAKE_COMMAND}" -E env LOCKSTEP_CPU_ISA=${isa} ${emulated} ${conform})
  digest_in(foreign "${output}" "digest")
  if(NOT native STREQUAL foreign)
    message(FATAL_ERROR "the digest is ${native} here and ${foreign} with ${isa} under the emulator")
  endif()
endforeach()
message(STATUS "corpus ${exported}, results ${native}, here and under ${emulator}")
