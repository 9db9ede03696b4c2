// Kernels at their corners, operator by operator against the reference on every device: channels
// that end inside a word or a unit, windows larger than the image, uneven padding, groups, both
// ends of zero points. Each test also says which kernels its shapes must reach, so that a corner
// cannot quietly move to another kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <limits>
#include <set>

#include "backend/testing/program_runs.h"
#include "backend/testing/random_values.h"
#include "backend/vulkan/device_context.h"
#include "backend/vulkan/dispatch_building.h"
#include "backend/vulkan/testing/opened_devices.h"
#include "backend/vulkan/testing/validation_environment.h"
#include "backend/vulkan/vulkan_backend.h"
#include "host_ref/interpreter.h"

namespace lockstep::backend::vulkan {
namespace {

using graph::DataType;
using graph::Extent4d;
using graph::Shape;
using graph::Window2d;
using numerics::Rounding;
using ::testing::ElementsAre;
using testing::OpenedDevice;
using Bytes = std::vector<std::byte>;

const auto* const kValidation = vulkan::testing::fail_on_validation_messages();

// Some drivers take seconds for one pipeline.
constexpr auto kCompileBudget = std::chrono::seconds(1);

const std::vector<OpenedDevice>& devices() { return testing::whole_and_masked_devices(); }

// Independent operators, each with inputs and an output of its own, run as one program.
class Cases : public backend::testing::RandomValues {
 public:
  Cases() : RandomValues(23) {}

  int32_t input(Shape shape) {
    graph_.inputs.push_back(tensor(std::move(shape)));
    return graph_.inputs.back();
  }
  int32_t output(Shape shape, DataType type = DataType::kInt8) {
    graph_.outputs.push_back(tensor(std::move(shape)));
    graph_.tensors.back().type = type;
    return graph_.outputs.back();
  }
  int32_t constant(Shape shape) {
    const int32_t index = tensor(std::move(shape));
    graph::LoweredTensor& constant = graph_.tensors[static_cast<size_t>(index)];
    constant.constant = bytes(static_cast<size_t>(graph::element_count(constant.shape).value()));
    return index;
  }
  void add(graph::LoweredOperation operation) {
    const auto index = static_cast<int32_t>(graph_.operators.size());
    graph_.operators.push_back({"TEST", index, std::move(operation)});
  }

  // Scales near the typical accumulator, some of them powers of two so that values tie.
  graph::OutputStage output_stage(int32_t channels, Rounding rounding, double magnitude) {
    graph::OutputStage stage;
    stage.rounding = rounding;
    stage.zero_point = zero_point();
    stage.activation_min = pick({-128, -128, -100});
    stage.activation_max = pick({127, 127, 90});
    for (int32_t channel = 0; channel < channels; ++channel) {
      const double power_of_two = std::exp2(std::round(std::log2(magnitude)));
      stage.scales.push_back(numerics::channel_scale(
          pick({power_of_two, power_of_two / 2, magnitude, magnitude * 0.3}), rounding));
    }
    return stage;
  }

  // Runs everything on every device with random inputs, then with the smallest and largest; by the
  // device's own choice of kernels, then with each kernel wherever it fits (on slow drivers with
  // the first of them), always between guards. Returns the kernels that the devices chose
  // themselves.
  std::set<std::string> expect_equal_to_reference(
      const std::vector<OpenedDevice>& tested = devices()) {
    auto interpreter = host_ref::Interpreter::create(graph_);
    EXPECT_TRUE(interpreter) << interpreter.error().message;
    std::set<std::string> chosen;
    for (const OpenedDevice& opened : tested) {
      SCOPED_TRACE(opened.name);
      uint8_t fill = 0;
      std::chrono::nanoseconds compiling{0};
      for (const std::string& kernel : kernels_of(*opened.device)) {
        if (compiling > kCompileBudget) {
          break;
        }
        SCOPED_TRACE("kernel '" + kernel + "'");
        const auto start = std::chrono::steady_clock::now();
        const auto program =
            opened.device->compile(graph_, {.kernel = kernel, .guard_memory = true, .fill = fill});
        compiling += std::chrono::steady_clock::now() - start;
        EXPECT_TRUE(program) << (program ? "" : program.error().message);
        if (!program || !interpreter) {
          return chosen;
        }
        expect_uses(**program, *opened.device, kernel, chosen);
        for (int round = 0; round < 2; ++round) {
          expect_equal_run(**program, *interpreter, round == 1);
        }
        fill = static_cast<uint8_t>(~fill);
      }
    }
    return chosen;
  }

  std::set<std::string> kernels_of(const Device& device) const {
    return testing::kernels_of(device, graph_);
  }

 private:
  // That `kernel` computes every operator it can, and the device's choice the others, which are
  // added to `chosen` when there is no `kernel`.
  void expect_uses(const Program& program, const Device& device, const std::string& kernel,
                   std::set<std::string>& chosen) const {
    const std::vector<OperatorPlacement> placements = program.placements();
    ASSERT_EQ(placements.size(), graph_.operators.size());
    for (size_t i = 0; i < placements.size(); ++i) {
      const auto kernels = device.kernels(graph_, graph_.operators[i]);
      ASSERT_TRUE(kernels);
      const bool has_kernel = std::ranges::find(*kernels, kernel) != kernels->end();
      EXPECT_EQ(placements[i].variant, has_kernel ? kernel : kernels->front()) << "operator " << i;
      if (kernel.empty()) {
        chosen.insert(placements[i].variant);
      }
    }
  }

  int32_t tensor(Shape shape) {
    const size_t index = graph_.tensors.size();
    graph_.tensors.push_back({fmt::format("t{}", index), DataType::kInt8, std::move(shape), {}});
    return static_cast<int32_t>(index);
  }
  size_t elements(int32_t tensor) const {
    return static_cast<size_t>(
        graph::element_count(graph_.tensors[static_cast<size_t>(tensor)].shape).value());
  }
  Bytes bytes(size_t count) {
    const std::vector<int8_t> random = values(count);
    const auto view = std::as_bytes(std::span(random));
    return {view.begin(), view.end()};
  }

  void expect_equal_run(Program& program, host_ref::Interpreter& interpreter, bool extremes) {
    std::vector<Bytes> inputs;
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      inputs.push_back(bytes(elements(graph_.inputs[i])));
      for (std::byte& value : inputs.back()) {
        value = extremes ? std::byte{pick<unsigned char>({0x80, 0x7f})} : value;
      }
      ASSERT_TRUE(interpreter.set_input(i, inputs[i]));
    }
    ASSERT_TRUE(interpreter.run());
    const std::vector<Bytes> outputs = backend::testing::run(program, graph_, inputs);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto expected = interpreter.tensor(graph_.outputs[i]);
      ASSERT_TRUE(expected);
      const auto [actual, wanted] = std::ranges::mismatch(outputs[i], *expected);
      if (wanted != expected->end()) {
        const graph::LoweredTensor& tensor = graph_.tensors[static_cast<size_t>(graph_.outputs[i])];
        ADD_FAILURE() << "operator " << i << " (" << program.placements()[i].variant << "), output "
                      << graph::shape_to_string(tensor.shape) << " byte "
                      << std::distance(expected->begin(), wanted) << ": "
                      << std::to_integer<int8_t>(*actual) + 0 << " instead of "
                      << std::to_integer<int8_t>(*wanted) + 0;
      }
    }
  }

  graph::LoweredGraph graph_;
};

class Kernels : public ::testing::Test {
 protected:
  void SetUp() override {
    if (devices().empty()) {
      GTEST_SKIP() << "no Vulkan device";
    }
  }
  Cases cases_;
};

Shape shape_of(const Extent4d& extent) {
  return {extent.batch, extent.height, extent.width, extent.channels};
}

struct ConvolutionCase {
  Extent4d input;
  int32_t output_channels = 1;
  Window2d window{};
  int32_t output_height = 0;  // 0: the input's
  int32_t output_width = 0;
  int32_t groups = 1;  // depthwise: ignored
  bool asymmetric = false;
  Rounding rounding = Rounding::kDoubleTiesUp;
  bool stores_accumulators = false;

  DataType output_type() const { return stores_accumulators ? DataType::kInt32 : DataType::kInt8; }
};

Extent4d output_extent(const ConvolutionCase& c) {
  return {c.input.batch, c.output_height != 0 ? c.output_height : c.input.height,
          c.output_width != 0 ? c.output_width : c.input.width, c.output_channels};
}

void add_convolution(Cases& cases, const ConvolutionCase& c) {
  graph::LoweredConvolution op;
  op.input_extent = c.input;
  op.output_extent = output_extent(c);
  op.input = cases.input(shape_of(op.input_extent));
  op.output = cases.output(shape_of(op.output_extent), c.output_type());
  op.window = c.window;
  op.groups = c.groups;
  op.input_zero_point = cases.zero_point();
  const int32_t row = c.window.kernel_height * c.window.kernel_width * c.input.channels / c.groups;
  op.weights = cases.values(static_cast<size_t>(c.output_channels * row));
  for (int32_t channel = 0; channel < c.output_channels; ++channel) {
    op.weights_zero_points.push_back(c.asymmetric ? cases.zero_point() : 0);
    op.bias.push_back(cases.between(-20000, 20000));
    int32_t sum = 0;
    for (int32_t i = 0; i < row; ++i) {
      sum += op.weights[static_cast<size_t>(channel * row + i)] - op.weights_zero_points.back();
    }
    op.folded_bias.push_back(op.bias.back() - op.input_zero_point * sum);
  }
  op.output_stage.stores_accumulators = c.stores_accumulators;
  if (!c.stores_accumulators) {
    op.output_stage =
        cases.output_stage(c.output_channels, c.rounding, 1.0 / (100.0 * std::sqrt(row)));
  }
  cases.add(std::move(op));
}

void add_depthwise(Cases& cases, const ConvolutionCase& c) {
  graph::LoweredDepthwiseConvolution op;
  op.input_extent = c.input;
  op.output_extent = output_extent(c);
  op.input = cases.input(shape_of(op.input_extent));
  op.output = cases.output(shape_of(op.output_extent), c.output_type());
  op.window = c.window;
  op.depth_multiplier = c.output_channels / c.input.channels;
  op.input_zero_point = cases.zero_point();
  const int32_t taps = c.window.kernel_height * c.window.kernel_width;
  op.weights = cases.values(static_cast<size_t>(c.output_channels * taps));
  for (int32_t channel = 0; channel < c.output_channels; ++channel) {
    op.weights_zero_points.push_back(c.asymmetric ? cases.zero_point() : 0);
    op.bias.push_back(cases.between(-20000, 20000));
    int32_t sum = 0;
    for (int32_t tap = 0; tap < taps; ++tap) {
      sum += op.weights[static_cast<size_t>(tap * c.output_channels + channel)] -
             op.weights_zero_points.back();
    }
    op.folded_bias.push_back(op.bias.back() - op.input_zero_point * sum);
  }
  op.output_stage.stores_accumulators = c.stores_accumulators;
  if (!c.stores_accumulators) {
    op.output_stage =
        cases.output_stage(c.output_channels, c.rounding, 1.0 / (100.0 * std::sqrt(taps)));
  }
  cases.add(std::move(op));
}

constexpr int32_t kChannelTails[] = {1, 3, 4, 5, 15, 16, 17, 31, 33};

TEST_F(Kernels, PointwiseConvolutionsOfEveryTailAndRounding) {
  for (const Rounding rounding : numerics::kAllRoundings) {
    for (const int32_t channels : kChannelTails) {
      add_convolution(cases_, {.input = {2, 3, 3, channels},
                               .output_channels = cases_.pick({1, 4, 5, 17}),
                               .rounding = rounding});
    }
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(),
              ::testing::IsSupersetOf({"convolution_pointwise", "convolution_words"}));
}

TEST_F(Kernels, AsymmetricWeightsIgnoreThePaddingBehindChannels) {
  for (const int32_t channels : kChannelTails) {
    for (const int32_t kernel : {1, 3}) {
      for (const int32_t rows : {1, 3}) {
        const Window2d window{.kernel_height = kernel,
                              .kernel_width = kernel,
                              .padding_top = kernel / 2,
                              .padding_left = kernel / 2};
        add_convolution(cases_, {.input = {1, rows, rows, channels},
                                 .output_channels = cases_.pick({1, 6, 8}),
                                 .window = window,
                                 .asymmetric = true});
      }
    }
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(),
              ::testing::IsSupersetOf({"convolution", "convolution_pointwise", "convolution_row",
                                       "convolution_words"}));
}

TEST_F(Kernels, ConvolutionWindowsOfAnyShape) {
  const Window2d windows[] = {
      // Larger than the image, on every side.
      {.kernel_height = 7, .kernel_width = 9, .padding_top = 4, .padding_left = 5},
      // Uneven strides, dilation and padding.
      {.kernel_height = 3,
       .kernel_width = 2,
       .stride_height = 2,
       .stride_width = 3,
       .dilation_height = 1,
       .dilation_width = 2,
       .padding_top = 2,
       .padding_left = 0},
      {.kernel_height = 2,
       .kernel_width = 3,
       .dilation_height = 3,
       .dilation_width = 2,
       .padding_top = 1,
       .padding_left = 3},
      // 1x1 that skips, and 1x1 that starts outside.
      {.stride_height = 2, .stride_width = 2},
      {.padding_top = 1, .padding_left = 1},
  };
  for (const Window2d& window : windows) {
    for (const int32_t channels : {1, 3, 4, 5, 16, 33}) {
      add_convolution(cases_, {.input = {3, 4, 5, channels},
                               .output_channels = cases_.pick({3, 8, 12}),
                               .window = window,
                               .output_height = window.stride_height == 1 ? 5 : 2,
                               .output_width = window.stride_width == 1 ? 6 : 2,
                               .asymmetric = cases_.between(0, 1) == 1});
    }
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(),
              ::testing::IsSupersetOf({"convolution", "convolution_words"}));
}

TEST_F(Kernels, GroupedConvolutionsOfAnyGroupSize) {
  struct Grouping {
    int32_t groups;
    int32_t inputs;
    int32_t outputs;
  };
  for (const auto& [groups, inputs, outputs] :
       {Grouping{2, 16, 4}, Grouping{3, 32, 8}, Grouping{2, 4, 4}, Grouping{4, 12, 8},
        Grouping{2, 3, 4}, Grouping{3, 4, 2}, Grouping{5, 1, 1}, Grouping{2, 17, 5}}) {
    for (const bool asymmetric : {false, true}) {
      const Window2d window{
          .kernel_height = 3, .kernel_width = 2, .padding_top = 1, .padding_left = 1};
      add_convolution(cases_, {.input = {2, 3, 5, groups * inputs},
                               .output_channels = groups * outputs,
                               .window = window,
                               .groups = groups,
                               .asymmetric = asymmetric});
    }
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(),
              ::testing::IsSupersetOf({"convolution", "convolution_words", "convolution_direct"}));
}

TEST_F(Kernels, OneRowOfAMatrixAndFlattenedInputs) {
  for (const int32_t channels : {5, 16, 33, 300}) {
    add_convolution(cases_, {.input = {1, 1, 1, channels}, .output_channels = 37});
  }
  // The model flattens [2, 3, 3, C] to two rows; on the device C keeps its layout.
  for (const int32_t channels : {2, 4, 5, 16, 24}) {
    graph::LoweredConvolution op;
    op.input = cases_.input({2, 3, 3, channels});
    op.output = cases_.output({2, 7});
    op.input_extent = {2, 1, 1, 9 * channels};
    op.output_extent = {2, 1, 1, 7};
    op.weights = cases_.values(static_cast<size_t>(7 * 9 * channels));
    op.weights_zero_points.assign(7, 3);
    op.bias.assign(7, 11);
    op.folded_bias = op.bias;  // input_zero_point is 0
    op.output_stage = cases_.output_stage(7, Rounding::kSingle, 0.001);
    cases_.add(std::move(op));
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(),
              ::testing::IsSupersetOf({"convolution", "convolution_row", "convolution_image"}));
}

TEST_F(Kernels, ConvolutionsStoreAccumulatorsInEveryVariant) {
  const Window2d window{.kernel_height = 3, .kernel_width = 2, .stride_width = 2, .padding_top = 1};
  for (const bool asymmetric : {false, true}) {
    for (const int32_t channels : {1, 5, 16, 33}) {
      for (const int32_t rows : {1, 3}) {
        add_convolution(cases_, {.input = {1, rows, rows, channels},
                                 .output_channels = cases_.pick({1, 4, 6, 17}),
                                 .asymmetric = asymmetric,
                                 .stores_accumulators = true});
      }
      add_convolution(cases_, {.input = {2, 3, 4, channels},
                               .output_channels = cases_.pick({3, 4, 18}),
                               .window = window,
                               .output_width = 2,
                               .asymmetric = asymmetric,
                               .stores_accumulators = true});
      add_depthwise(cases_, {.input = {2, 3, 5, channels},
                             .output_channels = channels * cases_.pick({1, 1, 2}),
                             .window = window,
                             .output_width = 2,
                             .asymmetric = asymmetric,
                             .stores_accumulators = true});
    }
    add_convolution(cases_, {.input = {1, 3, 3, 32},
                             .output_channels = 8,
                             .window = window,
                             .output_width = 2,
                             .groups = 2,
                             .asymmetric = asymmetric,
                             .stores_accumulators = true});
  }
  cases_.expect_equal_to_reference();
  // What the devices of this machine offer, so that no variant goes untested.
  for (const OpenedDevice& opened : devices()) {
    EXPECT_THAT(cases_.kernels_of(*opened.device),
                ::testing::IsSupersetOf({"convolution", "convolution_pointwise", "convolution_row",
                                         "convolution_words", "convolution_direct",
                                         "depthwise_convolution", "depthwise_convolution_wide"}));
  }
}

TEST_F(Kernels, StoredAccumulatorsWrapLikeInt32) {
  graph::LoweredConvolution op;
  op.input_extent = {1, 1, 1, 5};
  op.output_extent = {1, 1, 1, 2};
  op.input = cases_.input({1, 1, 1, 5});
  op.output = cases_.output({1, 1, 1, 2}, DataType::kInt32);
  op.weights = {127, 127, 127, 127, 127, -128, -128, -128, -128, -128};
  op.weights_zero_points = {0, 0};
  op.bias = {std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()};
  op.folded_bias = op.bias;
  op.output_stage.stores_accumulators = true;
  cases_.add(std::move(op));
  cases_.expect_equal_to_reference();
}

TEST_F(Kernels, DepthwiseConvolutionsOfEveryTailAndRounding) {
  for (const Rounding rounding : numerics::kAllRoundings) {
    for (const int32_t channels : kChannelTails) {
      const Window2d window{
          .kernel_height = 3, .kernel_width = 3, .padding_top = 1, .padding_left = 1};
      add_depthwise(cases_, {.input = {2, 4, 5, channels},
                             .output_channels = channels,
                             .window = window,
                             .asymmetric = rounding == Rounding::kSingle,
                             .rounding = rounding});
    }
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(),
              ::testing::IsSupersetOf(
                  {"depthwise_convolution", "convolution_direct", "convolution_words"}));
}

TEST_F(Kernels, DepthwiseMultipliersAndWindowsOfAnyShape) {
  for (const int32_t multiplier : {1, 2, 3, 8}) {
    for (const int32_t channels : {1, 2, 5, 16, 20}) {
      add_depthwise(cases_, {.input = {1, 5, 4, channels},
                             .output_channels = channels * multiplier,
                             .window = {.kernel_height = 7,
                                        .kernel_width = 2,
                                        .stride_height = 2,
                                        .dilation_width = 3,
                                        .padding_top = 3,
                                        .padding_left = 2},
                             .output_height = 3,
                             .output_width = 5,
                             .asymmetric = channels % 2 == 0});
    }
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(),
              ::testing::IsSupersetOf(
                  {"depthwise_convolution", "convolution_direct", "convolution_words"}));
}

// Those that have cooperative matrices for a convolution.
std::vector<OpenedDevice> devices_with_cooperative_matrices() {
  Cases probe;
  add_convolution(probe, {.input = {1, 2, 2, 8}});
  std::vector<OpenedDevice> result;
  for (const OpenedDevice& opened : devices()) {
    if (std::ranges::any_of(probe.kernels_of(*opened.device), [](const std::string& name) {
          return name.starts_with("convolution_cooperative_matrix");
        })) {
      result.push_back(opened);
    }
  }
  return result;
}

// Many tiles both ways, so that they are numbered in several bands; steps that end within a tap,
// and tails of everything.
TEST_F(Kernels, CooperativeMatricesOverManyTiles) {
  const std::vector<OpenedDevice> tested = devices_with_cooperative_matrices();
  if (tested.empty()) {
    GTEST_SKIP() << "no device with cooperative matrices";
  }
  for (const bool asymmetric : {false, true}) {
    add_convolution(cases_, {.input = {2, 19, 17, 70},
                             .output_channels = 141,
                             .asymmetric = asymmetric,
                             .rounding = Rounding::kDoubleTiesAway});
    add_convolution(cases_, {.input = {1, 31, 23, 35},
                             .output_channels = 75,
                             .window = {.kernel_height = 3,
                                        .kernel_width = 3,
                                        .stride_height = 1,
                                        .stride_width = 1,
                                        .dilation_height = 2,
                                        .dilation_width = 3,
                                        .padding_top = 3,
                                        .padding_left = 1},
                             .output_height = 33,
                             .output_width = 21,
                             .asymmetric = asymmetric,
                             .rounding = Rounding::kFloat32TiesEven});
    add_convolution(cases_, {.input = {2, 33, 35, 3},
                             .output_channels = 65,
                             .window = {.kernel_height = 7,
                                        .kernel_width = 7,
                                        .stride_height = 2,
                                        .stride_width = 2,
                                        .padding_top = 3,
                                        .padding_left = 2},
                             .output_height = 17,
                             .output_width = 18,
                             .asymmetric = asymmetric,
                             .rounding = Rounding::kSingle});
    add_convolution(cases_, {.input = {1, 20, 20, 33},
                             .output_channels = 34,
                             .asymmetric = asymmetric,
                             .stores_accumulators = true});
  }
  cases_.expect_equal_to_reference(tested);
  const std::set<std::string> kernels = cases_.kernels_of(*tested.front().device);
  for (const char* source :
       {"convolution_cooperative_matrix_pointwise_", "convolution_cooperative_matrix_words_"}) {
    EXPECT_TRUE(std::ranges::any_of(kernels, [&](const std::string& name) {
      return name.starts_with(source);
    })) << source;
  }
}

// Shapes of left and right operand; the output is their broadcast.
struct Operands {
  Shape left;
  Shape right;
};

const Operands kBroadcasts[] = {
    {{2, 3, 2, 5}, {2, 3, 2, 5}},   {{1, 2, 2, 16}, {1, 2, 2, 16}},
    {{2, 3, 2, 5}, {1, 1, 1, 5}},   {{2, 3, 2, 17}, {17}},
    {{2, 3, 2, 5}, {2, 1, 1, 5}},   {{2, 3, 2, 5}, {1}},
    {{2, 3, 2, 5}, {2, 3, 2, 1}},   {{2, 1, 2, 5}, {2, 3, 2, 5}},
    {{1, 3, 2, 5}, {2, 3, 2, 5}},   {{2, 3, 1, 6}, {1, 1, 4, 1}},
    {{3, 2, 5}, {2, 3, 2, 5}},      {{2, 3, 1, 1}, {1, 1, 4, 7}},
    {{1, 1, 1, 33}, {2, 2, 1, 33}}, {{7}, {7}},
};

// All roundings for operands of one shape; the other shapes differ in addresses only.
std::vector<Rounding> roundings_for(const Operands& operands) {
  if (operands.left != operands.right) {
    return {Rounding::kDoubleTiesAway};
  }
  return {numerics::kAllRoundings.begin(), numerics::kAllRoundings.end()};
}

// Everything but the scales.
template <typename Operation>
Operation elementwise(Cases& cases, const Operands& operands) {
  const size_t rank = std::max(operands.left.size(), operands.right.size());
  Operation op;
  Shape output(rank);
  int32_t left_stride = 1;
  int32_t right_stride = 1;
  for (size_t i = 0; i < rank; ++i) {
    const auto extent = [i](const Shape& shape) {
      return i < shape.size() ? shape[shape.size() - 1 - i] : 1;
    };
    const int32_t left = extent(operands.left);
    const int32_t right = extent(operands.right);
    output[rank - 1 - i] = std::max(left, right);
    op.extents.output[3 - i] = std::max(left, right);
    op.extents.left_strides[3 - i] = left == 1 ? 0 : left_stride;
    op.extents.right_strides[3 - i] = right == 1 ? 0 : right_stride;
    left_stride *= left;
    right_stride *= right;
  }
  op.left = cases.input(operands.left);
  op.right =
      cases.between(0, 1) == 1 ? cases.input(operands.right) : cases.constant(operands.right);
  op.output = cases.output(output);
  op.left_zero_point = cases.zero_point();
  op.right_zero_point = cases.zero_point();
  return op;
}

TEST_F(Kernels, AddInBothArithmetics) {
  for (const Operands& operands : kBroadcasts) {
    for (const Rounding rounding : roundings_for(operands)) {
      auto op = elementwise<graph::LoweredAdd>(cases_, operands);
      op.left_shift = 20;
      op.left_scale = numerics::channel_scale(0.5, rounding);
      op.right_scale = numerics::channel_scale(0.3, rounding);
      op.output_stage = cases_.output_stage(1, rounding, std::exp2(-20));
      cases_.add(std::move(op));
    }
    auto op = elementwise<graph::LoweredAdd>(cases_, operands);
    op.arithmetic = graph::AddArithmetic::kSharedShift;
    op.left_scale = {1 << 20, 0};
    op.right_scale = {1234567, 0};
    op.shared_shift = 21;
    op.shared_bias = (1 << 20) - (1 << 20) * op.left_zero_point - 1234567 * op.right_zero_point;
    op.output_stage.zero_point = cases_.zero_point();
    cases_.add(std::move(op));
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(), ElementsAre("add", "add_broadcast"));
}

TEST_F(Kernels, MultiplyInEveryRounding) {
  for (const Operands& operands : kBroadcasts) {
    for (const Rounding rounding : roundings_for(operands)) {
      auto op = elementwise<graph::LoweredMul>(cases_, operands);
      op.output_stage = cases_.output_stage(1, rounding, 1.0 / 128);
      cases_.add(std::move(op));
    }
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(), ElementsAre("multiply", "multiply_broadcast"));
}

TEST_F(Kernels, PoolsRoundHalfAwayFromZeroAndCountOnlyTheImage) {
  for (const graph::PoolKind kind : {graph::PoolKind::kAverage, graph::PoolKind::kMax}) {
    for (const int32_t channels : {1, 4, 5, 17, 32}) {
      for (const int32_t offset : {0, 128}) {
        graph::LoweredPool op;
        op.kind = kind;
        op.input_extent = {2, 5, 4, channels};
        op.output_extent = {2, 4, 3, channels};
        op.input = cases_.input(shape_of(op.input_extent));
        op.output = cases_.output(shape_of(op.output_extent));
        op.window = {.kernel_height = 4,
                     .kernel_width = 2,
                     .stride_height = 1,
                     .stride_width = 2,
                     .padding_top = 2,
                     .padding_left = 1};
        op.accumulator_offset = offset;
        op.activation_min = -90;
        op.activation_max = 100;
        cases_.add(op);
      }
    }
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(), ElementsAre("average pool", "maximum pool"));
}

// A model may ask for any window; the work must be the image's, or a file of a few bytes hangs the
// device.
TEST_F(Kernels, PoolWindowsCostNoMoreThanTheirImage) {
  for (const graph::PoolKind kind : {graph::PoolKind::kAverage, graph::PoolKind::kMax}) {
    for (const int32_t dilation : {1, 2}) {
      graph::LoweredPool op;
      op.kind = kind;
      op.input_extent = {1, 3, 2, 5};
      op.output_extent = op.input_extent;
      op.input = cases_.input(shape_of(op.input_extent));
      op.output = cases_.output(shape_of(op.output_extent));
      const int32_t kernel = (1 << 28) / dilation;
      op.window = {.kernel_height = kernel,
                   .kernel_width = kernel,
                   .dilation_height = dilation,
                   .dilation_width = dilation,
                   .padding_top = (1 << 27) + 1,
                   .padding_left = (1 << 27) - 1};
      cases_.add(op);
    }
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(), ElementsAre("average pool", "maximum pool"));
}

TEST_F(Kernels, MeansReduceAnyRunOfAxes) {
  struct Reduction {
    Shape input;
    Shape output;
    int32_t outer;
    int32_t reduced;
    int32_t inner;
  };
  const Reduction reductions[] = {
      {{2, 3, 4, 17}, {2, 1, 1, 17}, 2, 12, 17},
      {{1, 7, 7, 5}, {1, 5}, 1, 49, 5},
      {{2, 3, 4, 5}, {2, 3, 4, 1}, 24, 5, 1},
      {{2, 3, 4, 5}, {2, 3, 4}, 24, 5, 1},
      {{2, 3, 4, 5}, {2, 4, 5}, 2, 3, 20},
      {{2, 3, 4, 5}, {}, 1, 120, 1},
      {{3, 4}, {4}, 1, 3, 4},
      {{6, 2, 3}, {1, 1, 3}, 1, 12, 3},
  };
  for (const Reduction& reduction : reductions) {
    graph::LoweredMean op;
    op.input = cases_.input(reduction.input);
    op.output = cases_.output(reduction.output);
    op.outer = reduction.outer;
    op.reduced = reduction.reduced;
    op.inner = reduction.inner;
    for (int32_t i = 0; i < 255; ++i) {
      op.thresholds[static_cast<size_t>(i)] = (i - 127) * reduction.reduced - reduction.reduced / 2;
    }
    // Steps that are missed altogether, at both ends.
    op.thresholds.back() = std::numeric_limits<int32_t>::max();
    op.thresholds.front() = std::numeric_limits<int32_t>::min();
    cases_.add(op);
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(), ElementsAre("mean of elements", "mean of rows"));
}

TEST_F(Kernels, PadsRowsAndChannels) {
  struct Padding {
    Shape input;
    std::array<int32_t, 4> before;
    std::array<int32_t, 4> after;
  };
  const Padding paddings[] = {
      {{1, 3, 4, 5}, {0, 1, 2, 0}, {0, 2, 1, 0}}, {{2, 3, 2, 16}, {1, 0, 3, 0}, {0, 0, 0, 0}},
      {{1, 2, 2, 3}, {0, 0, 0, 1}, {0, 0, 0, 2}}, {{2, 2, 3, 7}, {1, 1, 1, 2}, {2, 1, 0, 9}},
      {{1, 1, 1, 1}, {0, 0, 0, 0}, {3, 3, 3, 3}},
  };
  for (const Padding& padding : paddings) {
    graph::LoweredPad op;
    Shape output(4);
    for (size_t i = 0; i < 4; ++i) {
      output[i] = padding.before[i] + padding.input[i] + padding.after[i];
      op.input_extents[i] = padding.input[i];
      op.output_extents[i] = output[i];
    }
    op.before = padding.before;
    op.input = cases_.input(padding.input);
    op.output = cases_.output(output);
    op.value = static_cast<int8_t>(cases_.zero_point());
    cases_.add(op);
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(), ElementsAre("pad of bytes", "pad of rows"));
}

TEST_F(Kernels, ConcatenationsJoinAnywhereInAWord) {
  struct Joint {
    Shape leading;  // before the axis
    std::vector<int32_t> extents;
    Shape trailing;  // behind the axis
  };
  const Joint joints[] = {
      {{2, 3}, {4, 8, 5}, {}},      {{2, 3}, {1, 1, 1, 1, 1}, {}},
      {{1, 4}, {3, 16, 2, 30}, {}}, {{2}, {1, 3, 2}, {5}},
      {{2}, {1, 2}, {3, 16}},       {{}, {2, 1}, {3, 4}},
      {{2, 2}, {16, 32, 17}, {}},   {{3}, {7}, {2}},
      {{1}, {2, 2}, {3, 1}},
  };
  for (const Joint& joint : joints) {
    for (const bool with_tables : {false, true}) {
      graph::LoweredConcatenation op;
      int32_t inner = 1;
      for (const int32_t extent : joint.trailing) {
        inner *= extent;
      }
      const auto shape = [&](int32_t extent) {
        Shape result = joint.leading;
        result.push_back(extent);
        result.insert(result.end(), joint.trailing.begin(), joint.trailing.end());
        return result;
      };
      for (const int32_t extent : joint.leading) {
        op.outer *= extent;
      }
      int32_t total = 0;
      for (const int32_t extent : joint.extents) {
        const bool has_table = with_tables && op.inputs.size() != 1;
        op.inputs.push_back(cases_.input(shape(extent)));
        op.axis_sizes.push_back(extent * inner);
        op.tables.push_back(has_table ? cases_.values(256) : std::vector<int8_t>{});
        total += extent;
      }
      op.output = cases_.output(shape(total));
      cases_.add(std::move(op));
    }
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(),
              ElementsAre("concatenation of bytes", "concatenation of words"));
}

// A piece is so many elements, whatever rows they lie in.
TEST_F(Kernels, ConcatenationsReadElementsOfAnyShape) {
  for (const int32_t channels : {1, 3, 4, 5, 12, 16, 17, 32}) {
    for (const int32_t outer : {1, 2}) {
      for (const bool with_tables : {false, true}) {
        graph::LoweredConcatenation op;
        op.outer = outer;
        int32_t rows = 0;
        const auto add_piece = [&](int32_t piece_rows, Shape shape) {
          op.inputs.push_back(cases_.input(std::move(shape)));
          op.axis_sizes.push_back(piece_rows * channels);
          const bool has_table = with_tables && op.inputs.size() % 2 == 0;
          op.tables.push_back(has_table ? cases_.values(256) : std::vector<int8_t>{});
          rows += piece_rows;
        };
        add_piece(1, {outer, channels});
        add_piece(3, {outer, 3 * channels});
        add_piece(4, {outer * channels, 4});
        add_piece(16, {channels, outer, 16});
        add_piece(12, {2 * outer, 2, 3 * channels});
        add_piece(2, {outer * 2 * channels});
        add_piece(1, {outer * channels, 1});
        op.output = cases_.output({outer, rows, channels});
        cases_.add(std::move(op));
      }
    }
  }
  // Rows need not begin where pieces do.
  const std::pair<std::vector<int32_t>, Shape> flat[] = {
      {{9, 17, 8}, {2, 17}}, {{16, 20}, {3, 12}}, {{16, 12, 8}, {3, 12}}, {{3, 8, 1}, {3, 4}}};
  for (const auto& [elements, shape] : flat) {
    graph::LoweredConcatenation op;
    for (const int32_t count : elements) {
      op.inputs.push_back(cases_.input({count}));
    }
    op.axis_sizes = elements;
    op.tables.resize(elements.size());
    op.output = cases_.output(shape);
    cases_.add(std::move(op));
  }
  // Some of the pieces of nearly all are words; by the other kernel all are bytes.
  EXPECT_THAT(cases_.expect_equal_to_reference(),
              ElementsAre("concatenation of bytes", "concatenation of words"));
}

TEST_F(Kernels, ReshapesMoveNothingWhereLayoutsAgreeAndWordsWhereTheyCan) {
  const std::pair<Shape, Shape> reshapes[] = {
      {{2, 3, 5}, {5, 6}}, {{1, 1, 1, 7}, {1, 7}}, {{4, 4}, {16}},     {{1, 19, 3}, {1, 3, 19}},
      {{2, 16}, {32, 1}},  {{3, 16}, {48}},        {{2, 17}, {34}},    {{1}, {}},
      {{2, 12}, {6, 4}},   {{3, 1, 8}, {2, 12}},   {{18, 4}, {2, 36}}, {{2, 36}, {18, 4}},
  };
  for (const auto& [input, output] : reshapes) {
    graph::LoweredReshape op;
    op.input = cases_.input(input);
    op.output = cases_.output(output);
    cases_.add(op);
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(),
              ElementsAre("reshape", "reshape in place", "reshape of words"));
}

TEST_F(Kernels, TranspositionsMoveWordsOrBytes) {
  struct Transposed {
    Shape input;
    Shape output;
    int32_t outer;
    int32_t rows;
    int32_t columns;
    int32_t inner;
  };
  const Transposed transposed[] = {
      // Channels to pixels: one channel, five, whole words, whole units.
      {{2, 3, 5, 4}, {2, 6, 10, 1}, 6, 5, 2, 2},
      {{1, 2, 3, 45}, {1, 6, 9, 5}, 2, 3, 3, 15},
      {{2, 1, 7, 48}, {2, 2, 14, 12}, 2, 7, 2, 24},
      {{1, 3, 2, 256}, {1, 6, 4, 64}, 3, 2, 2, 128},
      // Pixels to channels.
      {{2, 6, 10, 1}, {2, 3, 5, 4}, 6, 2, 5, 2},
      {{1, 6, 9, 5}, {1, 2, 3, 45}, 2, 3, 3, 15},
      {{2, 2, 14, 20}, {2, 1, 7, 80}, 2, 2, 7, 40},
      // A block of one moves nothing; whole words that rows of three channels interrupt.
      {{2, 3, 4, 17}, {2, 3, 4, 17}, 6, 4, 1, 17},
      {{8, 3}, {8, 3}, 1, 2, 3, 4},
  };
  for (const Transposed& t : transposed) {
    cases_.add(graph::LoweredTransposition{.input = cases_.input(t.input),
                                           .output = cases_.output(t.output),
                                           .outer = t.outer,
                                           .rows = t.rows,
                                           .columns = t.columns,
                                           .inner = t.inner});
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(),
              ElementsAre("transposition of bytes", "transposition of words"));
}

TEST_F(Kernels, NearestNeighborsAreAnyRowsAndColumns) {
  for (const int32_t channels : kChannelTails) {
    graph::LoweredResizeNearestNeighbor op;
    op.input_extent = {2, 3, 4, channels};
    op.output_extent = {2, 5, 3, channels};
    op.input = cases_.input(shape_of(op.input_extent));
    op.output = cases_.output(shape_of(op.output_extent));
    op.rows = {0, 2, 1, 2, 0};
    op.columns = {3, 0, 2};
    cases_.add(std::move(op));
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(), ElementsAre("nearest neighbor resize"));
}

// As lowering makes them, shares of 0 and of everything among them; `weight` gives a share's bits.
std::vector<graph::Interpolation> interpolations(Cases& cases, int32_t input, int32_t output,
                                                 int32_t (*weight)(float)) {
  std::vector<graph::Interpolation> result;
  for (int32_t i = 0; i < output; ++i) {
    const int32_t first = cases.between(0, input - 1);
    const int32_t second = std::min(first + 1, input - 1);
    const float share =
        cases.pick({0.0f, 1.0f, 0.5f, static_cast<float>(cases.between(0, 2048)) / 2048.0f});
    result.push_back({first, second, weight(1.0f - share), weight(share)});
  }
  return result;
}

TEST_F(Kernels, BilinearResizesWeighInFixedPoint) {
  using graph::InterpolationArithmetic;
  for (const auto arithmetic :
       {InterpolationArithmetic::kFixedPointTiesUp, InterpolationArithmetic::kFixedPointTiesAway}) {
    for (const int32_t channels : kChannelTails) {
      graph::LoweredResizeBilinear op;
      op.input_extent = {2, 3, 4, channels};
      op.output_extent = {2, 4, 7, channels};
      op.input = cases_.input(shape_of(op.input_extent));
      op.output = cases_.output(shape_of(op.output_extent));
      op.arithmetic = arithmetic;
      op.fraction_bits = 11;
      const auto in_eleven_bits = [](float share) { return static_cast<int32_t>(2048.0f * share); };
      op.rows = interpolations(cases_, 3, 4, in_eleven_bits);
      op.columns = interpolations(cases_, 4, 7, in_eleven_bits);
      cases_.add(std::move(op));
    }
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(), ElementsAre("bilinear resize"));
}

// Shares that no few bits express, and those before the first pixel, of which one is negative.
TEST_F(Kernels, BilinearResizesRoundAsFloatsDo) {
  const auto bits = [](float share) { return std::bit_cast<int32_t>(share); };
  const auto in_thirds = [](float share) { return std::bit_cast<int32_t>(share * (2.0f / 3.0f)); };
  for (const int32_t channels : kChannelTails) {
    graph::LoweredResizeBilinear op;
    op.input_extent = {2, 3, 4, channels};
    op.output_extent = {2, 7, 8, channels};
    op.input = cases_.input(shape_of(op.input_extent));
    op.output = cases_.output(shape_of(op.output_extent));
    op.arithmetic = graph::InterpolationArithmetic::kFloat32;
    op.rows = interpolations(cases_, 3, 6, bits);
    op.rows.push_back({0, 0, bits(1.0f + 1.0f / 3.0f), bits(-1.0f / 3.0f)});
    op.columns = interpolations(cases_, 4, 7, in_thirds);
    op.columns.push_back({0, 0, bits(1.4f), bits(-0.4f)});
    cases_.add(std::move(op));
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(), ElementsAre("bilinear resize in float32"));
}

TEST_F(Kernels, TablesMapEveryChannelTail) {
  for (const int32_t channels : kChannelTails) {
    graph::LoweredTable op;
    op.input = cases_.input({2, 3, channels});
    op.output = cases_.output({2, 3, channels});
    std::ranges::copy(cases_.values(256), op.table.begin());
    cases_.add(op);
  }
  EXPECT_THAT(cases_.expect_equal_to_reference(), ElementsAre("table"));
}

// Every size that pipelines may ask for gives the same bits.
TEST_F(Kernels, EverySubgroupSizeOnOffer) {
  // A shape with a single kernel: some drivers take seconds for one.
  add_depthwise(cases_, {.input = {1, 5, 5, 7}, .output_channels = 14});
  const auto listed = list_devices().value_or(std::vector<DeviceDescription>{});
  for (size_t i = 0; i < listed.size(); ++i) {
    const auto physical = open_context(i, {.mask = "", .cache_dir = ""});
    ASSERT_TRUE(physical) << physical.error().message;
    for (const uint32_t size : offered_subgroup_sizes((*physical)->device->capabilities())) {
      const auto device =
          open_device(i, {.mask = fmt::format("subgroup-size={}", size), .cache_dir = ""});
      ASSERT_TRUE(device) << device.error().message;
      cases_.expect_equal_to_reference({{fmt::format("{}, {}", listed[i].name, size), *device}});
    }
  }
}

TEST(SizeDispatch, FoldsIntoTheSecondAxisAndRefusesBeyondIt) {
  Capabilities capabilities;
  capabilities.max_workgroup_count = {10, 3, 1};
  Dispatch small;
  ASSERT_TRUE(size_dispatch(capabilities, 64 * 10, small));
  EXPECT_THAT(small.workgroups, ElementsAre(10, 1, 1));
  Dispatch folded;
  ASSERT_TRUE(size_dispatch(capabilities, 64 * 10 + 1, folded));
  EXPECT_THAT(folded.workgroups, ElementsAre(10, 2, 1));
  EXPECT_THAT(folded.specialization, ElementsAre(64));
  Dispatch beyond;
  const Status status = size_dispatch(capabilities, 64 * 30 + 1, beyond);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnsupported);
}

TEST(SizeDispatch, KeepsToTheDevicesWorkgroups) {
  Capabilities capabilities;
  capabilities.max_workgroup_invocations = 32;
  Dispatch dispatch;
  ASSERT_TRUE(size_dispatch(capabilities, 65, dispatch));
  EXPECT_THAT(dispatch.specialization, ElementsAre(32));
  EXPECT_THAT(dispatch.workgroups, ElementsAre(3, 1, 1));
}

// More packed bytes than int32 counts; nothing may be packed to find that out.
TEST(PlanOperator, RefusesConvolutionsWhoseWeightsNoBindingHolds) {
  constexpr int32_t kOutputs = 1 << 27;
  graph::LoweredGraph graph;
  graph.tensors = {{"x", DataType::kInt8, {1, 8}, {}}, {"y", DataType::kInt8, {1, kOutputs}, {}}};
  graph::LoweredConvolution op;
  op.output = 1;
  op.input_extent = {1, 1, 1, 8};
  op.output_extent = {1, 1, 1, kOutputs};
  const Capabilities capabilities;
  const auto plan = plan_operator({graph, capabilities}, {"FULLY_CONNECTED", 7, op});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(plan.error().message, ::testing::HasSubstr("2147483648 bytes"));
}

TEST(PlanOperator, KeepsToTheIterationsThatADriverCarriesOut) {
  Capabilities capabilities;
  capabilities.max_loop_iterations = 65'535;
  graph::LoweredGraph graph;
  graph.tensors = {{"image", DataType::kInt8, {1, 300, 300, 4}, {}},
                   {"pixel", DataType::kInt8, {1, 1, 1, 4}, {}},
                   {"row", DataType::kInt8, {1, 100'000}, {}},
                   {"number", DataType::kInt8, {1, 1}, {}}};
  graph::LoweredPool pool{.input = 0,
                          .output = 1,
                          .input_extent = {1, 300, 300, 4},
                          .output_extent = {1, 1, 1, 4},
                          .window = {.kernel_height = 300, .kernel_width = 300}};
  const auto refused = plan_operator({graph, capabilities}, {"POOL", 0, pool});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("65535 iterations"));
  EXPECT_TRUE(plan_operator({graph, Capabilities{}}, {"POOL", 0, pool}));

  // 16 channels an iteration are few enough, single ones are not.
  graph::LoweredConvolution product;
  product.input = 2;
  product.output = 3;
  product.input_extent = {1, 1, 1, 100'000};
  product.output_extent = {1, 1, 1, 1};
  product.weights.resize(100'000);
  product.weights_zero_points = product.bias = product.folded_bias = {0};
  product.output_stage.scales.resize(1);
  const auto plan = plan_operator({graph, capabilities, "convolution_direct"}, {"FC", 0, product});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->variant, "convolution_row");
  EXPECT_THAT(plan->kernels, ::testing::Not(::testing::Contains("convolution_direct")));
}

TEST(TakesEpilogue, IsForConvolutionsAndForTablesBehindAdditions) {
  graph::LoweredGraph graph;
  graph.tensors = {{"x", DataType::kInt8, {1, 8, 8, 16}, {}}};  // 256 words
  graph::LoweredConvolution stored;
  stored.output_stage.stores_accumulators = true;
  graph::LoweredDepthwiseConvolution depthwise_stored;
  depthwise_stored.output_stage.stores_accumulators = true;
  Epilogue sum;
  sum.addition.arithmetic = 0;
  sum.right = 0;
  Epilogue table;
  table.table.emplace();
  struct Case {
    graph::LoweredOperation operation;
    bool takes_sum;
    bool takes_table;
  };
  for (const auto& [operation, takes_sum, takes_table] :
       {Case{graph::LoweredConvolution{}, true, true},
        Case{graph::LoweredDepthwiseConvolution{}, true, true}, Case{stored, false, false},
        Case{depthwise_stored, false, false}, Case{graph::LoweredAdd{}, false, true},
        Case{graph::LoweredMul{}, false, false}, Case{graph::LoweredPool{}, false, false}}) {
    SCOPED_TRACE(operation.index());
    const graph::LoweredOperator op{"TEST", 0, operation};
    Capabilities capabilities;
    EXPECT_EQ(takes_epilogue({graph, capabilities}, op, sum), takes_sum);
    EXPECT_EQ(takes_epilogue({graph, capabilities}, op, table), takes_table);
    capabilities.max_texel_buffer_elements = 256;
    EXPECT_EQ(takes_epilogue({graph, capabilities}, op, sum), takes_sum);
    capabilities.max_texel_buffer_elements = 255;
    EXPECT_FALSE(takes_epilogue({graph, capabilities}, op, sum));
    EXPECT_EQ(takes_epilogue({graph, capabilities}, op, table), takes_table);
  }
}

// Texel buffers hold parameters too, and behind them any epilogue.
TEST(PlanOperator, TexelBuffersHaveRoomForAnEpilogue) {
  const auto reads_texels = [](int32_t channels) {
    graph::LoweredGraph graph;
    graph.tensors = {{"x", DataType::kInt8, {1, 16}, {}},
                     {"y", DataType::kInt8, {1, channels}, {}}};
    graph::LoweredConvolution op;
    op.output = 1;
    op.input_extent = {1, 1, 1, 16};
    op.output_extent = {1, 1, 1, channels};
    const Capabilities capabilities;
    const auto kernels = convolution_kernels({graph, capabilities}, op);
    return std::ranges::find(kernels, "convolution_row_texel") != kernels.end();
  };
  constexpr int32_t kTexels = 65536;
  constexpr int32_t kMost = kTexels - static_cast<int32_t>(kMaximumEpilogueUnits);
  EXPECT_TRUE(reads_texels(kMost / 4 * 4));
  EXPECT_FALSE(reads_texels(kMost / 4 * 4 + 1));
}

TEST(PlanOperator, RefusesFloatOperatorsWithAReason) {
  graph::LoweredGraph graph;
  graph.tensors = {{"x", DataType::kInt8, {1, 4}, {}}, {"y", DataType::kInt8, {1, 4}, {}}};
  const Capabilities capabilities;
  const auto plan =
      plan_operator({graph, capabilities}, {"SOFTMAX", 7, graph::LoweredSoftmax{0, 1, 1, 4}});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(plan.error().message, ::testing::HasSubstr("operator 7 (SOFTMAX)"));
}

}  // namespace
}  // namespace lockstep::backend::vulkan
