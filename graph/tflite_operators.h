// Operators of a .tflite file. Internal to graph/.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "graph/graph.h"
#include "graph/tflite_file.h"

namespace lockstep::graph {

// One operator of the first subgraph, whose tensors are `tensors`. Opaque, with a reason, where we
// do not know it, its version or its options; an error where the file contradicts itself.
Result<Operator> read_operator(const schema::Model& model, size_t index,
                               std::span<const Tensor> tensors, std::string_view file_name);

// Options of an understood operator as the file holds them. Types without options give NONE.
struct WrittenOptions {
  schema::BuiltinOptions type = schema::BuiltinOptions::NONE;
  flatbuffers::Offset<void> offset;
};
WrittenOptions write_options(flatbuffers::FlatBufferBuilder& builder, const Operator& op);

}  // namespace lockstep::graph
