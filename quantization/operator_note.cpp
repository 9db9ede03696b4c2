#include "quantization/operator_note.h"

#include <utility>

#include "graph/operators.h"

namespace lockstep::quantization {

OperatorNote note_about(const schema::ModelT& model, size_t subgraph, size_t op, std::string text) {
  const schema::SubGraphT& operators = *model.subgraphs[subgraph];
  const schema::OperatorT& noted = *operators.operators[op];
  OperatorNote note{.subgraph = subgraph,
                    .op = op,
                    .name = operator_name(model, noted),
                    .output = {},
                    .text = std::move(text)};
  if (!noted.outputs.empty() && noted.outputs.front() != graph::kAbsentTensor) {
    note.output = operators.tensors[static_cast<size_t>(noted.outputs.front())]->name;
  }
  return note;
}

}  // namespace lockstep::quantization
