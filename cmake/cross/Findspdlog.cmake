include("${CMAKE_CURRENT_LIST_DIR}/header_only.cmake")
lockstep_header_only(spdlog::spdlog_header_only spdlog HEADERS spdlog)
