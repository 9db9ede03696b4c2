# Writes the text file INPUT as C++ into OUTPUT:
#   cmake -DINPUT=golden_digests.txt -DOUTPUT=golden_digests.cpp -P embed_golden.cmake
file(READ "${INPUT}" text)
file(WRITE "${OUTPUT}" "#include \"conformance/golden.h\"

namespace lockstep::conformance {

std::string_view embedded_golden_text() {
  return R\"golden(${text})golden\";
}

}  // namespace lockstep::conformance
")
