#include "tools/network_inputs.h"

#include <CLI/CLI.hpp>
#include <cstring>
#include <random>

#include "graph/tflite_reader.h"
#include "tools/image.h"

namespace lockstep::tools {
namespace {

// The generator's raw output only: distributions differ between standard libraries, and a seed must
// mean the same input everywhere.
std::vector<std::byte> random_bytes(graph::DataType type, size_t elements, std::mt19937_64& dice) {
  const size_t size = graph::data_type_size(type);
  std::vector<std::byte> bytes(elements * size);
  for (size_t i = 0; i < elements; ++i) {
    const uint64_t draw = dice() >> 16;
    std::byte* element = bytes.data() + i * size;
    switch (type) {
      case graph::DataType::kInt8:
      case graph::DataType::kUint8:
        *element = static_cast<std::byte>(draw);
        break;
      case graph::DataType::kFloat32: {
        const float real = static_cast<float>(draw % 65537) / 32768.0f - 1.0f;
        std::memcpy(element, &real, sizeof(real));
        break;
      }
      case graph::DataType::kBool:
        *element = static_cast<std::byte>(draw & 1);
        break;
      case graph::DataType::kInt16:
      case graph::DataType::kInt32:
      case graph::DataType::kInt64:
        *element = static_cast<std::byte>(draw & 15);  // little-endian; the other bytes stay 0
        break;
      case graph::DataType::kFloat16:
      case graph::DataType::kOther:
        break;
    }
  }
  return bytes;
}

}  // namespace

void InputSource::add_options(CLI::App& command) {
  command.add_option("--input", files, "Raw bytes of one input; repeat for further inputs")
      ->check(CLI::ExistingFile);
  command.add_option("--image", image, "Photo for the first image input (resized to its shape)")
      ->check(CLI::ExistingFile);
  command.add_option("--seed", seed, "Seed of random inputs")->capture_default_str();
}

Result<std::vector<std::vector<std::byte>>> make_inputs(const graph::Graph& graph,
                                                        const InputSource& source,
                                                        uint64_t sample) {
  if (source.files.size() > graph.inputs.size()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' has {} inputs, but {} files were given",
                      graph.name, graph.inputs.size(), source.files.size());
  }
  std::mt19937_64 dice(source.seed * 0x9e3779b97f4a7c15ULL + sample);
  std::vector<std::vector<std::byte>> inputs;
  bool image_is_used = source.image.empty();
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(graph.inputs[i])];
    const auto elements = graph::element_count(tensor.shape);
    if (!elements) {
      return make_error(ErrorCode::kUnsupported, "input '{}' has no size: {}", tensor.name,
                        graph::shape_to_string(tensor.shape));
    }
    const size_t bytes = static_cast<size_t>(*elements) * graph::data_type_size(tensor.type);
    if (i < source.files.size()) {
      auto content = graph::read_file_bytes(source.files[i]);
      if (!content) return tl::unexpected(content.error());
      if (content->size() != bytes) {
        return make_error(
            ErrorCode::kInvalidArgument, "'{}' has {} bytes; input '{}' ({} {}) needs {}",
            source.files[i].string(), content->size(), tensor.name,
            graph::data_type_name(tensor.type), graph::shape_to_string(tensor.shape), bytes);
      }
      inputs.push_back(std::move(*content));
    } else if (!image_is_used) {
      const auto image = read_image(source.image);
      if (!image) return tl::unexpected(image.error());
      auto content = image_to_input(*image, tensor.name, tensor.type, tensor.shape);
      if (!content) return tl::unexpected(content.error());
      image_is_used = true;
      inputs.push_back(std::move(*content));
    } else {
      inputs.push_back(random_bytes(tensor.type, static_cast<size_t>(*elements), dice));
    }
  }
  return inputs;
}

}  // namespace lockstep::tools
