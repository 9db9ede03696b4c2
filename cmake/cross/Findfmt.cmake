include("${CMAKE_CURRENT_LIST_DIR}/header_only.cmake")
lockstep_header_only(fmt::fmt fmt HEADERS fmt DEFINITIONS FMT_HEADER_ONLY)
