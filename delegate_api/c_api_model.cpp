#include "delegate_api/c_api_internal.h"
#include "graph/tflite_reader.h"

namespace lockstep::c_api {
namespace {

lockstep_data_type data_type_of(graph::DataType type) {
  switch (type) {
    case graph::DataType::kInt8:
      return LOCKSTEP_INT8;
    case graph::DataType::kUint8:
      return LOCKSTEP_UINT8;
    case graph::DataType::kInt16:
      return LOCKSTEP_INT16;
    case graph::DataType::kInt32:
      return LOCKSTEP_INT32;
    case graph::DataType::kInt64:
      return LOCKSTEP_INT64;
    case graph::DataType::kFloat16:
      return LOCKSTEP_FLOAT16;
    case graph::DataType::kFloat32:
      return LOCKSTEP_FLOAT32;
    case graph::DataType::kBool:
      return LOCKSTEP_BOOL;
    case graph::DataType::kOther:
      break;
  }
  return LOCKSTEP_OTHER_TYPE;
}

Status give_model(Result<graph::Graph> graph, lockstep_model** model) {
  if (!graph) {
    return tl::unexpected(graph.error());
  }
  *model = new lockstep_model{*std::move(graph)};
  return {};
}

// The tensor at position `index` of the network's inputs or outputs.
Status get_border_tensor(const lockstep_model* model, std::vector<int32_t> graph::Graph::*border,
                         std::string_view kind, size_t index, int32_t* tensor) {
  return require(model, "model").and_then([&] { return require(tensor, "tensor"); }).and_then([&] {
    const std::vector<int32_t>& tensors = model->graph.*border;
    if (index >= tensors.size()) {
      return Status(make_error(ErrorCode::kInvalidArgument, "'{}' has {} {}s, there is no {} {}",
                               model->graph.name, tensors.size(), kind, kind, index));
    }
    *tensor = tensors[index];
    return Status();
  });
}

Status get_tensor(const lockstep_model* model, int32_t tensor, lockstep_tensor_info* info) {
  if (const Status given = require(model, "model"); !given) {
    return given;
  }
  const graph::Graph& graph = model->graph;
  if (tensor < 0 || static_cast<size_t>(tensor) >= graph.tensors.size()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} tensors, there is no tensor {}",
                      graph.name, graph.tensors.size(), tensor);
  }
  const graph::Tensor& described = graph.tensors[static_cast<size_t>(tensor)];
  const auto elements = static_cast<size_t>(graph::element_count(described.shape).value_or(0));
  lockstep_tensor_info answer{};
  answer.name = described.name.c_str();
  answer.type = data_type_of(described.type);
  answer.rank = static_cast<int32_t>(described.shape.size());
  answer.shape = described.shape.data();
  answer.byte_size = described.is_constant() ? described.data.size()
                                             : elements * graph::data_type_size(described.type);
  answer.is_constant = described.is_constant() ? 1 : 0;
  answer.scale_count = static_cast<int32_t>(described.quantization.scales.size());
  answer.scales = described.quantization.scales.data();
  answer.zero_points = described.quantization.zero_points.data();
  answer.axis = described.quantization.axis;
  return write_struct(answer, info, "info");
}

Status resize_input(lockstep_model* model, size_t index, const int32_t* shape, int32_t rank) {
  int32_t tensor = 0;
  if (const Status found = get_border_tensor(model, &graph::Graph::inputs, "input", index, &tensor);
      !found) {
    return found;
  }
  if (rank < 0 || (rank > 0 && shape == nullptr)) {
    return make_error(ErrorCode::kInvalidArgument, "shape is NULL or its rank {} is negative",
                      rank);
  }
  graph::Graph resized = model->graph;
  return graph::resize_input(resized, tensor, graph::Shape(shape, shape + rank)).and_then([&] {
    model->graph = std::move(resized);
    return Status();
  });
}

}  // namespace
}  // namespace lockstep::c_api

using namespace lockstep::c_api;
using lockstep::graph::Graph;

extern "C" {

lockstep_status lockstep_model_create(const void* bytes, size_t size, const char* name,
                                      lockstep_model** model) {
  return guarded([&] {
    return require(model, "model")
        .and_then([&] {
          *model = nullptr;
          return require(bytes, "bytes");
        })
        .and_then([&] {
          const std::span contents(static_cast<const std::byte*>(bytes), size);
          return give_model(lockstep::graph::read_tflite(contents, name ? name : "model"), model);
        });
  });
}

lockstep_status lockstep_model_create_from_file(const char* path, lockstep_model** model) {
  return guarded([&] {
    return require(model, "model")
        .and_then([&] {
          *model = nullptr;
          return require(path, "path");
        })
        .and_then([&] { return give_model(lockstep::graph::read_tflite_file(path), model); });
  });
}

void lockstep_model_destroy(lockstep_model* model) { delete model; }

size_t lockstep_model_input_count(const lockstep_model* model) {
  return model != nullptr ? model->graph.inputs.size() : 0;
}

size_t lockstep_model_output_count(const lockstep_model* model) {
  return model != nullptr ? model->graph.outputs.size() : 0;
}

size_t lockstep_model_tensor_count(const lockstep_model* model) {
  return model != nullptr ? model->graph.tensors.size() : 0;
}

size_t lockstep_model_operator_count(const lockstep_model* model) {
  return model != nullptr ? model->graph.operators.size() : 0;
}

lockstep_status lockstep_model_get_input_tensor(const lockstep_model* model, size_t index,
                                                int32_t* tensor) {
  return guarded([&] { return get_border_tensor(model, &Graph::inputs, "input", index, tensor); });
}

lockstep_status lockstep_model_get_output_tensor(const lockstep_model* model, size_t index,
                                                 int32_t* tensor) {
  return guarded(
      [&] { return get_border_tensor(model, &Graph::outputs, "output", index, tensor); });
}

lockstep_status lockstep_model_get_tensor(const lockstep_model* model, int32_t tensor,
                                          lockstep_tensor_info* info) {
  return guarded([&] { return get_tensor(model, tensor, info); });
}

lockstep_status lockstep_model_resize_input(lockstep_model* model, size_t index,
                                            const int32_t* shape, int32_t rank) {
  return guarded([&] { return resize_input(model, index, shape, rank); });
}

}  // extern "C"
