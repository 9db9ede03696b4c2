// DEPTHWISE_CONV_2D. Channels are taken a vector at a time; of each, strips of the input are
// interleaved in scratch memory (see depthwise_kernels.h) and give a piece of one or more rows of
// the output.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "backend/cpu/aligned_memory.h"
#include "backend/cpu/centered_weights.h"
#include "backend/cpu/depthwise_kernels.h"
#include "backend/cpu/integer_division.h"
#include "backend/cpu/operations.h"

namespace lockstep::backend::cpu {
namespace {

// Outputs of a row whose strips stay in the first cache.
constexpr int64_t kOutputsAtOnce = 128;

// [taps][channels] as [channels][taps].
std::vector<int8_t> by_channel(const std::vector<int8_t>& weights, size_t channels) {
  std::vector<int8_t> result(weights.size());
  const size_t taps = weights.size() / channels;
  for (size_t tap = 0; tap < taps; ++tap) {
    for (size_t channel = 0; channel < channels; ++channel) {
      result[channel * taps + tap] = weights[tap * channels + channel];
    }
  }
  return result;
}

class DepthwiseConvolution final : public Operation {
 public:
  DepthwiseConvolution(const graph::LoweredDepthwiseConvolution& convolution, const Target& target)
      : DepthwiseConvolution(
            convolution, target,
            center_weights(by_channel(convolution.weights, convolution.weights_zero_points.size()),
                           convolution.weights_zero_points,
                           static_cast<size_t>(convolution.window.kernel_height) *
                               static_cast<size_t>(convolution.window.kernel_width))) {}

  std::string variant() const override {
    return fmt::format("depthwise {}", isa_name(kernel_.isa));
  }

  int64_t constant_bytes() const override {
    return weights_.bytes() + outside_.bytes() + requantization_.constant_bytes();
  }

  int64_t scratch_bytes() const override {
    return static_cast<int64_t>(blocks_ * strip_bytes() + expanded_rows() * expanded_bytes());
  }

  int64_t tasks() const override { return tasks_; }

  void run(int64_t task, TensorMemory tensors, std::byte* scratch) const override {
    const int64_t channel_blocks = this->channel_blocks();
    const int64_t image_groups = row_groups() / std::max(output_extent_.batch, 1);
    const Range units = part(row_groups() * channel_blocks, tasks_, task);
    for (int64_t unit = units.begin; unit < units.end; ++unit) {
      const int64_t group = unit / channel_blocks;
      const int64_t n = group / image_groups;
      const int64_t y = group % image_groups * rows_at_once_;
      const size_t channel = static_cast<size_t>(unit % channel_blocks) * kernel_.lanes;
      for (int64_t x = 0; x < output_extent_.width; x += kOutputsAtOnce) {
        compute(n, y, x, channel, tensors, scratch);
      }
    }
  }

 private:
  DepthwiseConvolution(const graph::LoweredDepthwiseConvolution& convolution, const Target& target,
                       const CenteredWeights& weights)
      : input_(convolution.input),
        output_(convolution.output),
        input_extent_(convolution.input_extent),
        output_extent_(convolution.output_extent),
        window_(convolution.window),
        depth_multiplier_(convolution.depth_multiplier),
        input_zero_point_(to_byte(convolution.input_zero_point)),
        kernel_(depthwise_kernel(target.isa, weights.row_factors.empty())),
        outside_(kernel_.vector_bytes()) {
    std::fill_n(outside_.data(), kernel_.vector_bytes(), input_zero_point_);
    requantization_ = make_requantization(
        convolution.output_stage,
        byte_domain_bias(convolution.bias, weights, convolution.input_zero_point,
                         /*row_offset=*/0),
        accumulator_ranges(convolution.bias, weights, convolution.input_zero_point));
    plan_rows();
    pack_weights(weights);
    const double products = static_cast<double>(output_extent_.elements()) * window_.kernel_height *
                            window_.kernel_width;
    tasks_ = task_count(row_groups() * channel_blocks(),
                        products / (products_per_nanosecond(kernel_.isa) * 0.05), target);
  }

  size_t channels() const { return static_cast<size_t>(output_extent_.channels); }

  int64_t row_groups() const {
    return output_extent_.batch *
           ((int64_t{output_extent_.height} + rows_at_once_ - 1) / rows_at_once_);
  }

  // A block of channels of a group of rows is a unit of work, and a task a number of neighbouring
  // units.
  int64_t channel_blocks() const {
    return static_cast<int64_t>(divide_up(channels(), kernel_.lanes));
  }

  // Blocks of interleaved rows that a window has; and where its rows leave room in the one block,
  // how many windows below each other fit.
  void plan_rows() {
    const auto kernel_height = static_cast<size_t>(window_.kernel_height);
    blocks_ = divide_up(kernel_height, kernel_.interleaved_rows);
    if (blocks_ == 1 && window_.stride_height == 1 && window_.dilation_height == 1) {
      rows_at_once_ = static_cast<int64_t>(kernel_.interleaved_rows - kernel_height + 1);
    }
    const auto kernel_width = static_cast<size_t>(window_.kernel_width);
    for (size_t block = 0; block < blocks_; ++block) {
      for (size_t kx = 0; kx < kernel_width; ++kx) {
        offsets_.push_back(block * strip_bytes() + kx *
                                                       static_cast<size_t>(window_.dilation_width) *
                                                       kernel_.vector_bytes());
      }
    }
  }

  // Columns of the input that so many neighbouring outputs read.
  int64_t columns_of(int64_t outputs) const {
    return (outputs - 1) * window_.stride_width +
           int64_t{window_.kernel_width - 1} * window_.dilation_width + 1;
  }
  int64_t most_columns() const {
    return columns_of(std::min<int64_t>(kOutputsAtOnce, output_extent_.width));
  }
  size_t strip_bytes() const {
    return static_cast<size_t>(most_columns()) * kernel_.vector_bytes();
  }

  // Rows of the input with every channel repeated, where depth_multiplier is not 1.
  size_t expanded_rows() const { return depth_multiplier_ == 1 ? 0 : kernel_.interleaved_rows; }
  size_t expanded_bytes() const {
    return round_up(static_cast<size_t>(most_columns()) * kernel_.lanes, sizeof(Line));
  }

  // The value of weight (ky, kx, channel), in lane channel % lanes of vectors
  //   [channel block][row of the group][block of rows][kx]:
  // row r of a group has its window r rows further down, and zeros elsewhere.
  void pack_weights(const CenteredWeights& weights) {
    const auto kernel_height = static_cast<size_t>(window_.kernel_height);
    const auto kernel_width = static_cast<size_t>(window_.kernel_width);
    const size_t taps = kernel_height * kernel_width;
    const size_t element_bytes = kernel_.takes_words ? sizeof(int16_t) : sizeof(int8_t);
    weights_ =
        AlignedArray<std::byte>(divide_up(channels(), kernel_.lanes) * block_weights_bytes());
    for (size_t channel = 0; channel < channels(); ++channel) {
      // What was left in is taken out here: 16-bit numbers hold any difference of bytes.
      const int32_t zero_point_term =
          weights.row_factors.empty() ? 0 : weights.row_factors[channel];
      for (size_t row = 0; row < static_cast<size_t>(rows_at_once_); ++row) {
        for (size_t ky = 0; ky < kernel_height; ++ky) {
          for (size_t kx = 0; kx < kernel_width; ++kx) {
            const int32_t value =
                weights.stored[channel * taps + ky * kernel_width + kx] + zero_point_term;
            const size_t block = (row + ky) / kernel_.interleaved_rows;
            const size_t place = (row + ky) % kernel_.interleaved_rows;
            const size_t vector = (row * blocks_ + block) * kernel_width + kx;
            std::byte* to =
                weights_.data() + channel / kernel_.lanes * block_weights_bytes() +
                vector * kernel_.vector_bytes() +
                (channel % kernel_.lanes * kernel_.interleaved_rows + place) * element_bytes;
            if (kernel_.takes_words) {
              const auto word = static_cast<int16_t>(value);
              std::memcpy(to, &word, sizeof(word));
            } else {
              *to = static_cast<std::byte>(value);
            }
          }
        }
      }
    }
  }

  // Of one row of a group, and of all of a block of channels.
  size_t row_weights_bytes() const { return offsets_.size() * kernel_.vector_bytes(); }
  size_t block_weights_bytes() const {
    return static_cast<size_t>(rows_at_once_) * row_weights_bytes();
  }

  // Outputs from (y, x) on of one block of channels: up to rows_at_once_ by kOutputsAtOnce.
  void compute(int64_t n, int64_t y, int64_t x, size_t channel, TensorMemory tensors,
               std::byte* scratch) const {
    const int64_t outputs = std::min<int64_t>(kOutputsAtOnce, output_extent_.width - x);
    for (size_t block = 0; block < blocks_; ++block) {
      interleave(n, y, x, columns_of(outputs), block, channel,
                 elements<const uint8_t>(tensors, input_), scratch);
    }
    const bool stores_sums = requantization_.form == ScaleForm::kNone;
    const int64_t rows = std::min(rows_at_once_, output_extent_.height - y);
    for (int64_t row = 0; row < rows; ++row) {
      const size_t element =
          static_cast<size_t>(((n * output_extent_.height + y + row) * output_extent_.width + x)) *
              channels() +
          channel;
      kernel_.compute_row(
          {.strips = scratch,
           .offsets = offsets_.data(),
           .weights = weights_.data() + channel / kernel_.lanes * block_weights_bytes() +
                      static_cast<size_t>(row) * row_weights_bytes(),
           .taps = offsets_.size(),
           .step = static_cast<size_t>(window_.stride_width) * kernel_.vector_bytes(),
           .outputs = static_cast<size_t>(outputs),
           .requantization = &requantization_,
           .channel = channel,
           .channels = std::min(kernel_.lanes, channels() - channel),
           .output = tensors[static_cast<size_t>(output_)] +
                     element * (stores_sums ? sizeof(int32_t) : 1),
           .output_step = channels()});
    }
  }

  // The strip of a block of rows for the outputs from (y, x) on.
  void interleave(int64_t n, int64_t y, int64_t x, int64_t columns, size_t block, size_t channel,
                  const uint8_t* input, std::byte* scratch) const {
    const int64_t first_column = x * window_.stride_width - window_.padding_left;
    const int64_t left = std::clamp<int64_t>(-first_column, 0, columns);
    const int64_t end = std::clamp<int64_t>(input_extent_.width - first_column, left, columns);
    const int64_t first_row = y * window_.stride_height - window_.padding_top;
    InterleavedRows rows;
    for (size_t i = 0; i < kernel_.interleaved_rows; ++i) {
      const auto tap_row = static_cast<int64_t>(block * kernel_.interleaved_rows + i);
      const int64_t in_y = first_row + tap_row * window_.dilation_height;
      if (in_y < 0 || in_y >= input_extent_.height) {
        rows.rows[i] = outside_.data();
        continue;
      }
      const uint8_t* pixels =
          input + ((n * input_extent_.height + in_y) * input_extent_.width + first_column + left) *
                      input_extent_.channels;
      if (depth_multiplier_ == 1) {
        rows.rows[i] = pixels + channel;
        rows.steps[i] = static_cast<size_t>(input_extent_.channels);
      } else {
        auto* expanded =
            reinterpret_cast<uint8_t*>(scratch + blocks_ * strip_bytes() + i * expanded_bytes());
        expand(pixels, end - left, channel, expanded);
        rows.rows[i] = expanded;
        rows.steps[i] = kernel_.lanes;
      }
    }
    std::byte* strip = scratch + block * strip_bytes();
    const size_t vector_bytes = kernel_.vector_bytes();
    kernel_.fill(input_zero_point_, static_cast<size_t>(left), strip);
    kernel_.interleave(rows, static_cast<size_t>(end - left),
                       strip + static_cast<size_t>(left) * vector_bytes);
    kernel_.fill(input_zero_point_, static_cast<size_t>(columns - end),
                 strip + static_cast<size_t>(end) * vector_bytes);
  }

  // The input channel of each lane, from output channel `channel` on.
  void expand(const uint8_t* pixels, int64_t columns, size_t channel, uint8_t* expanded) const {
    const size_t lanes = std::min(kernel_.lanes, channels() - channel);
    for (int64_t column = 0; column < columns; ++column) {
      for (size_t lane = 0; lane < lanes; ++lane) {
        expanded[lane] = pixels[(channel + lane) / static_cast<size_t>(depth_multiplier_)];
      }
      pixels += input_extent_.channels;
      expanded += kernel_.lanes;
    }
  }

  int32_t input_;
  int32_t output_;
  graph::Extent4d input_extent_;
  graph::Extent4d output_extent_;
  graph::Window2d window_;
  int32_t depth_multiplier_;
  uint8_t input_zero_point_;
  const DepthwiseKernel& kernel_;
  AlignedArray<uint8_t> outside_;  // what columns of a row outside the image read
  Requantization requantization_;
  size_t blocks_ = 1;            // of interleaved rows, of a window
  int64_t rows_at_once_ = 1;     // of the output
  std::vector<size_t> offsets_;  // of each tap's vector in the strips
  AlignedArray<std::byte> weights_;
  int64_t tasks_ = 1;
};

}  // namespace

OperationPointer make_operation(const graph::LoweredDepthwiseConvolution& convolution,
                                const Target& target) {
  return std::make_unique<DepthwiseConvolution>(convolution, target);
}

}  // namespace lockstep::backend::cpu
