// Fused programs on every device, bit for bit against the reference and against themselves unfused:
// every kernel with every end, every rounding, both orders of operands, channels that end inside a
// word or a unit, zero points at both ends, values that tie.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "backend/testing/program_runs.h"
#include "backend/testing/random_values.h"
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
using testing::OpenedDevice;
using Bytes = std::vector<std::byte>;

const auto* const kValidation = vulkan::testing::fail_on_validation_messages();

// Some drivers take seconds for one pipeline.
constexpr auto kCompileBudget = std::chrono::seconds(1);

const std::vector<OpenedDevice>& devices() { return testing::whole_and_masked_devices(); }

std::string capability(const Device& device, std::string_view name) {
  const auto& capabilities = device.description().capabilities;
  const auto found =
      std::ranges::find(capabilities, name, &std::pair<std::string, std::string>::first);
  return found != capabilities.end() ? found->second : "";
}

struct WindowCase {
  Extent4d input;
  int32_t output_channels = 8;
  Window2d window{};
  int32_t output_height = 0;  // 0: the input's
  int32_t output_width = 0;
  int32_t groups = 1;
};

// A graph of chains: only what is said to be an output is one.
class Chains : public backend::testing::RandomValues {
 public:
  Chains() : RandomValues(29) {}

  int32_t input(Shape shape, DataType type = DataType::kInt8) {
    graph.inputs.push_back(tensor(std::move(shape)));
    graph.tensors.back().type = type;
    return graph.inputs.back();
  }

  int32_t convolution(int32_t input, const WindowCase& c, Rounding rounding,
                      std::optional<int32_t> input_zero_point = {}) {
    graph::LoweredConvolution op;
    op.groups = c.groups;
    const int32_t taps = c.window.kernel_height * c.window.kernel_width;
    fill(op, input, c, c.output_channels, taps * c.input.channels / c.groups, rounding,
         input_zero_point);
    return op_added("CONV_2D", std::move(op));
  }
  int32_t depthwise(int32_t input, const WindowCase& c, Rounding rounding,
                    std::optional<int32_t> input_zero_point = {}) {
    graph::LoweredDepthwiseConvolution op;
    const int32_t taps = c.window.kernel_height * c.window.kernel_width;
    fill(op, input, c, c.input.channels, taps, rounding, input_zero_point);
    return op_added("DEPTHWISE_CONV_2D", std::move(op));
  }

  // gemmlowp's arithmetic. With `wide`, scales that need more than NarrowScale.
  int32_t sum(int32_t left, int32_t right, Rounding rounding, bool wide = false) {
    graph::LoweredAdd op = addition(left, right);
    op.left_shift = wide ? 22 : 20;
    op.left_scale = numerics::channel_scale(pick({0.5, 0.25, 0.4}), rounding);
    op.right_scale = numerics::channel_scale(pick({0.5, 0.5, 0.3}), rounding);
    op.output_stage.rounding = rounding;
    // Powers of two tie.
    op.output_stage.scales = {
        numerics::channel_scale(std::exp2(-op.left_shift) * pick({2.0, 1.0, 1.3}), rounding)};
    return op_added("ADD", std::move(op));
  }
  // XNNPACK's.
  int32_t shared_shift_sum(int32_t left, int32_t right) {
    graph::LoweredAdd op = addition(left, right);
    op.arithmetic = graph::AddArithmetic::kSharedShift;
    op.left_scale = {pick({1 << 20, 1 << 19, 1234567}), 0};
    op.right_scale = {pick({1 << 20, 765432}), 0};
    op.shared_shift = 20;
    op.shared_bias = (1 << 19) - op.left_scale.multiplier * op.left_zero_point -
                     op.right_scale.multiplier * op.right_zero_point;
    return op_added("ADD", std::move(op));
  }

  // Any table; the output has the type.
  int32_t table(int32_t input, DataType type) {
    graph::LoweredTable op;
    op.input = input;
    for (int8_t& value : op.table) {
      value = static_cast<int8_t>(between(-128, 127));
    }
    op.output = tensor(shape_of(input));
    graph.tensors.back().type = type;
    return op_added("QUANTIZE", std::move(op));
  }
  int32_t pool(int32_t input) {
    graph::LoweredPool op;
    op.kind = graph::PoolKind::kMax;
    const Shape shape = shape_of(input);
    op.input = input;
    op.input_extent = op.output_extent = {shape[0], shape[1], shape[2], shape[3]};
    op.window = {.kernel_height = 2, .kernel_width = 2};
    op.output = tensor(shape);
    graph.tensors.back().type = graph.tensors[static_cast<size_t>(input)].type;
    return op_added("MAX_POOL_2D", std::move(op));
  }

  int32_t reshape(int32_t input, Shape shape) {
    graph::LoweredReshape op;
    op.input = input;
    op.output = tensor(std::move(shape));
    graph.tensors.back().type = graph.tensors[static_cast<size_t>(input)].type;
    return op_added("RESHAPE", op);
  }
  // Along an axis of the first one's shape; tensors that are in `translated` go through tables.
  int32_t join(std::vector<int32_t> pieces, size_t axis, std::set<int32_t> translated = {}) {
    graph::LoweredConcatenation op;
    Shape shape = shape_of(pieces[0]);
    const DataType type = graph.tensors[static_cast<size_t>(pieces[0])].type;
    int32_t inner = 1;
    for (size_t i = 0; i < shape.size(); ++i) {
      op.outer *= i < axis ? shape[i] : 1;
      inner *= i > axis ? shape[i] : 1;
    }
    shape[axis] = 0;
    for (const int32_t piece : pieces) {
      op.axis_sizes.push_back(shape_of(piece)[axis] * inner);
      op.tables.push_back(translated.contains(piece) ? values(256) : std::vector<int8_t>{});
      shape[axis] += shape_of(piece)[axis];
    }
    op.inputs = std::move(pieces);
    op.output = tensor(std::move(shape));
    graph.tensors.back().type = type;
    return op_added("CONCATENATION", std::move(op));
  }

  // Rows and columns before and after the image.
  int32_t pad(int32_t input, std::array<int32_t, 4> amounts, int32_t value) {
    graph::LoweredPad op;
    const Shape from = shape_of(input);
    const Shape to = {from[0], from[1] + amounts[0] + amounts[1], from[2] + amounts[2] + amounts[3],
                      from[3]};
    op.input = input;
    std::ranges::copy(from, op.input_extents.begin());
    std::ranges::copy(to, op.output_extents.begin());
    op.before = {0, amounts[0], amounts[2], 0};
    op.value = static_cast<int8_t>(value);
    op.output = tensor(to);
    return op_added("PAD", std::move(op));
  }

  void output(int32_t tensor) { graph.outputs.push_back(tensor); }
  Shape shape_of(int32_t index) const { return graph.tensors[static_cast<size_t>(index)].shape; }

  // `fused_away`: how many operators have no dispatch of their own, whatever kernels compute the
  // others. Compares the device's choice of kernels and every other kernel, between guards, and
  // with memory shared.
  void expect_equal_to_reference(size_t fused_away) {
    for (const OpenedDevice& opened : devices()) {
      SCOPED_TRACE(opened.name);
      std::chrono::nanoseconds compiling{0};
      bool is_first = true;
      for (const std::string& kernel : testing::kernels_of(*opened.device, graph)) {
        if (compiling > kCompileBudget) {
          break;
        }
        SCOPED_TRACE("kernel '" + kernel + "'");
        const auto start = std::chrono::steady_clock::now();
        const auto guarded =
            opened.device->compile(graph, {.kernel = kernel, .guard_memory = true, .fill = 0xa5});
        const auto shared =
            opened.device->compile(graph, {.kernel = kernel, .reverse_unordered = true});
        compiling += std::chrono::steady_clock::now() - start;
        ASSERT_TRUE(guarded) << guarded.error().message;
        ASSERT_TRUE(shared) << shared.error().message;
        EXPECT_EQ(fused_in(**guarded), fused_away);
        if (is_first) {
          const auto unfused = opened.device->compile(graph, {.fuse = false});
          ASSERT_TRUE(unfused) << unfused.error().message;
          EXPECT_EQ(fused_in(**unfused), 0u);
          expect_equal_runs({unfused->get(), guarded->get(), shared->get()});
        } else {
          expect_equal_runs({guarded->get(), shared->get()});
        }
        is_first = false;
      }
    }
  }

  // Forces every kernel of the first operator that is not yet in `done`, and expects that
  // dispatches of that kernel compute everything.
  void expect_every_kernel_goes_on(const OpenedDevice& opened, std::set<std::string>& done) {
    SCOPED_TRACE(opened.name);
    const auto kernels = opened.device->kernels(graph, graph.operators.front());
    ASSERT_TRUE(kernels) << kernels.error().message;
    for (const std::string& kernel : *kernels) {
      if (!done.insert(kernel).second) {
        continue;
      }
      SCOPED_TRACE("kernel '" + kernel + "'");
      const auto program =
          opened.device->compile(graph, {.kernel = kernel, .guard_memory = true, .fill = 0x5a});
      ASSERT_TRUE(program) << program.error().message;
      for (const OperatorPlacement& placement : (*program)->placements()) {
        EXPECT_THAT(placement.variant,
                    ::testing::AnyOf(kernel, ::testing::StartsWith("fused into ")));
      }
      expect_equal_runs({program->get()});
    }
  }

  // With random inputs, then with the smallest and largest.
  void expect_equal_runs(const std::vector<Program*>& programs) {
    auto interpreter = host_ref::Interpreter::create(graph);
    ASSERT_TRUE(interpreter) << interpreter.error().message;
    for (const bool extremes : {false, true}) {
      std::vector<Bytes> inputs;
      for (size_t i = 0; i < graph.inputs.size(); ++i) {
        const std::vector<int8_t> random = values(elements(graph.inputs[i]));
        const auto bytes = std::as_bytes(std::span(random));
        inputs.emplace_back(bytes.begin(), bytes.end());
        for (std::byte& value : inputs.back()) {
          value = extremes ? std::byte{pick<unsigned char>({0x80, 0x7f})} : value;
        }
        ASSERT_TRUE(interpreter->set_input(i, inputs[i]));
      }
      ASSERT_TRUE(interpreter->run());
      for (size_t i = 0; i < programs.size(); ++i) {
        SCOPED_TRACE(fmt::format("program {}", i));
        expect_equal_run(*programs[i], inputs, *interpreter);
      }
    }
  }

  graph::LoweredGraph graph;

 private:
  template <typename Convolution>
  void fill(Convolution& op, int32_t input, const WindowCase& c, int32_t output_channels,
            int32_t products, Rounding rounding, std::optional<int32_t> input_zero_point) {
    op.input = input;
    op.input_extent = c.input;
    op.output_extent = {c.input.batch, c.output_height != 0 ? c.output_height : c.input.height,
                        c.output_width != 0 ? c.output_width : c.input.width, output_channels};
    const Extent4d& extent = op.output_extent;
    op.output = tensor(shape_of(input).size() == 2
                           ? Shape{extent.batch, extent.channels}
                           : Shape{extent.batch, extent.height, extent.width, extent.channels});
    op.window = c.window;
    op.input_zero_point = input_zero_point.value_or(zero_point());
    const auto channels = static_cast<size_t>(output_channels);
    op.weights = values(channels * static_cast<size_t>(products));
    op.weights_zero_points.assign(channels, 0);
    std::vector<int32_t> sums(channels);
    constexpr bool kIsDepthwise = std::is_same_v<Convolution, graph::LoweredDepthwiseConvolution>;
    for (size_t i = 0; i < op.weights.size(); ++i) {
      sums[kIsDepthwise ? i % channels : i / static_cast<size_t>(products)] += op.weights[i];
    }
    op.output_stage.rounding = rounding;
    op.output_stage.zero_point = zero_point();
    op.output_stage.activation_min = pick({-128, -128, -100});
    op.output_stage.activation_max = pick({127, 127, 90});
    for (size_t channel = 0; channel < channels; ++channel) {
      op.bias.push_back(between(-20000, 20000));
      op.folded_bias.push_back(op.bias.back() - op.input_zero_point * sums[channel]);
      const double scale = 1.0 / (100.0 * std::sqrt(products));
      op.output_stage.scales.push_back(numerics::channel_scale(
          pick({scale, std::exp2(std::round(std::log2(scale)))}), rounding));
    }
  }
  graph::LoweredAdd addition(int32_t left, int32_t right) {
    graph::LoweredAdd op;
    op.left = left;
    op.right = right;
    op.output = tensor(shape_of(left));
    op.left_zero_point = zero_point();
    op.right_zero_point = zero_point();
    op.output_stage.zero_point = zero_point();
    op.output_stage.activation_min = pick({-128, -128, -90});
    op.output_stage.activation_max = pick({127, 127, 100});
    // As rows of channels; a right operand of one row repeats it.
    const int32_t elements = static_cast<int32_t>(graph::element_count(shape_of(left)).value());
    const int32_t channels = shape_of(left).back();
    const bool repeats = shape_of(right) != shape_of(left);
    op.extents = {.output = {1, 1, elements / channels, channels},
                  .left_strides = {0, 0, channels, 1},
                  .right_strides = {0, 0, repeats ? 0 : channels, 1}};
    return op;
  }
  int32_t tensor(Shape shape) {
    const size_t index = graph.tensors.size();
    graph.tensors.push_back({fmt::format("t{}", index), DataType::kInt8, std::move(shape), {}});
    return static_cast<int32_t>(index);
  }
  int32_t op_added(std::string name, graph::LoweredOperation operation) {
    const int32_t output = graph::operation_output(operation);
    const auto index = static_cast<int32_t>(graph.operators.size());
    graph.operators.push_back({std::move(name), index, std::move(operation)});
    return output;
  }

  size_t fused_in(const Program& program) const {
    const std::vector<OperatorPlacement> placements = program.placements();
    EXPECT_EQ(placements.size(), graph.operators.size());
    return static_cast<size_t>(std::ranges::count_if(placements, [](const auto& placement) {
      return placement.variant.starts_with("fused into ");
    }));
  }

  void expect_equal_run(Program& program, const std::vector<Bytes>& inputs,
                        const host_ref::Interpreter& interpreter) {
    const std::vector<Bytes> outputs = backend::testing::run(program, graph, inputs);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto expected = interpreter.tensor(graph.outputs[i]);
      ASSERT_TRUE(expected);
      const auto [actual, wanted] = std::ranges::mismatch(outputs[i], *expected);
      EXPECT_EQ(wanted, expected->end())
          << "output " << i << " " << graph::shape_to_string(shape_of(graph.outputs[i])) << " byte "
          << std::distance(expected->begin(), wanted);
    }
  }
  size_t elements(int32_t tensor) const {
    return static_cast<size_t>(graph::element_count(shape_of(tensor)).value());
  }
};

class FusedPrograms : public ::testing::Test {
 protected:
  void SetUp() override {
    if (devices().empty()) {
      GTEST_SKIP() << "no Vulkan device";
    }
  }

  // The sum of a convolution and an input of its own, in both orders.
  size_t add_sums(const WindowCase& c, Rounding rounding) {
    const int32_t input = image(chains_, c);
    for (const bool is_left : {true, false}) {
      chains_.output(sum_with_input(chains_, chains_.convolution(input, c, rounding), is_left,
                                    rounding, chains_.pick({false, false, true})));
    }
    return 2;
  }

  static int32_t image(Chains& chains, const WindowCase& c) {
    return chains.input({c.input.batch, c.input.height, c.input.width, c.input.channels});
  }
  static int32_t sum_with_input(Chains& chains, int32_t features, bool is_left, Rounding rounding,
                                bool wide = false) {
    const int32_t other = chains.input(chains.shape_of(features));
    const int32_t left = is_left ? features : other;
    const int32_t right = is_left ? other : features;
    return rounding == Rounding::kFloat32TiesEven ? chains.shared_shift_sum(left, right)
                                                  : chains.sum(left, right, rounding, wide);
  }

  Chains chains_;
};

// Shapes that between them have every kernel of convolutions. The first one that has a kernel has
// several tiles, groups and workgroups of it, some of which end outside.
struct EndingCase {
  WindowCase window;
  bool is_depthwise = false;
  Rounding rounding = Rounding::kDoubleTiesUp;
};
std::vector<EndingCase> ending_cases() {
  constexpr Window2d k3x3{
      .kernel_height = 3, .kernel_width = 3, .padding_top = 1, .padding_left = 1};
  Window2d stride_2 = k3x3;
  stride_2.stride_height = stride_2.stride_width = 2;
  return {
      {.window = {.input = {1, 3, 4, 6}, .output_channels = 10, .window = k3x3, .groups = 2}},
      {.window = {.input = {2, 4, 5, 64}, .output_channels = 128, .window = k3x3, .groups = 2}},
      {.window = {.input = {2, 3, 5, 20}, .output_channels = 19}, .rounding = Rounding::kSingle},
      {.window = {.input = {1, 1, 1, 300}, .output_channels = 27},
       .rounding = Rounding::kDoubleTiesAway},
      {.window = {.input = {2, 5, 7, 3}, .output_channels = 13, .window = k3x3},
       .rounding = Rounding::kFloat32TiesEven},
      {.window = {.input = {1, 5, 4, 37}, .output_channels = 75, .window = k3x3}},
      {.window = {.input = {2, 3, 6, 21}, .window = k3x3},
       .is_depthwise = true,
       .rounding = Rounding::kSingle},
      {.window =
           {.input = {2, 6, 9, 35}, .window = stride_2, .output_height = 3, .output_width = 5},
       .is_depthwise = true,
       .rounding = Rounding::kFloat32TiesEven}};
}

TEST_F(FusedPrograms, EveryKernelOfConvolutionsEndsInSumsAndTables) {
  for (const OpenedDevice& opened : devices()) {
    if (!opened.mask.empty()) {
      continue;  // it has no others
    }
    std::set<std::string> done;
    for (const auto& [window, is_depthwise, rounding] : ending_cases()) {
      Chains chains;
      const int32_t input = image(chains, window);
      for (const bool is_left : {true, false}) {
        const int32_t features = is_depthwise ? chains.depthwise(input, window, rounding)
                                              : chains.convolution(input, window, rounding);
        const int32_t sum = sum_with_input(chains, features, is_left, rounding);
        chains.output(chains.table(sum, is_left ? DataType::kInt8 : DataType::kUint8));
      }
      chains.expect_every_kernel_goes_on(opened, done);
    }
    EXPECT_THAT(
        done,
        ::testing::IsSupersetOf(
            {"convolution", "convolution_direct", "convolution_gemv", "convolution_image",
             "convolution_image_texel", "convolution_pointwise", "convolution_row",
             "convolution_staged", "convolution_words", "depthwise_convolution",
             "depthwise_convolution_texel_wide", "depthwise_convolution_texel_width_3_stride_1",
             "depthwise_convolution_texel_width_3_stride_2", "depthwise_convolution_wide"}))
        << opened.name;
  }
}

TEST_F(FusedPrograms, DepthwiseConvolutionsEndInSumsOfEveryRoundingOrInTables) {
  constexpr Window2d k3x3{
      .kernel_height = 3, .kernel_width = 3, .padding_top = 1, .padding_left = 1};
  size_t fused_away = 0;
  for (const int32_t channels : {3, 33}) {
    const WindowCase c{.input = {2, 4, 5, channels}, .window = k3x3};
    for (const Rounding rounding : numerics::kAllRoundings) {
      const int32_t features = chains_.depthwise(image(chains_, c), c, rounding);
      chains_.output(sum_with_input(chains_, features, channels == 3, rounding));
    }
    const int32_t features = chains_.depthwise(image(chains_, c), c, Rounding::kSingle);
    chains_.output(chains_.pool(chains_.table(features, DataType::kUint8)));
    fused_away += numerics::kAllRoundings.size() + 1;
  }
  chains_.expect_equal_to_reference(fused_away);
}

TEST_F(FusedPrograms, AdditionsThatNoConvolutionTakesEndInTables) {
  size_t fused_away = 0;
  for (const Rounding rounding : numerics::kAllRoundings) {
    for (const int32_t channels : {1, 3, 5, 16, 33}) {
      for (const bool is_row : {false, true}) {
        const int32_t left = chains_.input({2, 3, 2, channels});
        const int32_t right =
            chains_.input(is_row ? Shape{1, 1, 1, channels} : chains_.shape_of(left));
        const int32_t sum = rounding == Rounding::kFloat32TiesEven
                                ? chains_.shared_shift_sum(left, right)
                                : chains_.sum(left, right, rounding, channels == 5);
        chains_.output(chains_.table(sum, is_row ? DataType::kUint8 : DataType::kInt8));
        ++fused_away;
      }
    }
  }
  chains_.expect_equal_to_reference(fused_away);
}

// A convolution's table comes first, and its sum is another dispatch, which has the second table.
TEST_F(FusedPrograms, EveryDispatchHasOneTable) {
  const WindowCase c{.input = {2, 3, 4, 9}, .output_channels = 9};
  const int32_t input = image(chains_, c);
  const int32_t features = chains_.table(
      chains_.table(chains_.convolution(input, c, Rounding::kSingle), DataType::kInt8),
      DataType::kInt8);
  const int32_t sum = chains_.sum(features, input, Rounding::kSingle);
  chains_.output(chains_.pool(chains_.table(sum, DataType::kInt8)));
  chains_.expect_equal_to_reference(2);
}

// What no texel buffer holds is added by itself, and the convolution still has tables.
TEST_F(FusedPrograms, SumsBeyondTexelBuffersStay) {
  constexpr int64_t kWords = 130 * 130 * 4;
  const WindowCase c{.input = {1, 130, 130, 7}, .output_channels = 16};
  const int32_t input = image(chains_, c);
  chains_.output(sum_with_input(chains_, chains_.convolution(input, c, Rounding::kSingle), true,
                                Rounding::kSingle));
  const int32_t features = chains_.convolution(input, c, Rounding::kSingle);
  chains_.output(chains_.pool(chains_.table(features, DataType::kInt8)));
  size_t refused = 0;
  for (const OpenedDevice& opened : devices()) {
    SCOPED_TRACE(opened.name);
    const bool fits = std::stoll(capability(*opened.device, "texel buffer elements")) >= kWords;
    const auto program = opened.device->compile(chains_.graph);
    ASSERT_TRUE(program) << program.error().message;
    EXPECT_EQ((*program)->statistics().dispatches, fits ? 3 : 4);
    refused += fits ? 0 : 1;
    chains_.expect_equal_runs({program->get()});
  }
  EXPECT_GT(refused, 0u) << "a mask hides larger ones";
}

TEST_F(FusedPrograms, PointwiseConvolutionsAndRowsEndInAdditionsOfEveryRounding) {
  size_t fused_away = 0;
  for (const Rounding rounding : numerics::kAllRoundings) {
    for (const int32_t channels : {5, 8, 17, 33}) {
      fused_away += add_sums(
          {.input = {2, 3, 3, chains_.pick({5, 16, 33})}, .output_channels = channels}, rounding);
    }
    fused_away += add_sums({.input = {1, 1, 1, 20}, .output_channels = 19}, rounding);
  }
  chains_.expect_equal_to_reference(fused_away);
}

TEST_F(FusedPrograms, WindowsEndInAdditionsOfEveryRounding) {
  constexpr Window2d k3x3{
      .kernel_height = 3, .kernel_width = 3, .padding_top = 1, .padding_left = 1};
  size_t fused_away = 0;
  for (const Rounding rounding : numerics::kAllRoundings) {
    fused_away +=
        add_sums({.input = {2, 4, 3, 17}, .output_channels = 9, .window = k3x3}, rounding);
    fused_away += add_sums(
        {.input = {1, 5, 3, 32}, .output_channels = 24, .window = k3x3, .groups = 2}, rounding);
    fused_away += add_sums(
        {.input = {1, 4, 4, 8}, .output_channels = 16, .window = k3x3, .groups = 2}, rounding);
  }
  chains_.expect_equal_to_reference(fused_away);
}

TEST_F(FusedPrograms, FullyConnectedLayersAndOperandsThatAreNotScaledAlike) {
  const int32_t input = chains_.input({3, 40});
  const WindowCase layer{.input = {3, 1, 1, 40}, .output_channels = 23};
  const int32_t first = chains_.convolution(input, layer, Rounding::kDoubleTiesUp);
  const int32_t second = chains_.convolution(input, layer, Rounding::kSingle);
  // Another rounding than the layer's.
  const int32_t sum = chains_.sum(first, second, Rounding::kDoubleTiesAway);
  chains_.output(sum);
  // Read again, and added in a float32 rounding.
  const WindowCase next{.input = {3, 1, 1, 23}, .output_channels = 23};
  chains_.output(chains_.sum(sum, chains_.convolution(sum, next, Rounding::kFloat32TiesEven),
                             Rounding::kFloat32TiesEven));
  chains_.expect_equal_to_reference(2);
}

TEST_F(FusedPrograms, ResidualBlocksShareMemory) {
  // The longest lifetimes cross: every sum is read by the next block and the next sum.
  const WindowCase narrow{.input = {1, 6, 5, 12}, .output_channels = 32};
  const WindowCase wide{.input = {1, 6, 5, 32}, .output_channels = 12};
  int32_t features = chains_.input({1, 6, 5, 12});
  for (int block = 0; block < 4; ++block) {
    const int32_t expanded = chains_.convolution(features, narrow, Rounding::kDoubleTiesUp);
    const int32_t projected = chains_.convolution(expanded, wide, Rounding::kDoubleTiesUp);
    features = chains_.sum(features, projected, Rounding::kDoubleTiesUp);
  }
  chains_.output(features);
  chains_.expect_equal_to_reference(4);
}

TEST_F(FusedPrograms, PaddingBecomesPartOfWindows) {
  constexpr Window2d kStride2{
      .kernel_height = 3, .kernel_width = 3, .stride_height = 2, .stride_width = 2};
  for (const int32_t zero_point : {-128, 0, 127}) {
    for (const int32_t channels : {3, 17, 32}) {
      const int32_t input = chains_.input({2, 6, 7, channels});
      const int32_t once = chains_.pad(input, {0, 1, 2, 1}, zero_point);
      const int32_t padded = chains_.pad(once, {1, 0, 0, 0}, zero_point);
      const WindowCase c{.input = {2, 8, 10, channels},
                         .output_channels = 9,
                         .window = kStride2,
                         .output_height = 3,
                         .output_width = 4};
      chains_.output(chains_.convolution(padded, c, Rounding::kSingle, zero_point));
      chains_.output(chains_.depthwise(padded, c, Rounding::kDoubleTiesAway, zero_point));
    }
  }
  chains_.expect_equal_to_reference(18);
}

TEST_F(FusedPrograms, PaddingByAnotherValueStays) {
  const int32_t padded = chains_.pad(chains_.input({1, 4, 4, 8}), {1, 1, 1, 1}, 3);
  chains_.output(chains_.convolution(padded, {.input = {1, 6, 6, 8}}, Rounding::kSingle, 4));
  chains_.expect_equal_to_reference(0);
}

TEST_F(FusedPrograms, ConvolutionsAndSumsEndInTables) {
  constexpr Window2d k3x3{
      .kernel_height = 3, .kernel_width = 3, .padding_top = 1, .padding_left = 1};
  for (const int32_t channels : {5, 17, 32}) {
    const int32_t input = chains_.input({2, 4, 3, channels});
    const WindowCase pointwise{.input = {2, 4, 3, channels}, .output_channels = channels};
    WindowCase window = pointwise;
    window.window = k3x3;
    const int32_t features =
        chains_.table(chains_.convolution(input, window, Rounding::kDoubleTiesUp), DataType::kInt8);
    const int32_t sum = chains_.sum(
        features, chains_.convolution(features, pointwise, Rounding::kSingle), Rounding::kSingle);
    chains_.output(chains_.pool(chains_.table(sum, DataType::kUint8)));
  }
  chains_.expect_equal_to_reference(9);
}

// Every pair of types that the host and the device may have, every way rows are padded.
TEST_F(FusedPrograms, TablesAtTheBordersAreLookedUpByTheHost) {
  size_t fused_away = 0;
  for (const DataType outside : {DataType::kInt8, DataType::kUint8}) {
    for (const DataType inside : {DataType::kInt8, DataType::kUint8}) {
      for (const int32_t channels : {1, 2, 3, 4, 5, 16}) {
        const int32_t given = chains_.input({2, 3, 3, channels}, outside);
        chains_.output(chains_.table(chains_.pool(chains_.table(given, inside)), outside));
        fused_away += 2;
      }
    }
  }
  chains_.expect_equal_to_reference(fused_away);
}

TEST_F(FusedPrograms, TablesOfLargeTensorsAreLookedUpByTheFasterOne) {
  const int32_t given = chains_.input({1, 80, 80, 4});
  chains_.output(
      chains_.table(chains_.pool(chains_.table(given, DataType::kInt8)), DataType::kInt8));
  for (const OpenedDevice& opened : devices()) {
    const auto program = opened.device->compile(chains_.graph);
    ASSERT_TRUE(program) << program.error().message;
    const bool is_processor = capability(*opened.device, "device class") == "cpu-like";
    EXPECT_EQ((*program)->statistics().dispatches, is_processor ? 1 : 3) << opened.name;
  }
}

// Heads of a detector: anchors that lie in channels become rows.
TEST_F(FusedPrograms, ReshapesBecomePartOfConcatenations) {
  for (const DataType type : {DataType::kInt8, DataType::kUint8}) {
    for (const int32_t channels : {1, 3, 4, 16, 17}) {
      std::vector<int32_t> pieces;
      std::set<int32_t> translated;
      for (const int32_t anchors : {3, 1, 4}) {
        const int32_t image = chains_.input({2, 3, 5, anchors * channels}, type);
        const int32_t features = chains_.pool(image);
        pieces.push_back(chains_.reshape(features, {2, 15 * anchors, channels}));
        if (anchors == 1) {
          translated.insert(pieces.back());
        }
      }
      // Once more the first one, in another shape in between.
      const int32_t chain = chains_.reshape(pieces[0], {channels, 90});
      pieces.push_back(chains_.reshape(chain, {2, 45, channels}));
      const int32_t joined =
          chains_.join({pieces[0], pieces[1], pieces[2], pieces[3], pieces[1]}, 1, translated);
      chains_.output(chains_.join({joined, pieces[2]}, 1));
      chains_.output(joined);
    }
  }
  chains_.expect_equal_to_reference(2 * 5 * 5);
}

TEST_F(FusedPrograms, ReshapesThatAreOutputsOrReadByOthersStay) {
  for (const int32_t channels : {4, 17}) {
    const int32_t features = chains_.pool(chains_.input({1, 3, 5, 3 * channels}));
    const int32_t seen = chains_.reshape(features, {1, 45, channels});
    const int32_t read = chains_.reshape(features, {1, 5, 9, channels});
    chains_.output(seen);
    chains_.output(chains_.join({seen, chains_.reshape(read, {1, 45, channels})}, 1));
    chains_.output(chains_.pool(read));
  }
  // The one that only the concatenation reads is part of it.
  chains_.expect_equal_to_reference(2);
}

TEST_F(FusedPrograms, TheHostReshapesAtTheBorders) {
  size_t fused_away = 0;
  for (const DataType outside : {DataType::kInt8, DataType::kUint8}) {
    for (const DataType inside : {DataType::kInt8, DataType::kUint8}) {
      for (const int32_t channels : {1, 4, 5, 16}) {
        const int32_t given = chains_.input({2, 6 * channels}, outside);
        const int32_t image = chains_.reshape(chains_.table(given, inside), {2, 2, 3, channels});
        const int32_t result = chains_.reshape(chains_.pool(image), {2 * channels, 6});
        chains_.output(chains_.table(chains_.reshape(result, {12 * channels}), outside));
        fused_away += 5;
      }
    }
  }
  chains_.expect_equal_to_reference(fused_away);
}

// Along the batch and along rows: what makes a piece writes to where it belongs. Every other
// command is one that moves a neighbour, or reads one.
TEST_F(FusedPrograms, PiecesAreComputedInPlace) {
  for (const DataType type : {DataType::kInt8, DataType::kUint8}) {
    for (const int32_t channels : {1, 3, 4, 5, 16, 17, 32}) {
      // 64 rows begin and end wherever a device may ask for it.
      const Shape shape{1, 8, 8, channels};
      const WindowCase c{.input = {1, 8, 8, channels}, .output_channels = channels};
      const int32_t image = chains_.input(shape, type);
      const int32_t pooled = chains_.pool(image);
      const int32_t features = chains_.convolution(image, c, Rounding::kSingle);
      const int32_t filtered = chains_.depthwise(pooled, c, Rounding::kDoubleTiesUp);
      const int32_t summed = chains_.sum(chains_.convolution(filtered, c, Rounding::kSingle),
                                         features, Rounding::kDoubleTiesUp);
      const int32_t translated = chains_.pool(filtered);
      const int32_t last = chains_.pool(chains_.input({1, 1, 8, channels}, type));
      const int32_t joined = chains_.join(
          {pooled, features, image, summed, translated, filtered, last}, 1, {translated});
      chains_.output(chains_.pool(features));
      chains_.output(chains_.pool(joined));
      chains_.output(last);
      // Pieces of pieces, and under another shape.
      const int32_t stacked =
          chains_.join({chains_.join({chains_.pool(features), chains_.pool(pooled)}, 0),
                        chains_.reshape(chains_.pool(image), shape)},
                       0);
      chains_.output(stacked);
    }
  }
  // Of each: a sum, a reshape.
  chains_.expect_equal_to_reference(2 * 7 * 2);
}

// Whatever lies behind the end of a piece is a neighbour's, which is copied.
TEST_F(FusedPrograms, PiecesMayEndInsideAUnit) {
  for (const int32_t channels : {1, 3, 4}) {
    for (const int32_t width : {1, 3, 5, 7}) {
      std::vector<int32_t> pieces;
      for (const int32_t rows : {1, 4, 3, 1}) {
        const int32_t image = chains_.input({1, rows, width, channels});
        const WindowCase c{.input = {1, rows, width, channels}, .output_channels = channels};
        pieces.push_back(chains_.pick({0, 1}) == 0
                             ? chains_.pool(image)
                             : chains_.convolution(image, c, Rounding::kSingle));
      }
      chains_.output(chains_.join(pieces, 1));
    }
  }
  chains_.expect_equal_to_reference(0);
}

TEST_F(FusedPrograms, PiecesUnderAnotherNameMayBeOutputs) {
  const int32_t image = chains_.input({1, 8, 8, 16});
  const int32_t first = chains_.pool(image);
  const int32_t second = chains_.pool(first);
  const int32_t renamed = chains_.reshape(second, {16, 64});
  const int32_t joined = chains_.join({first, second}, 1);
  chains_.output(chains_.pool(joined));
  chains_.output(renamed);
  chains_.output(chains_.pool(chains_.reshape(renamed, {1, 4, 16, 16})));
  chains_.expect_equal_to_reference(0);
}

TEST_F(FusedPrograms, ArePlannedWithTheirPiecesInPlace) {
  const int32_t first = chains_.pool(chains_.input({1, 8, 8, 17}));
  const int32_t second = chains_.pool(first);
  const int32_t copied = chains_.input({1, 8, 8, 17});
  const int32_t all = chains_.join({second, first}, 1);
  const int32_t some = chains_.join({chains_.pool(all), chains_.reshape(copied, {1, 8, 8, 17})}, 1);
  chains_.output(chains_.pool(some));
  for (const OpenedDevice& opened : devices()) {
    SCOPED_TRACE(opened.name);
    const auto plan = opened.device->plan(chains_.graph);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->operators[2].kernel, "concatenation in place");
    EXPECT_EQ(plan->operators[2].dispatches, 0);
    EXPECT_EQ(plan->operators[5].kernel, "concatenation of words");
    EXPECT_EQ(plan->operators[5].dispatches, 1);
    EXPECT_EQ(std::ranges::count_if(plan->tensors,
                                    [&](const PlannedTensor& piece) {
                                      return piece.tensors == std::vector{all} &&
                                             piece.parts == std::vector{first, second} &&
                                             piece.bytes == 2 * 64 * 32 && piece.first == 1 &&
                                             piece.last == 4;
                                    }),
              1);
    const auto unfused = opened.device->plan(chains_.graph, {.fuse = false});
    ASSERT_TRUE(unfused) << unfused.error().message;
    EXPECT_EQ(unfused->operators[2].dispatches, 2);
    const auto fused_commands = opened.device->fingerprint(chains_.graph, {});
    const auto unfused_commands = opened.device->fingerprint(chains_.graph, {.fuse = false});
    ASSERT_TRUE(fused_commands && unfused_commands);
    EXPECT_NE(*fused_commands, *unfused_commands);
  }
}

TEST_F(FusedPrograms, AreProfiledByTheBytesOfPieces) {
  const int32_t first = chains_.pool(chains_.input({1, 8, 8, 17}));
  const int32_t second = chains_.pool(first);
  const int32_t sum = chains_.sum(first, second, Rounding::kSingle);
  const int32_t joined = chains_.join({first, second}, 1);
  chains_.output(chains_.pool(joined));
  chains_.output(sum);
  const auto program = devices().front().device->compile(chains_.graph, {.profile = true});
  ASSERT_TRUE(program) << program.error().message;
  std::vector<Bytes> bytes{Bytes(64 * 17), Bytes(128 * 17), Bytes(64 * 17)};
  const std::vector<std::span<const std::byte>> inputs{bytes[0]};
  const std::vector<std::span<std::byte>> outputs{bytes[1], bytes[2]};
  const auto profile = (*program)->profile(inputs, outputs);
  ASSERT_TRUE(profile) << profile.error().message;
  const auto added = std::ranges::find(profile->dispatches, "add", &DispatchTime::kernel);
  ASSERT_NE(added, profile->dispatches.end());
  EXPECT_EQ(added->bytes_read, 2 * 64 * 32);
  EXPECT_EQ(added->bytes_written, 64 * 32);
}

// Plans and placements speak of the graph that was given.
TEST_F(FusedPrograms, ArePlannedInTheStepsOfTheGivenGraph) {
  const int32_t input = chains_.input({1, 4, 4, 8});
  const int32_t padded = chains_.pad(input, {0, 1, 0, 1}, 5);
  const WindowCase c{.input = {1, 5, 5, 8},
                     .window = {.kernel_height = 2, .kernel_width = 2},
                     .output_height = 4,
                     .output_width = 4};
  const int32_t features = chains_.convolution(padded, c, Rounding::kSingle, 5);
  chains_.output(chains_.sum(input, features, Rounding::kSingle));
  for (const OpenedDevice& opened : devices()) {
    SCOPED_TRACE(opened.name);
    const auto plan = opened.device->plan(chains_.graph, {.kernel = "convolution"});
    ASSERT_TRUE(plan) << plan.error().message;
    ASSERT_EQ(plan->operators.size(), 3u);
    EXPECT_EQ(plan->operators[0].kernel, "fused into CONV_2D #1");
    EXPECT_EQ(plan->operators[0].dispatches, 0);
    EXPECT_EQ(plan->operators[1].kernel, "convolution");
    EXPECT_EQ(plan->operators[1].dispatches, 1);
    EXPECT_EQ(plan->operators[2].kernel, "fused into CONV_2D #1");
    EXPECT_EQ(plan->operators[2].source_operator, 2);
    for (const PlannedTensor& piece : plan->tensors) {
      if (piece.tensors.front() == input) {
        EXPECT_EQ(piece.first, 0);
        EXPECT_EQ(piece.last, 3);
      }
      EXPECT_THAT(piece.tensors, ::testing::Not(::testing::Contains(padded)));
      EXPECT_THAT(piece.tensors, ::testing::Not(::testing::Contains(features)));
    }
    const auto program =
        opened.device->compile(chains_.graph, {.kernel = "convolution", .profile = true});
    ASSERT_TRUE(program) << program.error().message;
    std::vector<Bytes> bytes(3, Bytes(128));
    const std::vector<std::span<const std::byte>> inputs{bytes[0]};
    const std::vector<std::span<std::byte>> outputs{bytes[1]};
    const auto profile = (*program)->profile(inputs, outputs);
    ASSERT_TRUE(profile) << profile.error().message;
    size_t dispatches = 0;
    for (const DispatchTime& dispatch : profile->dispatches) {
      dispatches += dispatch.operator_index >= 0 ? 1 : 0;
      EXPECT_THAT(dispatch.operator_index, ::testing::AnyOf(-1, 1));
    }
    EXPECT_EQ(dispatches, 1u);
  }
}

// Fingerprints tell apart what is computed, fused or not.
TEST_F(FusedPrograms, HaveFingerprintsOfTheirOwn) {
  const int32_t input = chains_.input({1, 4, 4, 8});
  const int32_t features = chains_.convolution(input, {.input = {1, 4, 4, 8}}, Rounding::kSingle);
  chains_.output(chains_.sum(features, input, Rounding::kSingle));
  const auto& device = *devices().front().device;
  const CompileOptions pointwise{.kernel = "convolution_pointwise"};
  CompileOptions each_by_itself = pointwise;
  each_by_itself.fuse = false;
  const auto fused = device.fingerprint(chains_.graph, pointwise);
  const auto unfused = device.fingerprint(chains_.graph, each_by_itself);
  ASSERT_TRUE(fused && unfused);
  EXPECT_NE(*fused, *unfused);
  std::get<graph::LoweredAdd>(chains_.graph.operators[1].operation).left_zero_point ^= 1;
  EXPECT_NE(*device.fingerprint(chains_.graph, pointwise), *fused);

  // What the host does is part of it.
  Chains borders;
  borders.output(borders.pool(borders.table(borders.input({1, 2, 2, 3}), DataType::kInt8)));
  const auto one_table = device.fingerprint(borders.graph);
  std::get<graph::LoweredTable>(borders.graph.operators[0].operation).table[7] ^= 1;
  EXPECT_NE(*device.fingerprint(borders.graph), *one_table);
}

}  // namespace
}  // namespace lockstep::backend::vulkan
