// What newer x86 processors multiply bytes with.
#include "bench/cpu/register_form.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace lockstep::bench {
namespace {

using backend::cpu::Isa;

// 16 sums: an instruction every half cycle that waits 5 cycles for the one before needs 10.
constexpr size_t kVnniLefts = 4;
constexpr size_t kVnniRights = 4;
constexpr size_t kVnniBytes = sizeof(__m512i);

#define LOCKSTEP_WITH_VNNI __attribute__((target("avx512f,avx512vnni")))

// In assembler: some compilers add moves around the intrinsic.
LOCKSTEP_WITH_VNNI inline __m512i add_products(__m512i sum, __m512i left, __m512i right) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(left), "v"(right));
  return sum;
}

LOCKSTEP_WITH_VNNI void run_vpdpbusd(const uint8_t* lefts, const int8_t* rights, int32_t* sums) {
  __m512i left[kVnniLefts];
  __m512i right[kVnniRights];
  __m512i sum[kVnniLefts][kVnniRights];
  for (size_t i = 0; i < kVnniLefts; ++i) left[i] = _mm512_loadu_si512(lefts + i * kVnniBytes);
  for (size_t i = 0; i < kVnniRights; ++i) right[i] = _mm512_loadu_si512(rights + i * kVnniBytes);
  for (auto& row : sum) {
    for (__m512i& each : row) each = _mm512_setzero_si512();
  }
  for (int64_t step = 0; step < kRegisterSteps; ++step) {
    for (size_t l = 0; l < kVnniLefts; ++l) {
      for (size_t r = 0; r < kVnniRights; ++r) {
        sum[l][r] = add_products(sum[l][r], left[l], right[r]);
      }
    }
  }
  for (const auto& row : sum) {
    for (const __m512i& each : row) {
      _mm512_storeu_si512(sums, each);
      sums += kVnniBytes / sizeof(int32_t);
    }
  }
}

RegisterForm vnni_form() {
  const RegisterKernel<uint8_t, int8_t, int32_t> kernel = {
      .lefts = kVnniLefts,
      .rights = kVnniRights,
      .left_elements = kVnniBytes,
      .right_elements = kVnniBytes,
      .sums = kVnniBytes / sizeof(int32_t),
      .depth = 4,
      .run = run_vpdpbusd,
      .step = sums_of_neighbours<uint8_t, int8_t>(4)};
  return {.name = "vpdpbusd-avx512-vnni",
          .meaning = "four products of bytes added to each int32",
          .isa = Isa::kAvx512Vnni,
          .is_exact_int8 = true,
          .multiply_adds = kernel.multiply_adds(),
          .run = checked_run(kernel)};
}

// 4 tiles of sums and 4 of operands are all there are.
constexpr size_t kTileLefts = 2;
constexpr size_t kTileRights = 2;
constexpr size_t kTileRows = 16;
constexpr size_t kTileRowBytes = 64;
constexpr size_t kTileBytes = kTileRows * kTileRowBytes;
constexpr size_t kTileColumns = kTileRowBytes / sizeof(int32_t);

// What ldtilecfg loads: all 8 tiles have 16 rows of 64 bytes.
struct alignas(64) TileConfiguration {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);
constexpr TileConfiguration kTileConfiguration;

// Tiles 0 to 3: sums; 4 and 5: lefts; 6 and 7: rights.
__attribute__((target("amx-tile,amx-int8"))) void run_tdpbusd(const uint8_t* lefts,
                                                              const int8_t* rights, int32_t* sums) {
  _tile_loadconfig(&kTileConfiguration);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, lefts, kTileRowBytes);
  _tile_loadd(5, lefts + kTileBytes, kTileRowBytes);
  _tile_loadd(6, rights, kTileRowBytes);
  _tile_loadd(7, rights + kTileBytes, kTileRowBytes);
  for (int64_t step = 0; step < kRegisterSteps; ++step) {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
  constexpr size_t kSums = kTileRows * kTileColumns;
  _tile_stored(0, sums, kTileRowBytes);
  _tile_stored(1, sums + kSums, kTileRowBytes);
  _tile_stored(2, sums + 2 * kSums, kTileRowBytes);
  _tile_stored(3, sums + 3 * kSums, kTileRowBytes);
  _tile_release();
}

// A row of the left tile is a row of 64 numbers; in the right one four neighbouring bytes are of
// one column: number k of column c is byte k % 4 of word c in row k / 4.
int64_t tile_step(const uint8_t* left, const int8_t* right, size_t index) {
  const size_t row = index / kTileColumns;
  const size_t column = index % kTileColumns;
  int64_t sum = 0;
  for (size_t k = 0; k < kTileRowBytes; ++k) {
    sum +=
        int64_t{left[row * kTileRowBytes + k]} * right[k / 4 * kTileRowBytes + column * 4 + k % 4];
  }
  return sum;
}

RegisterForm amx_form() {
  const RegisterKernel<uint8_t, int8_t, int32_t> kernel = {.lefts = kTileLefts,
                                                           .rights = kTileRights,
                                                           .left_elements = kTileBytes,
                                                           .right_elements = kTileBytes,
                                                           .sums = kTileRows * kTileColumns,
                                                           .depth = kTileRowBytes,
                                                           .run = run_tdpbusd,
                                                           .step = tile_step};
  return {.name = "tdpbusd-amx-int8",
          .meaning = "tiles of bytes, 16 x 64 by 64 x 16, added to 16 x 16 int32",
          .isa = Isa::kAmxInt8,
          .is_exact_int8 = true,
          .multiply_adds = kernel.multiply_adds(),
          .run = checked_run(kernel)};
}

}  // namespace

std::vector<RegisterForm> x86_forms() { return {vnni_form(), amx_form()}; }

}  // namespace lockstep::bench

#else

namespace lockstep::bench {

std::vector<RegisterForm> x86_forms() { return {}; }

}  // namespace lockstep::bench

#endif
