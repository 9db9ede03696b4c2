# Writes the SPIR-V file MODULE as a C++ array into OUTPUT:
#   cmake -DNAME=... -DMODULE=... -DOUTPUT=... -P embed_module.cmake
file(READ "${MODULE}" bytes HEX)
string(REGEX REPLACE "(..)(..)(..)(..)" "0x\\4\\3\\2\\1," words "${bytes}")
string(REGEX REPLACE "((0x........,){8})" "\\1\n" words "${words}")
file(WRITE "${OUTPUT}" "#include <cstdint>
#include <span>

namespace lockstep::shaders {
namespace {
constexpr std::uint32_t kWords[] = {
${words}};
}  // namespace

extern const std::span<const std::uint32_t> module_${NAME};
constinit const std::span<const std::uint32_t> module_${NAME}{kWords};
}  // namespace lockstep::shaders
")
