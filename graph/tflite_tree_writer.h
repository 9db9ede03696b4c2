// A tree of objects as the bytes of a flatbuffer. Internal to graph/.
#pragma once

#include <cstddef>
#include <vector>

#include "graph/tflite_schema_generated.h"

namespace lockstep::graph {

// What is equal is written once and pointed to from everywhere: names, shapes, options, scales, and
// the zero points of per-channel weights, which are 8 bytes of zeros for each channel of every
// layer. In a small int8 network those are a third of the file. Readers cannot tell.
//
// Lists and texts that are empty are left out; those of the model, of subgraphs and of signatures,
// which TFLite wants to see even then, are not.
std::vector<std::byte> write_tree(const schema::ModelT& model);

}  // namespace lockstep::graph
