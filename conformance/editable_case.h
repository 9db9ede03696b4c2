// A case taken apart so that it can be changed: all contents, of graph inputs and of constants
// alike, are owned and found by the tensor's index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "conformance/case.h"
#include "graph/status.h"

namespace lockstep::conformance {

struct EditableCase {
  explicit EditableCase(const Case& source);

  const graph::Tensor& tensor(int32_t index) const {
    return graph.tensors[static_cast<size_t>(index)];
  }
  bool has_contents(int32_t index) const { return !contents[static_cast<size_t>(index)].empty(); }

  // As a case again: tensors that nothing refers to are gone, and so are coverage points, which no
  // longer hold. kInvalidModel as of validate(), or where contents do not fit a shape.
  Result<Case> finish() &&;

  std::string name;
  std::string family;
  graph::Graph graph;  // Tensor::data is not used
  // Dense bytes of graph inputs and constants; empty for what operators produce.
  std::vector<std::vector<std::byte>> contents;
};

// What an operator reads for its shape, not for its values: axes, amounts, new shapes.
bool is_structural_operand(const graph::Operator& op, size_t operand);

}  // namespace lockstep::conformance
