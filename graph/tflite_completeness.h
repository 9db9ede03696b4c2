// Whether our schema says everything that a .tflite file says. Internal to graph/.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "graph/status.h"
#include "graph/tflite_file.h"

namespace lockstep::graph {

// What lies behind the flatbuffer, without zeros before it. kUnsupported, naming the place, where
// turning the flatbuffer into objects would lose something: fields and union members of a newer
// version of the format, contents that lie outside it. kInvalidModel where the objects would be far
// larger than the file, or contradict themselves. `model` is what open_tflite() returned for
// `bytes`.
Result<std::span<const std::byte>> check_completeness(const schema::Model& model,
                                                      std::span<const std::byte> bytes,
                                                      std::string_view name);

}  // namespace lockstep::graph
