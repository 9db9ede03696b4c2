// The ZIP archive that TFLite's metadata tools put behind the flatbuffer of a .tflite file, with
// lists of labels and the like. Internal to graph/.
#pragma once

#include <cstddef>
#include <span>

#include "graph/status.h"

namespace lockstep::graph {

// A ZIP archive says of its members where they lie, mostly counted from the beginning of the file
// that it was appended to. Makes that true of a file in which the archive begins at `position`.
// Bytes that are no archive stay as they are: some writers leave objects behind the flatbuffer that
// nothing points to. kUnsupported, with the reason alone, for a damaged archive or one of several
// parts.
Status place_archive(std::span<std::byte> archive, size_t position);

}  // namespace lockstep::graph
