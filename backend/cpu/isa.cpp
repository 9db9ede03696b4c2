#include "backend/cpu/isa.h"

#include <algorithm>
#include <mutex>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace lockstep::backend::cpu {
namespace {

#if defined(__x86_64__)

struct CpuidRegisters {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

CpuidRegisters cpuid(uint32_t leaf, uint32_t subleaf) {
  CpuidRegisters registers;
  __get_cpuid_count(leaf, subleaf, &registers.eax, &registers.ebx, &registers.ecx, &registers.edx);
  return registers;
}

constexpr bool bit(uint64_t word, int index) { return ((word >> index) & 1) != 0; }

// Which register files the operating system saves (XCR0).
uint64_t enabled_register_files() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

// Linux lends the tiles to processes that ask: arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA).
bool request_tiles() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

std::vector<Isa> find_isas() {
  std::vector<Isa> isas;
  const CpuidRegisters basic = cpuid(1, 0);
  const CpuidRegisters extended = cpuid(7, 0);
  const bool has_sse4 = bit(basic.ecx, 19) && bit(basic.ecx, 20) && bit(basic.ecx, 9) &&  // SSSE3
                        bit(basic.ecx, 1) && bit(basic.ecx, 25);  // PCLMUL and AES, see highway.h
  if (!has_sse4) return isas;
  isas.push_back(Isa::kSse4);
  const bool saves_registers = bit(basic.ecx, 27);  // OSXSAVE
  const uint64_t files = saves_registers ? enabled_register_files() : 0;
  constexpr uint64_t kAvxFiles = 0x6;
  constexpr uint64_t kAvx512Files = 0xe6;
  constexpr uint64_t kTileFiles = 0x60000;
  const bool has_avx2 = bit(extended.ebx, 5) && bit(extended.ebx, 3) && bit(extended.ebx, 8) &&
                        bit(basic.ecx, 12) && bit(basic.ecx, 29);  // BMI1, BMI2, FMA, F16C
  if (!has_avx2 || (files & kAvxFiles) != kAvxFiles) return isas;
  isas.push_back(Isa::kAvx2);
  const bool has_avx512 = bit(extended.ebx, 16) && bit(extended.ebx, 17) && bit(extended.ebx, 28) &&
                          bit(extended.ebx, 30) && bit(extended.ebx, 31);
  if (!has_avx512 || (files & kAvx512Files) != kAvx512Files) return isas;
  isas.push_back(Isa::kAvx512);
  if (!bit(extended.ecx, 11)) return isas;
  isas.push_back(Isa::kAvx512Vnni);
  const bool has_tiles = bit(extended.edx, 24) && bit(extended.edx, 25);
  if (has_tiles && (files & kTileFiles) == kTileFiles) isas.push_back(Isa::kAmxInt8);
  return isas;
}

#elif defined(__aarch64__)

bool request_tiles() { return false; }

std::vector<Isa> find_isas() {
  constexpr unsigned long kDotProduct = 1UL << 20;  // HWCAP_ASIMDDP
  constexpr unsigned long kI8mm = 1UL << 13;        // HWCAP2_I8MM
  std::vector<Isa> isas = {Isa::kNeon};
  if ((::getauxval(AT_HWCAP) & kDotProduct) == 0) return isas;
  isas.push_back(Isa::kNeonDotProduct);
  if ((::getauxval(AT_HWCAP2) & kI8mm) != 0) isas.push_back(Isa::kNeonI8mm);
  return isas;
}

#else

bool request_tiles() { return false; }

std::vector<Isa> find_isas() { return {}; }

#endif

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kSse4:
      return "sse4";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Vnni:
      return "avx512-vnni";
    case Isa::kAmxInt8:
      return "amx-int8";
    case Isa::kNeon:
      return "neon";
    case Isa::kNeonDotProduct:
      return "dotprod";
    case Isa::kNeonI8mm:
      return "i8mm";
  }
  return "";
}

std::optional<Isa> parse_isa(std::string_view name) {
  const auto found = std::ranges::find(kAllIsas, name, isa_name);
  if (found == kAllIsas.end()) return std::nullopt;
  return *found;
}

std::vector<Isa> executable_isas(Isa most) {
  static const std::vector<Isa> found = find_isas();
  std::vector<Isa> isas = found;
  if (!isas.empty() && isas.back() == Isa::kAmxInt8) {
    static std::once_flag asked;
    static bool has_tiles = false;
    if (most >= Isa::kAmxInt8) std::call_once(asked, [] { has_tiles = request_tiles(); });
    if (most < Isa::kAmxInt8 || !has_tiles) isas.pop_back();
  }
  return isas;
}

}  // namespace lockstep::backend::cpu
