// Which tensors of two versions of a network hold the same thing.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "graph/status.h"

namespace lockstep::quantization {

enum class MatchKind : uint8_t {
  kName,       // both have the name, and no other tensor has it
  kEqualized,  // both have the name, but for kEqualizedSuffix behind one of them
  kOrder,      // inputs and outputs: the same position
  kStructure,  // made by the same kind of operator, with the same shape, from matching tensors
};
std::string_view match_kind_name(MatchKind kind);  // "name", "equalized", "order", "structure"

struct TensorMatch {
  int32_t expected = 0;  // tensor index in the one network
  int32_t actual = 0;    // and in the other
  MatchKind kind = MatchKind::kName;
};

struct TensorMatching {
  std::vector<TensorMatch> inputs;   // in the order of the expected network's, all of them
  std::vector<TensorMatch> outputs;  // likewise
  // Activations, outputs among them, in the order in which the expected network makes them.
  // Inputs, constants and whatever is made of constants alone are none.
  std::vector<TensorMatch> layers;
  // Activations without a counterpart. Those that hold what another tensor holds, on the other side
  // of a QUANTIZE or DEQUANTIZE, are left out where that one has one.
  std::vector<int32_t> only_expected;
  std::vector<int32_t> only_actual;
};

// Counterparts have as many elements; their types may differ. QUANTIZE and DEQUANTIZE are looked
// through. kInvalidArgument where inputs or outputs do not correspond, by name or by order.
Result<TensorMatching> match_tensors(const graph::Graph& expected, const graph::Graph& actual);

}  // namespace lockstep::quantization
