// Reading memory with a processor's widest vectors.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/isa.h"

namespace lockstep::bench {

// A multiple of so many words is read at a time.
inline constexpr size_t kReadWords = 128;

// The sum of all words modulo 2^32. `count` is a multiple of kReadWords, `isa` one of
// executable_isas().
uint32_t sum_of_words(backend::cpu::Isa isa, const uint32_t* words, size_t count);

}  // namespace lockstep::bench
