# Writes build_identity.cpp: cmake -DVERSION=... -DSOURCES=FILE -DOUTPUT=FILE -P build_identity.cmake
# SOURCES lists the files to hash, one a line, in an order that depends on their names alone.
file(STRINGS "${SOURCES}" files)
set(hashes "")
foreach(file IN LISTS files)
  file(SHA256 "${file}" hash)
  string(APPEND hashes "${hash}\n")
endforeach()
string(SHA256 hash "${hashes}")
string(SUBSTRING "${hash}" 0 16 hash)
file(WRITE "${OUTPUT}"
     "#include \"backend/vulkan/build_identity.h\"\n\n"
     "namespace lockstep::backend::vulkan {\n\n"
     "std::string_view build_identity() { return \"${VERSION}-${hash}\"; }\n\n"
     "}  // namespace lockstep::backend::vulkan\n")
