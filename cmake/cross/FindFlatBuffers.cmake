include("${CMAKE_CURRENT_LIST_DIR}/header_only.cmake")
lockstep_header_only(flatbuffers::flatbuffers FlatBuffers HEADERS flatbuffers)
