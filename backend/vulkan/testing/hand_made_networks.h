// Networks made of hand-written plans around two simple shaders (copy rows; look every byte up in a
// table), so that what fails with them is memory, barriers or borders and not a kernel.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "backend/vulkan/program.h"
#include "backend/vulkan/vulkan_backend.h"

namespace lockstep::backend::vulkan::testing {

using Bytes = std::vector<std::byte>;

inline constexpr uint32_t kInvocations = 64;

inline std::byte apply_table(int multiplier, int offset, std::byte stored) {
  const int index = std::to_integer<int8_t>(stored) + 128;
  return static_cast<std::byte>(index * multiplier + offset);
}

inline Binding tensor_binding(int32_t tensor) { return {Binding::Kind::kTensor, tensor}; }

// A network under construction, together with its plans and with what it should compute.
class Network {
 public:
  explicit Network(graph::DataType type = graph::DataType::kInt8) : type_(type) {
    graph.name = "network";
  }

  int32_t tensor(graph::Shape shape) {
    graph.tensors.push_back(
        {fmt::format("t{}", graph.tensors.size()), type_, std::move(shape), {}});
    return static_cast<int32_t>(graph.tensors.size()) - 1;
  }
  int32_t input(graph::Shape shape) {
    graph.inputs.push_back(tensor(std::move(shape)));
    return graph.inputs.back();
  }
  int32_t constant(graph::Shape shape, Bytes stored) {
    const int32_t index = tensor(std::move(shape));
    graph.tensors.back().constant = std::move(stored);
    return index;
  }

  // output = (stored + 128) * multiplier + offset modulo 256.
  int32_t table(int32_t input, int multiplier, int offset) {
    const int32_t output = tensor(shape(input));
    KernelPlan& plan = add(graph::LoweredTable{input, output, {}});
    Bytes& words = plan.constants.emplace_back(256 * sizeof(int32_t));
    for (int i = 0; i < 256; ++i) {
      const auto entry = std::to_integer<int32_t>(
          apply_table(multiplier, offset, static_cast<std::byte>(i - 128)));
      std::memcpy(&words[static_cast<size_t>(i) * sizeof entry], &entry, sizeof entry);
    }
    Dispatch& dispatch = plan.dispatches.emplace_back(copy_rows(input, output, 0));
    dispatch.shader = "copy_rows_table";
    dispatch.inputs.push_back({Binding::Kind::kConstant, 0});
    evaluation_.push_back([=](std::vector<Bytes>& values) {
      for (const std::byte value : values[static_cast<size_t>(input)]) {
        values[static_cast<size_t>(output)].push_back(apply_table(multiplier, offset, value));
      }
    });
    return output;
  }

  // The rows of `top`, then those of `bottom`: two dispatches that write parts of one tensor.
  int32_t stack(int32_t top, int32_t bottom) {
    const auto top_rows = static_cast<int32_t>(layout_of(shape(top)).rows);
    const auto rows = top_rows + static_cast<int32_t>(layout_of(shape(bottom)).rows);
    const int32_t output = tensor({rows, shape(top).back()});
    KernelPlan& plan = add(graph::LoweredConcatenation{{top, bottom}, output, 1, {}, {}});
    plan.dispatches.push_back(copy_rows(top, output, 0));
    plan.dispatches.push_back(copy_rows(bottom, output, top_rows));
    evaluation_.push_back([=](std::vector<Bytes>& values) {
      Bytes& result = values[static_cast<size_t>(output)];
      for (const int32_t part : {top, bottom}) {
        const Bytes& source = values[static_cast<size_t>(part)];
        result.insert(result.end(), source.begin(), source.end());
      }
    });
    return output;
  }

  // `below`, whose first rows `cover` then overwrites: the second dispatch follows the first.
  int32_t cover(int32_t below, int32_t cover) {
    const int32_t output = tensor(shape(below));
    KernelPlan& plan = add(graph::LoweredConcatenation{{below, cover}, output, 1, {}, {}});
    plan.dispatches.push_back(copy_rows(below, output, 0));
    plan.dispatches.push_back(copy_rows(cover, output, 0));
    evaluation_.push_back([=](std::vector<Bytes>& values) {
      Bytes& result = values[static_cast<size_t>(output)];
      result = values[static_cast<size_t>(below)];
      std::ranges::copy(values[static_cast<size_t>(cover)], result.begin());
    });
    return output;
  }

  int32_t alias(int32_t input) {
    const int32_t output = tensor(shape(input));
    add(graph::LoweredReshape{input, output}).is_alias = true;
    evaluation_.push_back([=](std::vector<Bytes>& values) {
      values[static_cast<size_t>(output)] = values[static_cast<size_t>(input)];
    });
    return output;
  }

  // Host bytes of the outputs for host bytes of the inputs.
  std::vector<Bytes> expected(const std::vector<Bytes>& inputs) const {
    std::vector<Bytes> values(graph.tensors.size());
    const std::byte flip{static_cast<unsigned char>(type_ == graph::DataType::kUint8 ? 0x80 : 0)};
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = graph.tensors[i].constant;
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      Bytes& value = values[static_cast<size_t>(graph.inputs[i])];
      value = inputs[i];
      for (std::byte& each : value) each ^= flip;
    }
    for (const auto& evaluate : evaluation_) {
      evaluate(values);
    }
    std::vector<Bytes> outputs;
    for (const int32_t output : graph.outputs) {
      outputs.push_back(values[static_cast<size_t>(output)]);
      for (std::byte& each : outputs.back()) each ^= flip;
    }
    return outputs;
  }

  std::vector<Bytes> random_inputs(uint32_t seed) const {
    std::mt19937 random(seed);
    std::vector<Bytes> inputs;
    for (const int32_t input : graph.inputs) {
      Bytes& bytes = inputs.emplace_back(elements(input));
      for (std::byte& value : bytes) {
        value = static_cast<std::byte>(random());
      }
    }
    return inputs;
  }

  size_t elements(int32_t tensor) const {
    return static_cast<size_t>(graph::element_count(shape(tensor)).value());
  }

  graph::LoweredGraph graph;
  std::vector<KernelPlan> plans;

 private:
  const graph::Shape& shape(int32_t tensor) const {
    return graph.tensors[static_cast<size_t>(tensor)].shape;
  }

  KernelPlan& add(graph::LoweredOperation operation) {
    graph.operators.push_back(
        {"TEST", static_cast<int32_t>(graph.operators.size()), std::move(operation)});
    plans.emplace_back().variant = "test";
    return plans.back();
  }

  // All rows of `input` into `output` from row `first_row` on.
  Dispatch copy_rows(int32_t input, int32_t output, int32_t first_row) const {
    const TensorLayout layout = layout_of(shape(input));
    const auto rows = static_cast<uint32_t>(layout.rows);
    const auto stride = static_cast<uint32_t>(layout.channel_stride / 4);
    Dispatch dispatch;
    dispatch.shader = "copy_rows";
    dispatch.specialization = {kInvocations};
    dispatch.push_constants = {rows * stride,
                               stride,
                               rows,
                               stride,
                               stride,
                               rows * stride,
                               static_cast<uint32_t>(first_row) * stride};
    dispatch.inputs = {tensor_binding(input)};
    dispatch.output = tensor_binding(output);
    dispatch.workgroups = {(rows * stride + kInvocations - 1) / kInvocations, 1, 1};
    return dispatch;
  }

  graph::DataType type_;
  std::vector<std::function<void(std::vector<Bytes>&)>> evaluation_;
};

// The smallest network there is: one dispatch, an input and an output.
inline Network one_table() {
  Network network;
  network.graph.outputs = {network.table(network.input({4, 3}), 3, 1)};
  return network;
}

// Room for the outputs of a run.
struct OutputRoom {
  explicit OutputRoom(const Network& network) {
    for (const int32_t output : network.graph.outputs) {
      bytes.emplace_back(network.elements(output));
    }
    spans.assign(bytes.begin(), bytes.end());
  }
  std::vector<Bytes> bytes;
  std::vector<std::span<std::byte>> spans;
};

inline Result<std::vector<Bytes>> run(Program& program, const Network& network,
                                      const std::vector<Bytes>& inputs) {
  std::vector<std::span<const std::byte>> input_spans(inputs.begin(), inputs.end());
  OutputRoom room(network);
  if (Status status = program.run(input_spans, room.spans); !status) {
    return tl::unexpected(status.error());
  }
  return room.bytes;
}

inline void expect_right_run(Program& program, const Network& network, uint32_t seed) {
  const std::vector<Bytes> inputs = network.random_inputs(seed);
  const auto outputs = run(program, network, inputs);
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(*outputs, network.expected(inputs)) << "seed " << seed;
}

// Every device of the machine, mapping memory where it can and staging.
class EveryDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto listed = list_devices();
    if (!listed || listed->empty()) {
      GTEST_SKIP() << "no Vulkan device";
    }
    for (size_t i = 0; i < listed->size(); ++i) {
      for (const char* mask : {"", "unified-memory", "all"}) {
        const auto context = open_context(i, {.mask = mask, .cache_dir = ""});
        ASSERT_TRUE(context) << context.error().message;
        contexts_.push_back(*context);
      }
    }
  }

  void expect_runs_right(const Network& network, const CompileOptions& options = {}) const {
    for (const auto& context : contexts_) {
      SCOPED_TRACE(context->device->physical().description.name);
      const auto program = VulkanProgram::create(context, network.graph, network.plans, options);
      ASSERT_TRUE(program) << program.error().message;
      for (uint32_t seed = 1; seed <= 3; ++seed) {
        expect_right_run(**program, network, seed);
      }
    }
  }

  std::vector<std::shared_ptr<DeviceContext>> contexts_;
};

}  // namespace lockstep::backend::vulkan::testing
