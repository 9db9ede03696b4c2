# lockstep_header_only(TARGET NAME HEADERS...): an imported target for a library of
# which only headers are needed, taken from the machine that builds. The folders of the headers are
# linked into one of their own, so that nothing else of that machine's /usr/include is seen by the cross
# compiler. NAME is find_package()'s.
function(lockstep_header_only target name)
  cmake_parse_arguments(PARSE_ARGV 2 ARG "" "" "HEADERS")
  set(folder "${CMAKE_BINARY_DIR}/host-headers")
  file(MAKE_DIRECTORY "${folder}")
  foreach(header IN LISTS ARG_HEADERS)
    find_path(LOCKSTEP_HEADERS_OF_${header} "${header}" PATHS /usr/local/include /usr/include
              NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
    if(NOT LOCKSTEP_HEADERS_OF_${header})
      set(${name}_FOUND FALSE PARENT_SCOPE)
      set(${name}_NOT_FOUND_MESSAGE "This machine has no header ${header}: scripts/setup.sh installs it"
          PARENT_SCOPE)
      return()
    endif()
    file(CREATE_LINK "${LOCKSTEP_HEADERS_OF_${header}}/${header}" "${folder}/${header}" SYMBOLIC)
  endforeach()
  if(NOT TARGET ${target})
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} SYSTEM INTERFACE "${folder}")
  endif()
  set(${name}_FOUND TRUE PARENT_SCOPE)
endfunction()
