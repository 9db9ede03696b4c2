// What `lockstep weights` says of a network's constants.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "graph/editable_model.h"
#include "graph/status.h"
#include "graph/tensor.h"

namespace lockstep::tools {

// The smallest and the largest real number; NaN stands beside them.
struct ValueRange {
  double minimum = 0;
  double maximum = 0;
  size_t nans = 0;
};

struct ConstantSummary {
  size_t subgraph = 0;
  size_t tensor = 0;  // index in its subgraph
  std::string name;
  std::string type;  // as the format calls it, in small letters: "int8", "float16", "int4"
  graph::Shape shape;
  graph::Quantization quantization;
  bool is_sparse = false;              // stored in the format's sparse encoding
  size_t bytes = 0;                    // of its buffer
  bool shares_buffer = false;          // another tensor has the same one
  std::vector<std::string> consumers;  // "CONV_2D #3 input 1"
  // Absent for types that stand for no numbers we know.
  std::optional<ValueRange> range;
  std::optional<double> zeros;  // share of elements that stand for zero
};

// All constants of all subgraphs, in their order.
Result<std::vector<ConstantSummary>> summarize_constants(const graph::EditableModel& model);

nlohmann::json to_json(const ConstantSummary& constant);

}  // namespace lockstep::tools
