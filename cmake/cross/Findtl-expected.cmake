include("${CMAKE_CURRENT_LIST_DIR}/header_only.cmake")
lockstep_header_only(tl::expected tl-expected HEADERS tl)
