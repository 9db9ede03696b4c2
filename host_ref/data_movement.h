// PAD, CONCATENATION, RESHAPE and transpositions, which move elements without computing: the
// executable specification.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/lowered_graph.h"

namespace lockstep::host_ref {

// output is `value` everywhere except where the input was copied to, at offset `before`.
void pad(const graph::LoweredPad& operation, std::span<const int8_t> input,
         std::span<int8_t> output);

// Row by row of the outer dimension, each input's axis_sizes[i] elements behind one another,
// through tables[i] where there is one. inputs[i] belongs to operation.inputs[i].
void concatenation(const graph::LoweredConcatenation& operation,
                   std::span<const std::span<const int8_t>> inputs, std::span<int8_t> output);

// [outer][rows][columns][inner] to [outer][columns][rows][inner].
void transposition(const graph::LoweredTransposition& operation, std::span<const int8_t> input,
                   std::span<int8_t> output);

// The same bytes; input and output are equally long. Any element type.
void reshape(std::span<const std::byte> input, std::span<std::byte> output);

}  // namespace lockstep::host_ref
