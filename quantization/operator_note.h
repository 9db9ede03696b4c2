// What a change of a network has to say about one of its operators.
#pragma once

#include <cstddef>
#include <string>

#include "quantization/model_editing.h"

namespace lockstep::quantization {

struct OperatorNote {
  size_t subgraph = 0;
  size_t op = 0;       // position in its subgraph when the note was made
  std::string name;    // of the operator
  std::string output;  // name of its first output; empty where it has none
  std::string text;
};

OperatorNote note_about(const schema::ModelT& model, size_t subgraph, size_t op, std::string text);

}  // namespace lockstep::quantization
