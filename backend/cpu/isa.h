// Instruction sets that kernels are written for. All of an architecture's are in one binary; which
// of them run is decided when a device is opened.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace lockstep::backend::cpu {

// Ascending within an architecture: who has one has those before it, and prefers it to them.
enum class Isa : uint8_t {
  kSse4,            // x86: SSE4.2
  kAvx2,            // with FMA and F16C, as every processor with AVX2 has
  kAvx512,          // F, BW, DQ, VL and CD
  kAvx512Vnni,      // vpdpbusd: four products of bytes a lane
  kAmxInt8,         // tdpbusd: 16x16 sums of 64 products
  kNeon,            // ARM, 64 bit
  kNeonDotProduct,  // sdot: four products of bytes a lane
  kNeonI8mm,        // usmmla: 2x2 sums of 8 products
};

inline constexpr std::array kAllIsas = {Isa::kSse4,           Isa::kAvx2,    Isa::kAvx512,
                                        Isa::kAvx512Vnni,     Isa::kAmxInt8, Isa::kNeon,
                                        Isa::kNeonDotProduct, Isa::kNeonI8mm};

std::string_view isa_name(Isa isa);  // "avx512-vnni"
std::optional<Isa> parse_isa(std::string_view name);

// What this binary has kernels for and this processor and operating system execute, ascending;
// empty on processors of other architectures, and on x86 before SSE4.2. Where AMX is not beyond
// `most`, asks the operating system for its tiles, which the process keeps from then on.
std::vector<Isa> executable_isas(Isa most = kAllIsas.back());

// The vectors that come with an instruction set. What has no kernels of its own for an Isa uses
// those for its vectors.
enum class VectorExtension : uint8_t { kSse4, kAvx2, kAvx512, kNeon };

constexpr VectorExtension vector_extension(Isa isa) {
  switch (isa) {
    case Isa::kSse4:
      return VectorExtension::kSse4;
    case Isa::kAvx2:
      return VectorExtension::kAvx2;
    case Isa::kAvx512:
    case Isa::kAvx512Vnni:
    case Isa::kAmxInt8:
      return VectorExtension::kAvx512;
    case Isa::kNeon:
    case Isa::kNeonDotProduct:
    case Isa::kNeonI8mm:
      return VectorExtension::kNeon;
  }
  return VectorExtension::kSse4;
}

// The least instruction set with these vectors: what a kernel is made of that has none for more.
constexpr Isa least_isa(VectorExtension vectors) {
  switch (vectors) {
    case VectorExtension::kSse4:
      return Isa::kSse4;
    case VectorExtension::kAvx2:
      return Isa::kAvx2;
    case VectorExtension::kAvx512:
      return Isa::kAvx512;
    case VectorExtension::kNeon:
      return Isa::kNeon;
  }
  return Isa::kSse4;
}

}  // namespace lockstep::backend::cpu
