// What corpus files have in common, whether they are written or read. Internal to conformance/.
#pragma once

#include <cstddef>
#include <cstdint>

#include "conformance/corpus_generated.h"

namespace lockstep::conformance {

// The `contents` of a corpus, and every model in them, so that graphs point into the file.
inline constexpr size_t kCorpusAlignment = 16;
inline constexpr uint32_t kCorpusFormatVersion = 1;

}  // namespace lockstep::conformance
