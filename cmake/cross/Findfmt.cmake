include("${CMAKE_CURRENT_LIST_DIR}/header_only.cmake")
lockstep_header_only(lockstep_fmt_headers fmt HEADERS fmt)

# Headers alone make every file compile all of fmt anew, which is half of the time of an unoptimized
# build. Where this version of fmt takes it, that is done once; else FMT_HEADER_ONLY it is.
if(fmt_FOUND AND NOT TARGET fmt::fmt)
  if(NOT DEFINED LOCKSTEP_COMPILES_FMT_ONCE)
    try_compile(LOCKSTEP_COMPILES_FMT_ONCE "${CMAKE_BINARY_DIR}/fmt_probe"
                SOURCES "${CMAKE_CURRENT_LIST_DIR}/fmt_probe.cpp" "${CMAKE_CURRENT_LIST_DIR}/fmt_once.cpp"
                CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${CMAKE_BINARY_DIR}/host-headers"
                CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON)
  endif()
  if(LOCKSTEP_COMPILES_FMT_ONCE)
    add_library(lockstep_fmt STATIC "${CMAKE_CURRENT_LIST_DIR}/fmt_once.cpp")
    target_link_libraries(lockstep_fmt PUBLIC lockstep_fmt_headers)
    add_library(fmt::fmt ALIAS lockstep_fmt)
  else()
    target_compile_definitions(lockstep_fmt_headers INTERFACE FMT_HEADER_ONLY)
    add_library(fmt::fmt ALIAS lockstep_fmt_headers)
  endif()
endif()
