// ONNX's own test vectors: a folder with a network of one operator (or of the few that another one
// stands for), its inputs and the outputs it must give, as protobuf files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "graph/status.h"
#include "graph/tensor.h"

namespace lockstep::conformance::testing {

// Its quantization is in other tensors; NCHW where it is an image.
struct OnnxTensor {
  std::string name;
  graph::DataType type = graph::DataType::kOther;
  graph::Shape shape;  // empty for a scalar
  std::vector<std::byte> data;
};

struct OnnxNode {
  std::string type;                 // "QLinearConv"
  std::vector<std::string> inputs;  // names; empty for an absent optional one
  std::vector<std::string> outputs;
  // Numbers, one or many, and texts; other kinds of attributes are left out.
  std::map<std::string, std::vector<int64_t>> numbers;
  std::map<std::string, std::string> texts;
};

struct OnnxVector {
  std::string name;  // the folder's
  std::vector<OnnxNode> nodes;
  std::vector<OnnxTensor> inputs;
  std::vector<OnnxTensor> outputs;
};

// The nodes of a .onnx file. kNotFound, or kInvalidModel where it is none or has no node.
Result<std::vector<OnnxNode>> read_onnx_nodes(const std::filesystem::path& file);

// One tensor (.pb) of type int8, uint8, int32 or float32, others are kUnsupported. kInvalidModel
// where the contents are not as many as the shape says.
Result<OnnxTensor> read_onnx_tensor(const std::filesystem::path& file);

// model.onnx and test_data_set_0/{input,output}_N.pb of `folder`. The tensors have the names that
// the nodes use.
Result<OnnxVector> read_onnx_vector(const std::filesystem::path& folder);

}  // namespace lockstep::conformance::testing
